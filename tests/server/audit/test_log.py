"""The audit log: what is noted, in one chain, over days, restarts and clocks that jump."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.errors import AuditUnavailableError, ConfigError, ForkedProcessError
from lfm2_colbert_rag.server.audit.log import AuditLog
from lfm2_colbert_rag.server.audit.records import LONGEST_LINE, AuditRecord, make_line
from lfm2_colbert_rag.server.audit.verifying import verify_log

from .made import DAY, NOW, Clock, record

needs_modes = pytest.mark.skipif(os.name == "nt", reason="no bits of rights")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def lines(folder: Path) -> list[dict]:
    files = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("ascii").splitlines()]


def noted(folder: Path) -> list[str]:
    return [line["request_id"] for line in lines(folder) if "request_id" in line]


def test_a_line_says_what_was_done(folder):
    log = AuditLog(folder, what="all", clock=lambda: NOW)
    log.append(
        record(
            "d1f7",
            action="search",
            key_id="a2b3c4d5",
            sub="user 7",
            tenant="acme",
            remote="10.0.0.7",
            index="support",
            k=10,
            filter_fields=("year", "lang"),
            hits=3,
            bytes=812,
            ms=4.25,
        ),
        durable=False,
    )
    line = lines(folder)[-1]
    assert line.pop("prev") != "0" * 64
    assert line == {
        "seq": 3,
        "ts": "2026-11-30T14:46:40.000Z",
        "request_id": "d1f7",
        "action": "search",
        "key_id": "a2b3c4d5",
        "sub": "user 7",
        "tenant": "acme",
        "remote": "10.0.0.7",
        "index": "support",
        "k": 10,
        "filter_fields": ["year", "lang"],
        "hits": 3,
        "status": 200,
        "bytes": 812,
        "ms": 4.25,
    }
    log.close()


@needs_modes
def test_nobody_else_may_read_it(folder):
    before = os.umask(0)
    try:
        AuditLog(folder).close()
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in folder.glob("*.jsonl")} == {0o600}
    folder.chmod(0o750)
    with pytest.raises(AuditUnavailableError, match=r"0750.*chmod 700"):
        AuditLog(folder)


@pytest.mark.parametrize(
    ("what", "kept"),
    [("all", ["write", "no", "found", "lost"]), ("writes", ["write", "no"]), ("off", [])],
)
def test_what_is_noted(folder, what, kept):
    log = AuditLog(folder, what=what)
    log.append(record("write"), durable=True)
    log.append(record("no", status=401, reason="unknown"), durable=False)
    log.append(record("found"), durable=False)
    log.append(record("lost", status=404), durable=False)
    log.require()
    log.close()
    if what == "off":
        assert not folder.exists()
    else:
        assert noted(folder) == kept
    with pytest.raises(ConfigError):
        AuditLog(folder, what="everything")


hostile = st.text(
    st.one_of(st.characters(), st.sampled_from('\n\r\x00\x1b\u2028\u2029\u202e\u200b"\\{}\ud800'))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(hostile, min_size=1, max_size=4))
def test_nothing_in_a_line_begins_another(tmp_path_factory, texts):
    """Nor drives the terminal of whoever reads it: all but ASCII is escaped."""
    folder = tmp_path_factory.mktemp("hostile") / "audit"
    log = AuditLog(folder, what="all", clock=lambda: NOW)
    for text in texts:
        log.append(
            record(text, sub=text, tenant=text, remote=text, index=text, filter_fields=(text,)),
            durable=False,
        )
    log.close()
    content = next(folder.glob("*.jsonl")).read_bytes()
    assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in content)
    assert content.count(b"\n") == len(texts) + 3
    assert [line["sub"] for line in lines(folder) if "sub" in line] == texts
    assert verify_log(folder).problems == ()


def test_the_longest_line_is_one_that_can_be_read():
    long = "\U0001f600" * 1000
    texts = ("request_id", "key_id", "sub", "tenant", "remote", "index", "reason")
    numbers = dict.fromkeys(("k", "hits", "bytes", "ids_count"), 2**63)
    made = AuditRecord(
        ts=NOW,
        action=long,
        status=200,
        **dict.fromkeys(texts, long),
        **numbers,
        ms=1 / 3,
        filter_fields=(long,) * 1000,
    )
    assert len(make_line(2**63, "0" * 64, made.members())) < LONGEST_LINE


def test_a_file_a_day(folder):
    clock = Clock()
    log = AuditLog(folder, what="all", clock=clock)
    for hours in (0, 9, 10, 33, 34, 24 * 30):
        clock.now = NOW + hours * 3600
        log.append(record(hours), durable=False)
    log.close()
    names = [file.name for file in sorted(folder.glob("*.jsonl"))]
    assert names == [
        *("audit-2026-11-30.jsonl", "audit-2026-12-01.jsonl", "audit-2026-12-02.jsonl"),
        "audit-2026-12-30.jsonl",
    ]
    report = verify_log(folder)
    assert (report.problems, report.files, report.stopped) == ((), 4, True)


jumps = st.sampled_from([0, 1, DAY, -DAY, 400 * DAY, -400 * DAY, 1e15, -1e15, float("inf")])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.tuples(jumps, st.sampled_from(["note", "restart"])), max_size=8))
def test_a_clock_that_jumps_breaks_no_chain(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("jumps") / "audit"
    clock, number = Clock(), 0
    log = AuditLog(folder, what="all", clock=clock)
    for jump, step in steps:
        clock.now = NOW + jump
        if step == "restart":
            log.close()
            log = AuditLog(folder, what="all", clock=clock)
        log.append(record(number, ts=clock.now), durable=False)
        number += 1
    log.close()
    assert noted(folder) == [str(one) for one in range(number)]
    assert verify_log(folder).problems == ()


def test_a_restart_goes_on_where_the_log_ended(folder):
    for number in range(3):
        log = AuditLog(folder, what="all")
        log.append(record(number), durable=False)
        log.close()
        log.close()
    report = verify_log(folder)
    assert noted(folder) == ["0", "1", "2"]
    assert (report.problems, report.unclean, report.lines) == ((), 0, 10)


@pytest.mark.parametrize("left", [1, 30, "all but the end", "zeros"])
def test_what_a_killed_server_had_begun_is_taken_away_and_told(folder, left):
    log = AuditLog(folder, what="all", clock=lambda: NOW)
    log.append(record("whole"), durable=False)
    file = next(folder.glob("*.jsonl"))
    log.append(record("torn"), durable=False)
    content = file.read_bytes()
    last = content.splitlines()[-1]
    torn = {"all but the end": last, "zeros": bytes(500)}.get(left) or last[:left]
    log.close()
    file.write_bytes(content[: -len(last) - 1] + torn)
    report = verify_log(folder)
    assert (report.problems, report.torn, report.stopped) == ((), len(torn), False)
    log = AuditLog(folder, what="all", clock=lambda: NOW + 2 * DAY)
    log.append(record("after"), durable=False)
    log.close()
    report = verify_log(folder)
    assert noted(folder) == ["whole", "after"]
    assert (report.problems, report.repaired, report.unclean) == ((), 1, 1)
    assert [one["torn_bytes"] for one in lines(folder) if "torn_bytes" in one] == [len(torn)]


def test_a_server_that_was_killed_before_the_first_line_of_a_day(folder):
    clock = Clock()
    AuditLog(folder, clock=clock).close()
    for rest in (b"", b'{"seq":4,"prev'):
        (folder / "audit-2026-12-01.jsonl").write_bytes(rest)
        AuditLog(folder, clock=lambda: NOW + 5 * DAY).close()
        assert verify_log(folder).problems == ()
        for file in sorted(folder.glob("*.jsonl"))[1:]:
            file.unlink()
    for file in folder.glob("*.jsonl"):
        file.unlink()
    (folder / "audit-2026-11-30.jsonl").write_bytes(b"{")
    AuditLog(folder, clock=clock).close()
    assert verify_log(folder).problems == ()


@pytest.mark.parametrize("end", [b"nothing\n", b'{"seq": 1}\n', b"7\n", b"\n", b"x" * (2 << 20)])
def test_no_line_follows_what_is_none(folder, end):
    AuditLog(folder, clock=lambda: NOW).close()
    file = next(folder.glob("*.jsonl"))
    with file.open("ab") as open_file:
        open_file.write(end)
    before = file.read_bytes()
    with pytest.raises(AuditUnavailableError, match="audit verify"):
        AuditLog(folder)
    assert file.read_bytes() == before


def test_two_writers_are_refused(folder):
    log = AuditLog(folder)
    for _ in range(2):
        with pytest.raises(AuditUnavailableError, match="another server writes"):
            AuditLog(folder)
    log.append(record("still"), durable=True)
    log.close()
    with pytest.raises(AuditUnavailableError, match="was closed"):
        log.append(record(), durable=True)
    with pytest.raises(AuditUnavailableError, match="was closed"):
        log.require()
    AuditLog(folder).close()
    assert noted(folder) == ["still"]
    assert verify_log(folder).problems == ()


def test_where_no_folder_can_be(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    (tmp_path / "link").symlink_to(tmp_path)
    for place in ("file", "link", "file/audit"):
        with pytest.raises(AuditUnavailableError):
            AuditLog(tmp_path / place)
    folder = tmp_path / "audit"
    AuditLog(folder, clock=lambda: NOW).close()
    file = next(folder.glob("*.jsonl"))
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditUnavailableError, match="is a link"):
        AuditLog(folder)


def test_threads_make_one_chain(folder):
    log = AuditLog(folder, what="all")

    def note(name: int) -> None:
        for one in range(50):
            log.append(record(f"{name}-{one}"), durable=one % 10 == 0)

    threads = [threading.Thread(target=note, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert sorted(noted(folder)) == sorted(
        f"{name}-{one}" for name in range(4) for one in range(50)
    )
    assert verify_log(folder).problems == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_a_forked_child_notes_nothing(folder):
    log = AuditLog(folder, what="all")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            log.append(record("child"), durable=True)
        except ForkedProcessError:
            log.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with pytest.raises(AuditUnavailableError, match="another server"):
        AuditLog(folder)
    log.append(record("parent"), durable=True)
    log.close()
    assert noted(folder) == ["parent"]
    assert verify_log(folder).problems == ()


def test_a_file_that_is_removed_is_missed(folder, caplog):
    caplog.set_level(logging.WARNING)
    log = AuditLog(folder, what="all")
    log.append(record("gone"), durable=False)
    next(folder.glob("*.jsonl")).unlink()
    log.append(record("after"), durable=True)
    log.close()
    assert "was removed while it was written" in caplog.text
    assert noted(folder) == ["after"]
    assert verify_log(folder).first == 4
