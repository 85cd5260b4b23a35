"""A disk that takes no more: what must be noted is refused, and the chain stays whole."""

from __future__ import annotations

import errno
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lfm2_colbert_rag.errors import AuditUnavailableError
from lfm2_colbert_rag.server.audit.log import AuditLog
from lfm2_colbert_rag.server.audit.verifying import verify_log

from .made import DAY, NOW, Clock, record

resource = pytest.importorskip("resource", reason="no limits of files")
KILLS = int(os.environ.get("LFM2_COLBERT_KILLS", "6"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size; the system answers as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def file_of(folder: Path) -> Path:
    return sorted(folder.glob("*.jsonl"))[-1]


def noted(folder: Path) -> list[str]:
    """Return the ids that were noted, and how many the log says were lost."""
    files = sorted(folder.glob("*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text("ascii").splitlines()]
    return [
        one["request_id"] if "request_id" in one else f"{one['lost']} lost"
        for one in lines
        if "request_id" in one or "lost" in one
    ]


def test_what_must_be_noted_is_refused_and_noted_once_there_is_room(folder):
    """Whatever part of a line the disk took before."""
    log = AuditLog(folder, what="all")
    expected = []
    for room in range(0, 180, 40):
        with largest_file(file_of(folder).stat().st_size + room):
            with pytest.raises(AuditUnavailableError, match="Free some space"):
                log.append(record(f"{room}-write"), durable=True)
            log.append(record(f"{room}-read"), durable=False)
            log.append(record(f"{room}-read"), durable=False)
            with pytest.raises(AuditUnavailableError):
                log.require()
            with pytest.raises(AuditUnavailableError):
                log.append(record(f"{room}-again"), durable=True)
            assert verify_log(folder).problems == ()
            assert verify_log(folder).torn == 0
        log.require()
        log.append(record(f"{room}-later"), durable=False)
        expected += [f"{room}-write", f"{room}-again", "2 lost", f"{room}-later"]
    log.close()
    assert noted(folder) == expected
    report = verify_log(folder)
    assert (report.problems, report.lost, report.torn, report.stopped) == ((), 10, 0, True)


def test_what_could_not_be_taken_back_at_once_is_before_the_next_line(folder, monkeypatch):
    log = AuditLog(folder, what="all")
    with monkeypatch.context() as patched, largest_file(file_of(folder).stat().st_size + 60):
        patched.setattr(os, "ftruncate", _refuse)
        with pytest.raises(AuditUnavailableError):
            log.append(record("torn"), durable=True)
        assert verify_log(folder).torn == 60
    log.append(record("after"), durable=True)
    log.close()
    assert noted(folder) == ["torn", "0 lost", "after"]
    assert verify_log(folder).problems == ()


def _refuse(*_: object) -> None:
    raise OSError(errno.EIO, "I/O error")


def test_reads_go_on_and_it_is_told_once(folder, caplog):
    caplog.set_level(logging.ERROR)
    log = AuditLog(folder, what="all")
    with largest_file(file_of(folder).stat().st_size):
        for number in range(100):
            log.append(record(number), durable=False)
    assert len(caplog.records) == 1
    assert log.is_failing
    assert log.failures >= 1
    log.append(record("a write"), durable=True)
    assert not log.is_failing
    log.require()
    log.close()
    assert noted(folder) == ["100 lost", "a write"]


def test_what_waits_has_an_end(folder):
    """Writes are refused meanwhile, so that there are few."""
    log = AuditLog(folder, what="all")
    with largest_file(file_of(folder).stat().st_size):
        for number in range(120):
            with pytest.raises(AuditUnavailableError):
                log.append(record(number), durable=True)
    log.require()
    log.close()
    assert len(noted(folder)) == 101
    assert noted(folder)[-1] == "20 lost"


def test_days_go_by_while_the_disk_is_full(folder):
    clock = Clock()
    log = AuditLog(folder, what="all", clock=clock)
    with largest_file(0):
        for day in range(3):
            clock.now = NOW + day * DAY
            with pytest.raises(AuditUnavailableError):
                log.append(record(day), durable=True)
            assert verify_log(folder).problems == ()
    log.append(record("after"), durable=True)
    log.close()
    assert noted(folder) == ["0", "1", "2", "0 lost", "after"]
    assert [file.name for file in sorted(folder.glob("*.jsonl"))] == [
        *("audit-2026-11-30.jsonl", "audit-2026-12-02.jsonl")
    ]
    assert verify_log(folder).problems == ()


def test_a_server_that_stops_while_the_disk_is_full(folder):
    log = AuditLog(folder, what="all")
    with largest_file(file_of(folder).stat().st_size + 20):
        log.close()
        with pytest.raises(AuditUnavailableError):
            AuditLog(folder)
        assert verify_log(folder).problems == ()
    AuditLog(folder).close()
    assert verify_log(folder).problems == ()
    assert verify_log(folder).unclean == 1


@pytest.mark.crash
def test_a_real_disk_that_is_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        done = False
    if not done:
        pytest.skip("no small disk can be mounted here")
    try:
        _fill(disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _fill(disk: Path) -> None:
    log, number = AuditLog(disk / "audit", what="all"), 0
    for _ in range(3):
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * (disk_room(disk) - 4096))
        number += 1
        while takes(log, number):
            number += 1
        assert verify_log(disk / "audit").problems == ()
        ballast.unlink()
        log.require()
    log.close()
    assert verify_log(disk / "audit").problems == ()
    assert [one for one in noted(disk / "audit") if one.isdecimal()] == [
        str(one) for one in range(1, number + 1)
    ]


def takes(log: AuditLog, number: int) -> bool:
    try:
        log.append(record(number), durable=True)
    except AuditUnavailableError:
        return False
    return True


def disk_room(disk: Path) -> int:
    status = os.statvfs(disk)
    return status.f_bavail * status.f_bsize


NOTER = """
import sys
from lfm2_colbert_rag.server.audit.log import AuditLog
from lfm2_colbert_rag.server.audit.records import AuditRecord
log, number = AuditLog(sys.argv[1], what="all"), 0
print("ready", flush=True)
while True:
    number += 1
    log.append(AuditRecord(0.0, f"{sys.argv[2]}-{number}", "x" * 200, 200), durable=number % 3 == 0)
    if number % 3 == 0:
        print(f"{sys.argv[2]}-{number}", flush=True)
"""


@pytest.mark.crash
@pytest.mark.subprocess
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no signal that kills")
def test_a_killed_server_loses_nothing_that_was_noted_for_good(folder):
    chance, told = random.Random(7), []
    for number in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", NOTER, str(folder), str(number)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.01, 0.3))
        os.kill(process.pid, signal.SIGKILL)
        told += [line for line in process.communicate()[0].splitlines() if "-" in line]
        assert verify_log(folder).problems == ()
    AuditLog(folder).close()
    report = verify_log(folder)
    assert (report.problems, report.unclean, report.torn) == ((), KILLS, 0)
    assert set(told[:-1]) <= set(noted(folder))
