"""Verifying: every change within the chain is found; what cannot be found is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.server.audit.log import AuditLog
from lfm2_colbert_rag.server.audit.records import make_line
from lfm2_colbert_rag.server.audit.verifying import verify_log

from .made import record, three_days


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("log") / "audit"
    three_days(folder)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "audit"))


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def test_a_whole_log(folder):
    report = verify_log(folder)
    assert (report.files, report.lines, report.first, report.last) == (3, 17, 1, 17)
    assert (report.problems, report.stopped, report.unclean) == ((), True, 0)
    assert verify_log(folder, known=report.last_hash).problems == ()
    assert json.loads(json.dumps(report.to_dict()))["last"] == 17


@settings(max_examples=60)
@given(
    what=st.sampled_from(["change", "remove", "insert", "double", "swap"]),
    file=st.integers(0, 2),
    place=st.integers(0, 4),
    byte=st.integers(0, 60),
)
def test_every_change_within_the_chain_is_found(
    original, tmp_path_factory, what, file, place, byte
):
    """Of all lines but the very last, of which nothing follows."""
    folder = Path(shutil.copytree(original, tmp_path_factory.mktemp("changed") / "audit"))
    path = files(folder)[file]
    lines = path.read_bytes().splitlines(keepends=True)
    if what == "change":
        at = byte % (len(lines[place]) - 1)
        other = b"0" if lines[place][at : at + 1] != b"0" else b"1"
        lines[place] = lines[place][:at] + other + lines[place][at + 1 :]
    elif what == "remove":
        del lines[place]
    elif what == "insert":
        lines.insert(place, make_line(7, "0" * 64, record("false").members()))
    elif what == "double":
        lines.insert(place, lines[place])
    else:
        lines[place], lines[place - 1] = lines[place - 1], lines[place]
    path.write_bytes(b"".join(lines))
    assert verify_log(folder).problems


def test_a_line_that_was_changed_with_its_hash_is_found_by_the_next(folder):
    """Whoever changes a line would have to write all that follow anew."""
    path = files(folder)[0]
    lines = path.read_bytes().splitlines()
    members = json.loads(lines[3])
    seq, prev = members.pop("seq"), members.pop("prev")
    lines[3] = make_line(seq, prev, {**members, "key_id": "zzzzzzzz"}).rstrip()
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert verify_log(folder).problems == (
        f"{path.name}, line 5: the line before it is not the one that it followed.",
    )


def test_a_file_that_is_missing_in_the_middle(folder):
    files(folder)[1].unlink()
    (problem,) = verify_log(folder).problems
    assert problem == "audit-2026-12-02.jsonl, line 1: it is number 12, where 7 belongs."


def test_files_that_changed_their_names(folder):
    first, second, _ = files(folder)
    first.rename(folder / "x")
    second.rename(first)
    (folder / "x").rename(second)
    assert len(verify_log(folder).problems) >= 3


def test_the_oldest_files_may_be_removed_and_it_is_told(folder):
    files(folder)[0].unlink()
    report = verify_log(folder)
    assert (report.problems, report.first) == ((), 7)
    path = files(folder)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[2:]))
    assert "the beginning of the file is missing" in verify_log(folder).problems[0]


def test_of_the_newest_lines_a_hash_that_was_noted_tells(folder):
    """And without one, that the log does not end as one does whose server stopped."""
    noted = verify_log(folder).last_hash
    path = files(folder)[-1]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    report = verify_log(folder)
    assert (report.problems, report.stopped) == ((), False)
    (problem,) = verify_log(folder, known=noted).problems
    assert noted in problem
    AuditLog(folder).close()  # another server goes on
    report = verify_log(folder)
    assert (report.problems, report.unclean) == ((), 1)
    assert verify_log(folder, known=noted).problems


def test_lines_that_are_removed_from_a_running_server_are_missed(tmp_path):
    log = AuditLog(tmp_path / "audit", what="all")
    for number in range(4):
        log.append(record(number), durable=False)
    (path,) = files(tmp_path / "audit")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    log.append(record("after"), durable=True)
    log.close()
    assert verify_log(tmp_path / "audit").problems


@pytest.mark.parametrize("content", [b"", b"half", b"\n\n\n", b"x\n" * 100, b"\xff" * 300_000])
def test_what_is_no_log_at_all(folder, content):
    """In the middle of one it is a problem, and of many the first are told."""
    path = files(folder)[1]
    path.write_bytes(content)
    problems = verify_log(folder).problems
    assert problems
    assert len(problems) <= 21
    path.unlink()
    path.symlink_to(files(folder)[0])
    assert "it is a link, not a file" in verify_log(folder).problems[0]


def test_a_folder_without_a_log(tmp_path):
    for folder in (tmp_path, tmp_path / "none", Path(__file__)):
        with pytest.raises(InputError, match="holds no audit log"):
            verify_log(folder)
