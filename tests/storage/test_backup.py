"""Copies made while the index serves, and taken back only when they are whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import (
    IndexCorruptError,
    IndexExistsError,
    IndexFormatError,
    IndexLockedError,
    IndexMismatchError,
    IndexNotFoundError,
    StorageFullError,
)
from lfm2_colbert_rag.storage import backup as backups
from lfm2_colbert_rag.storage.layout import LOCK
from lfm2_colbert_rag.storage.verification import verify_folder
from lfm2_colbert_rag.testing import HashEncoder

from ..conftest import CORPUS
from ..grown import set_policy
from ..inside import store_of
from ..windows import KEEPS_WHAT_IS_IN_USE, damages_what_is_open


@pytest.fixture
def backup(retriever, tmp_path: Path) -> Path:
    target = tmp_path / "a.backup"
    retriever.delete(["library"])
    retriever.create_filter_index("lang")
    retriever.backup(target)
    return target


def found(retriever: Retriever) -> list[tuple[str, float]]:
    return [(hit.id, hit.score) for hit in retriever.search("the router", k=99)]


def test_a_backup_is_the_same_index(retriever, backup):
    assert verify_folder(backup) == []
    with Retriever.open(backup) as copy:
        assert found(copy) == found(retriever)
        assert copy.filter_indexes() == ["lang"]
        copy.add(["more"], ids=["more"])
    assert len(retriever) == 4


def test_restoring_gives_it_back(retriever, backup, tmp_path):
    before = sorted(path.name for path in backup.iterdir())
    content = (backup / "catalog.sqlite").read_bytes()
    with Retriever.restore(backup, tmp_path / "new.index") as restored:
        assert found(restored) == found(retriever)
        assert restored.path == tmp_path / "new.index"
        restored.add(["more"], ids=["more"])
        assert restored.verify() == []
    assert sorted(path.name for path in backup.iterdir()) == before
    assert (backup / "catalog.sqlite").read_bytes() == content


def test_an_index_in_memory_can_be_backed_up(tmp_path):
    with Retriever.from_texts(["one", "two"], ids=["1", "2"], model="hash") as retriever:
        retriever.backup(tmp_path / "kept")
    with Retriever.restore(tmp_path / "kept", tmp_path / "new") as restored:
        assert len(restored) == 2


def test_an_empty_index_can_be_backed_up(folder, tmp_path):
    with Retriever.open(folder, model="hash") as retriever:
        retriever.backup(tmp_path / "kept")
    with Retriever.restore(tmp_path / "kept", tmp_path / "new") as restored:
        assert len(restored) == 0


def test_a_plain_copy_of_the_folder_can_be_restored(retriever, tmp_path):
    """Also with what a killed writer left in it, and a log that SQLite has not folded in."""
    (retriever.path / "segments" / "00000009-orphan").mkdir()
    (retriever.path / "staging" / "dead").mkdir(parents=True)
    shutil.copytree(retriever.path, tmp_path / "copied")
    with Retriever.restore(tmp_path / "copied", tmp_path / "new") as restored:
        assert found(restored) == found(retriever)
        restored.delete([])  # which removes what is left over
        assert restored.verify() == []


def test_progress_is_told(retriever, tmp_path):
    told: list[int] = []
    retriever.add(["a long text"], progress=False)
    retriever.backup(tmp_path / "b", progress=told.append)
    assert told
    Retriever.restore(tmp_path / "b", tmp_path / "c", progress=told.append).close()
    assert sum(told) >= len(CORPUS)


def test_a_backup_is_one_whole_commit_while_others_write(retriever, tmp_path):
    """Every commit changes both passages, so that a torn one would show."""
    stop = threading.Event()

    def write() -> None:
        step = 0
        with Retriever.open(retriever.path) as other:
            while not stop.is_set():
                step += 1
                other.add([f"one step{step}", f"two step{step}"], ids=["one", "two"])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(8):
            retriever.backup(tmp_path / f"b{number}")
    finally:
        stop.set()
        thread.join()
    for number in range(8):
        assert verify_folder(tmp_path / f"b{number}") == []
        with Retriever.open(tmp_path / f"b{number}") as copy:
            assert len(copy) in (len(CORPUS), len(CORPUS) + 2)
            if len(copy) > len(CORPUS):
                one, two = copy.get(["one", "two"])
                assert one.text.split()[1] == two.text.split()[1]


def test_a_backup_does_not_wait_for_a_writer(retriever, tmp_path):
    with (
        Retriever.open(retriever.path, lock_timeout=0) as second,
        store_of(retriever).locks.writing(),
    ):
        second.backup(tmp_path / "b")
    assert verify_folder(tmp_path / "b") == []


def test_segments_that_are_merged_away_are_copied_anew(retriever, tmp_path, monkeypatch):
    copy, calls = backups._copy_one, []

    def vanish(folder, *rest):
        calls.append(source := folder / rest[1] / rest[2].name)
        if len(calls) == 1:
            retriever.delete(all=True)
            retriever.add(["what is there now"], ids=["now"])
            if KEEPS_WHAT_IS_IN_USE and source.exists():
                pytest.skip("what is merged away stays as long as it is mapped")
            assert not source.exists()
        copy(folder, *rest)

    monkeypatch.setattr(backups, "_copy_one", vanish)
    retriever.backup(tmp_path / "b")
    assert len(calls) == 2
    assert verify_folder(tmp_path / "b") == []
    with Retriever.open(tmp_path / "b") as copied:
        assert [hit.id for hit in copied.search("there")] == ["now"]


def is_locked(folder: Path) -> bool:
    """Tell whether somebody writes."""
    try:
        FileLock(folder / LOCK).acquire(timeout=0).lock.release()
    except Timeout:
        return True
    return False


def test_the_last_try_keeps_writers_out(retriever, tmp_path, monkeypatch):
    tried: list[bool] = []

    def never(*_args: object) -> bool:
        tried.append(is_locked(retriever.path))
        return len(tried) == 3

    monkeypatch.setattr(backups, "_copy_generation", never)
    retriever.backup(tmp_path / "b")
    assert tried == [False, False, True]
    tried.clear()
    with (
        Retriever.open(retriever.path, lock_timeout=0) as second,
        store_of(retriever).locks.writing(),
        pytest.raises(IndexLockedError),
    ):
        second.backup(tmp_path / "c")
    assert not list(tmp_path.glob("*c"))


def spoil(folder: Path, how: str) -> Path:
    path = next(folder.glob("segments/*/token_ids.npy"))
    if how == "altered":
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    elif how == "truncated":
        os.truncate(path, path.stat().st_size - 1)
    else:
        path.unlink()
    return path


@pytest.mark.parametrize("how", ["altered", "truncated", "missing"])
def test_a_broken_backup_is_refused_by_name(backup, tmp_path, how):
    path = spoil(backup, how)
    with pytest.raises(IndexCorruptError, match="is broken and was not restored") as caught:
        Retriever.restore(backup, tmp_path / "new")
    assert str(path) in str(caught.value)
    assert ".tmp-" not in str(caught.value)
    assert not list(tmp_path.glob("*new*"))


def test_a_backup_with_a_broken_catalog_is_refused(backup, tmp_path):
    path = backup / "catalog.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(IndexCorruptError, match="is damaged") as caught:
        Retriever.restore(backup, tmp_path / "new")
    assert str(path) in str(caught.value)
    assert not list(tmp_path.glob("*new*"))


def test_many_problems_are_not_all_listed(retriever, tmp_path, monkeypatch):
    set_policy(monkeypatch, fan_in=100)
    for number in range(8):
        retriever.add([f"text {number}"])
    retriever.backup(tmp_path / "b")
    for path in (tmp_path / "b").glob("segments/*/spans.npy"):
        path.unlink()
    with pytest.raises(IndexCorruptError, match=r"And 4 more\.$"):
        Retriever.restore(tmp_path / "b", tmp_path / "new")


@damages_what_is_open
@pytest.mark.parametrize("how", ["altered", "truncated", "missing"])
def test_a_broken_index_is_not_backed_up(retriever, tmp_path, how):
    path = spoil(retriever.path, how)
    with pytest.raises(IndexCorruptError, match="older backup") as caught:
        retriever.backup(tmp_path / "b")
    assert str(path) in str(caught.value)
    assert not list(tmp_path.glob("*b"))


def test_neither_overwrites(retriever, backup, tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").touch()
    with pytest.raises(IndexExistsError, match="not empty"):
        retriever.backup(taken)
    with pytest.raises(IndexExistsError, match="not empty"):
        Retriever.restore(backup, taken)
    with pytest.raises(FileExistsError):
        Retriever.restore(backup, backup)
    (taken / "file").unlink()
    Retriever.restore(backup, taken).close()
    assert [path.name for path in tmp_path.glob(".tmp*")] == []


def test_what_is_no_backup(tmp_path, backup):
    with pytest.raises(IndexNotFoundError, match="nothing to restore"):
        Retriever.restore(tmp_path / "nowhere", tmp_path / "new")
    connection = sqlite3.connect(backup / "catalog.sqlite")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(IndexFormatError, match="format 999") as caught:
        Retriever.restore(backup, tmp_path / "new")
    assert str(backup) in str(caught.value)
    assert not list(tmp_path.glob("*new*"))


def test_another_model_is_refused(backup, tmp_path):
    with pytest.raises(IndexMismatchError):
        Retriever.restore(backup, tmp_path / "new", model=HashEncoder(dim=16))
    assert not (tmp_path / "new").exists()


def test_a_full_disk_leaves_nothing(retriever, backup, tmp_path, monkeypatch):
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "_copy_file", full)
    with pytest.raises(StorageFullError, match="No space left"):
        retriever.backup(tmp_path / "b")
    with pytest.raises(StorageFullError, match="No space left"):
        Retriever.restore(backup, tmp_path / "new")
    assert not [*tmp_path.glob("*new*"), *tmp_path.glob("*-b-*"), *tmp_path.glob("b")]
