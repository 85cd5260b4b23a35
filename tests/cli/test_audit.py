"""``audit verify``: whole or broken, and a hash to be noted elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lfm2_colbert_rag.server.audit.log import AuditLog
from lfm2_colbert_rag.server.audit.records import AuditRecord
from lfm2_colbert_rag.server.audit.verifying import verify_log

from .conftest import Run


@pytest.fixture
def log(run: Run) -> Path:
    log = AuditLog("audit", what="all")
    for number in range(3):
        log.append(AuditRecord(float(number), str(number), "search", 200), durable=False)
    log.close()
    return next(Path("audit").glob("*.jsonl"))


def test_a_whole_log(run: Run, log: Path) -> None:
    outcome = run("audit", "verify", "audit")
    report = verify_log("audit")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[0].endswith("audit is whole.")
    assert f"6 lines in 1 file, from number 1 to 6. Hash of the last: {report.last_hash}" in (
        outcome.out
    )
    as_json = run("audit", "verify", "audit", "--json", "--expect", report.last_hash)
    assert (as_json.code, json.loads(as_json.out)) == (0, report.to_dict())


def test_a_broken_log(run: Run, log: Path) -> None:
    noted = verify_log("audit").last_hash
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:2] + lines[3:]))
    outcome = run("audit", "verify", "audit")
    assert outcome.code == 1
    assert f"{log.name}, line 3: it is number 4, where 3 belongs." in outcome.out
    assert "is broken: 1 problem." in outcome.err
    assert json.loads(run("audit", "verify", "audit", "--json").out)["problems"]
    log.write_bytes(b"".join(lines[:-1]))
    outcome = run("audit", "verify", "audit")
    assert outcome.code == 0
    assert "it was killed, or the newest lines were removed" in outcome.err
    assert run("audit", "verify", "audit", "--expect", noted).code == 1


def test_what_else_is_told(run: Run, log: Path) -> None:
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]) + b'{"seq"')
    AuditLog("audit").close()
    told = run("audit", "verify", "audit").err
    assert "did not stop in order: 1; unfinished lines of theirs that were taken away: 1" in told


def test_no_log(run: Run) -> None:
    outcome = run("audit", "verify", "none")
    assert (outcome.code, outcome.out) == (1, "")
    assert "holds no audit log" in outcome.err
