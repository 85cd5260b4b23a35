"""Folders that appear whole or not at all, and what is in the place of a lock."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import (
    IndexExistsError,
    IndexLockedError,
    IndexNotFoundError,
    IndexUnavailableError,
    InputError,
)
from lfm2_colbert_rag.storage.atomic import new_folder

from ..inside import store_of

POSIX = pytest.mark.skipif(os.name == "nt", reason="links, FIFOs and rights of POSIX")
FILL = """
    import sys
    from pathlib import Path
    from lfm2_colbert_rag.storage.atomic import new_folder
    with new_folder(Path(sys.argv[1])) as folder:
        (folder / "text").write_text("of somebody")
        print("filled", flush=True)
        sys.stdin.read()
"""
REFUSED = """
    import os, sys
    from pathlib import Path
    from lfm2_colbert_rag import Retriever
    from lfm2_colbert_rag.errors import AccessDeniedError
    makers = (lambda path: Retriever.restore(sys.argv[1], path).close(),
              lambda path: Retriever.open(path, model="hash").close(),
              lambda path: reader.backup(path),
              lambda path: reader.export(path))
    reader = Retriever.open(sys.argv[1], read_only=True)
    for number, make in enumerate(makers):  # now, as long as modules can be imported
        make(Path(sys.argv[2], f"made{number}"))
    os.geteuid() or os.setuid(65534)
    for make in makers:
        for path in sys.argv[3:]:
            try:
                make(path)
            except AccessDeniedError as error:
                assert "orrupt" not in str(error), error
            else:
                raise SystemExit("it was made")
"""


@pytest.fixture
def filling():
    """Return a function that begins a folder in another process."""
    begun = []

    def begin(target: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(FILL), str(target)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        assert process.stdout.readline() == "filled\n"
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path, filling):
    filling(tmp_path / "dead").kill()
    dead = names(tmp_path)
    alive = filling(tmp_path / "alive")
    kept = names(tmp_path) - dead
    (room,) = (path for path in tmp_path.iterdir() if path.is_dir() and path.name in kept)
    if os.name != "nt":
        assert stat.S_IMODE(room.stat().st_mode) == 0o700
    with new_folder(tmp_path / "mine") as folder:
        (folder / "file").write_text("content")
    assert names(tmp_path) == {*kept, "mine"}
    alive.communicate()
    assert names(tmp_path) == {"alive", "mine"}
    assert (tmp_path / "alive" / "text").read_text() == "of somebody"


@pytest.mark.parametrize("left", ["lock", "lock and room"])
def test_a_process_may_be_killed_at_any_moment_of_the_making(tmp_path, left):
    room = tmp_path / f".tmp-lfm2-colbert-{0:016x}"
    room.with_name(f"{room.name}.lock").write_text("")
    if left == "lock and room":
        room.mkdir()
    with new_folder(tmp_path / "mine"):
        pass
    assert names(tmp_path) == {"mine"}


def test_what_others_made_stays(tmp_path):
    others = {".tmp-backup-12345678", ".tmp-lfm2-colbert-0123456789abcdef"}
    for name in others:
        (tmp_path / name).mkdir()
        (tmp_path / name / "text").write_text("theirs")
    with new_folder(tmp_path / "mine"):
        pass
    assert names(tmp_path) == {"mine", *others}


@POSIX
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_mask_of_the_process_decides_who_may_read(tmp_path, mask):
    before = os.umask(mask)
    try:
        with new_folder(tmp_path / "mine") as folder:
            (folder / "file").write_text("content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o777 & ~mask


def test_whatever_fails_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "a" / "b" / "c") as folder:
        (folder / "file").write_text(str(1 // 0))
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "d"):
        raise KeyboardInterrupt
    assert names(tmp_path) == set()


def unusable(tmp_path: Path) -> list[Path]:
    (tmp_path / "file").write_text("")
    return [tmp_path / name for name in ("file/index", "file/deep/index", "x" * 300)]


def test_names_that_no_folder_can_have(tmp_path, retriever):
    for target in unusable(tmp_path):
        for make in (
            lambda: retriever.backup(target),  # noqa: B023
            lambda: retriever.export(target),  # noqa: B023
            lambda: Retriever.restore(retriever.path, target),  # noqa: B023
            lambda: Retriever.open(target, model="hash"),  # noqa: B023
        ):
            with pytest.raises(InputError):
                make()
    assert names(tmp_path) == {"file", retriever.path.name}


@POSIX
def test_links_in_the_place_of_a_target(tmp_path, retriever):
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("nowhere", "loop"):
        with pytest.raises(IndexExistsError):
            retriever.backup(tmp_path / name)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    retriever.backup(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    Retriever.open(tmp_path / "elsewhere", read_only=True).close()


@POSIX
@pytest.mark.subprocess
def test_without_the_right_to_make_it(retriever):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        retriever.backup(root / "backup")
        (root / "closed").mkdir()
        (root / "open").mkdir()
        root.chmod(0o555)
        (root / "closed").chmod(0)
        where = ("backup", "open", "new", "closed/new", "new/deep")
        made = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(REFUSED), *(str(root / one) for one in where)],
            capture_output=True,
            text=True,
        )
        (root / "closed").chmod(0o755)
        root.chmod(0o755)
        assert made.returncode == 0, made.stderr


@POSIX
@pytest.mark.parametrize("name", ["writer.lock", "staging", "optimizer.lock"])
@pytest.mark.parametrize("kind", ["link", "folder", "fifo", "file"])
def test_something_else_in_the_place_of_a_lock(folder, tmp_path, name, kind):
    if (name == "staging") == (kind == "folder") or (name != "staging" and kind == "file"):
        pytest.skip("that is what it is to be")
    Retriever.open(folder, model="hash").close()
    precious = tmp_path / "precious"
    precious.write_text("not to be emptied")
    path = folder / name
    put(path, kind, precious)
    with (
        Retriever.open(folder) as retriever,
        pytest.raises(IndexUnavailableError, match=f"{name} is .*remove it"),
    ):
        retriever.optimize() if name == "optimizer.lock" else retriever.add(["a text"])
    assert precious.read_text() == "not to be emptied"
    path.rmdir() if kind == "folder" else path.unlink()
    with Retriever.open(folder) as retriever:
        retriever.add(["a text"])
        assert retriever.optimize().passages == 1
        assert retriever.verify() == []


def put(path: Path, kind: str, precious: Path) -> None:
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(precious)
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.write_text("", encoding="utf-8")


@POSIX
@pytest.mark.parametrize("kind", ["link", "folder", "fifo", "[", "nonsense", "{}"])
def test_whatever_says_who_writes_holds_up_nobody(folder, tmp_path, kind):
    precious = tmp_path / "precious"
    precious.write_text("not to be emptied")
    with Retriever.open(folder, model="hash", lock_timeout=0.1) as retriever:
        holder = folder / "writer.json"
        if kind in ("link", "folder", "fifo"):
            put(holder, kind, precious)
        else:
            holder.write_text(kind * 5000)
        with (
            store_of(retriever).locks.writing(),
            pytest.raises(IndexLockedError, match="is being written by"),
        ):
            retriever.add(["a text"])
        retriever.add(["a text"])
        assert len(retriever) == 1
    assert precious.read_text() == "not to be emptied"


def test_an_index_that_could_not_be_made_leaves_its_place_free(folder, monkeypatch):
    folder.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr("lfm2_colbert_rag.storage.catalog.SCHEMA", "CREATE nonsense")
        with pytest.raises(Exception, match="nonsense"):
            Retriever.open(folder, model="hash")
        with pytest.raises(Exception, match="nonsense"):
            Retriever.open(folder / "deep" / "er", model="hash")
    assert names(folder) == set()
    with pytest.raises(IndexNotFoundError):
        Retriever.open(folder)
    Retriever.open(folder, model="hash").close()


def test_nobody_is_kept_out_by_a_dead_lock(tmp_path, filling):
    process = filling(tmp_path / "one")
    os.kill(process.pid, signal.SIGTERM)
    process.wait()
    with new_folder(tmp_path / "one") as folder:
        (folder / "file").write_text("content")
    assert names(tmp_path) == {"one"}
