"""The folder of an index: commits, readers, the lock, orphans, damage, a full disk."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import (
    IndexCorruptError,
    IndexExistsError,
    IndexFormatError,
    IndexLockedError,
    IndexMismatchError,
    IndexNotFoundError,
    InputError,
    StorageFullError,
)
from lfm2_colbert_rag.storage.schema import FORMAT_VERSION
from lfm2_colbert_rag.storage.verification import verify_folder
from lfm2_colbert_rag.testing import HashEncoder

from ..conftest import CORPUS, fill
from ..inside import store_of

HOLD_THE_LOCK = """
    import sys, time
    from pathlib import Path
    from lfm2_colbert_rag.storage.store import Store
    store = Store(Path(sys.argv[1]))
    with store.locks.writing():
        print("held", flush=True)
        time.sleep(60)
"""


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def held_lock(retriever):
    process = python(HOLD_THE_LOCK, retriever.path)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.subprocess
def test_a_second_writer_is_told_who_holds_the_index(retriever, held_lock, state):
    before = state(retriever)
    with Retriever.open(retriever.path, lock_timeout=0.1) as second:
        with pytest.raises(IndexLockedError, match=rf"process {held_lock.pid} on .*since \d{{4}}"):
            second.add(["late"], ids=["late"])
        with pytest.raises(TimeoutError):
            second.delete(["reset"])
    assert state(retriever) == before


@pytest.mark.subprocess
def test_readers_do_not_wait_for_the_writer(retriever, held_lock):
    with Retriever.open(retriever.path, lock_timeout=0) as reader:
        assert reader.search("router")[0].id in {"reset", "reinicio"}
        assert reader.stats().passages == len(CORPUS)


@pytest.mark.subprocess
def test_a_killed_writer_frees_the_lock(retriever, held_lock):
    held_lock.kill()
    held_lock.wait()
    assert retriever.add(["free again"], ids=["free"]) == ["free"]


def test_two_threads_write_one_after_the_other(retriever):
    threads = [
        threading.Thread(target=retriever.add, args=([f"word{i}"],), kwargs={"ids": [f"t{i}"]})
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(retriever) == len(CORPUS) + 8
    assert retriever.stats().generation >= 9  # segments that were merged count as well


@pytest.mark.subprocess
def test_another_process_sees_each_commit_whole(retriever):
    code = """
        import sys
        from lfm2_colbert_rag import Retriever
        reader = Retriever.open(sys.argv[1])
        for line in sys.stdin:
            print(len(reader), [h.id for h in reader.search("zebra", k=1)], flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(retriever.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask() -> str:
        process.stdin.write("\n")
        process.stdin.flush()
        return process.stdout.readline()

    assert ask().startswith("5 ")
    retriever.add(["a zebra", "another one"], ids=["z", "y"])
    assert ask() == "7 ['z']\n"
    retriever.delete(["z"])
    assert ask().startswith("6 ")
    process.communicate()
    assert process.returncode == 0


def test_a_snapshot_outlives_later_commits(retriever):
    snapshot = store_of(retriever).snapshot()
    rows = store_of(retriever).catalog.rows_by_id(["reset"], snapshot.generation)
    retriever.delete(all=True)
    assert len(retriever) == 0
    assert snapshot.segments.passages == len(CORPUS)
    catalog = store_of(retriever).catalog
    assert catalog.rows_by_id(["reset"], snapshot.generation) == rows
    assert catalog.passages([rows["reset"]])[rows["reset"]].text == CORPUS["reset"]


def test_the_next_writer_removes_what_a_killed_one_left(retriever):
    root = retriever.path / "segments"
    known = sorted(root.iterdir())
    (root / ".tmp-00000002-dead").mkdir()
    shutil.copytree(known[0], root / "00000002-orphan")
    with Retriever.open(retriever.path) as other:
        other.search("router")
        assert len(list(root.iterdir())) == len(known) + 2
        other.delete(["nothing of the kind"])
        assert sorted(root.iterdir()) == known


@pytest.mark.subprocess
def test_orphans_are_left_alone_while_somebody_writes(retriever, held_lock):
    orphan = retriever.path / "segments" / "00000002-inflight"
    orphan.mkdir()
    with Retriever.open(retriever.path, lock_timeout=0) as other:
        with pytest.raises(IndexLockedError):
            other.delete(["reset"])
        assert orphan.exists()


def test_what_is_being_staged_is_no_orphan_unless_its_writer_died(retriever):
    staging = retriever.path / "staging"
    for name in ("alive", "dead"):
        (staging / name).mkdir()
        (staging / name / "vectors.npy").touch()
        (staging / f"{name}.lock").touch()
    with FileLock(staging / "alive.lock"), Retriever.open(retriever.path) as other:
        other.delete([])
        assert sorted(path.name for path in staging.iterdir()) == ["alive", "alive.lock"]
    with Retriever.open(retriever.path) as other:
        other.delete([])
        assert not (staging / "alive").exists()


class Faltering(HashEncoder):
    """Fails at its third block, or gives it vectors that cannot be stored."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__()
        self.calls = 0
        self.error = error

    def encode_document(self, texts, *, progress=None):
        self.calls += 1
        if self.calls == 3 and self.error is not None:
            raise self.error
        encoded = super().encode_document(texts, progress=progress)
        if self.calls == 3:
            encoded[-1].vectors[:] = np.nan
        return encoded


@pytest.mark.parametrize("error", [RuntimeError("no more"), KeyboardInterrupt(), None])
def test_a_failure_midway_leaves_nothing(folder, error):
    texts = [f"text {i}" for i in range(1000)]
    with Retriever.open(folder, model=Faltering(error)) as retriever:
        with pytest.raises(InputError if error is None else type(error)):
            retriever.add(texts)
        assert retriever.stats().generation == 0
        assert list(folder.glob("segments/*")) == list(folder.glob("staging/*")) == []
        retriever.add(texts)
        assert len(retriever) == 1000
        assert retriever.stats().segments == 1


def test_vectors_are_written_while_later_texts_are_encoded(folder):
    """And nobody else waits meanwhile."""
    staged: list[int] = []

    class Watching(HashEncoder):
        def encode_document(self, texts, *, progress=None):
            files = list(folder.glob("staging/*/vectors.npy"))
            staged.append(sum(path.stat().st_size for path in files))
            if len(staged) == 3:
                with Retriever.open(folder, lock_timeout=0) as other:
                    other.add(["meanwhile"], ids=["other"])
            return super().encode_document(texts, progress=progress)

    with Retriever.open(folder, model=Watching()) as retriever:
        retriever.add([f"some words of text {n}" for n in range(1000)])
        assert len(retriever) == 1001
        assert staged == sorted(staged)
        assert staged[-1] > staged[0] + 100_000
        assert retriever.verify() == []


@pytest.mark.parametrize("name", ["vectors", "token_ids", "spans", "offsets", "rows", "windows"])
def test_a_missing_file_is_named_at_open(retriever, name):
    retriever.close()
    path = next(retriever.path.glob(f"segments/*/{name}.npy"))
    path.unlink()
    assert any(str(path) in problem for problem in verify_folder(retriever.path))
    with pytest.raises(IndexCorruptError, match=rf"{name}.npy is missing.*backup"):
        Retriever.open(retriever.path)


def test_a_truncated_file_is_named_at_open(retriever):
    path = next(retriever.path.glob("segments/*/vectors.npy"))
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(IndexCorruptError, match="bytes instead of"):
        Retriever.open(retriever.path)


def test_an_altered_file_is_found_by_verify(retriever):
    assert retriever.verify() == []
    retriever.close()
    path = next(retriever.path.glob("segments/*/vectors.npy"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert ["checksum" in problem for problem in verify_folder(retriever.path)] == [True]


def test_a_damaged_catalog_is_an_error_of_ours(retriever):
    retriever.close()
    path = retriever.path / "catalog.sqlite"
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(IndexCorruptError, match="is damaged"):
        Retriever.open(retriever.path)


def test_somebody_elses_database_is_no_index(tmp_path):
    sqlite3.connect(tmp_path / "catalog.sqlite").close()
    (tmp_path / "catalog.sqlite").touch()
    with pytest.raises(IndexNotFoundError, match="not a catalog of this library"):
        Retriever.open(tmp_path)


def test_another_format_version_is_refused(retriever):
    retriever.close()
    connection = sqlite3.connect(retriever.path / "catalog.sqlite")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(IndexFormatError, match=rf"format 999.*reads format {FORMAT_VERSION}"):
        Retriever.open(retriever.path)


def test_no_index_there(tmp_path):
    with pytest.raises(IndexNotFoundError, match="holds no index"):
        Retriever.open(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(FileNotFoundError):
        Retriever.open(tmp_path)


def test_a_folder_of_other_files_is_never_filled(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(IndexExistsError, match="holds no index"):
        Retriever.open(tmp_path, model="hash")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_another_model_is_refused_at_open(retriever):
    with pytest.raises(IndexMismatchError, match=r"another model \(dim: 32 now 16\)"):
        Retriever.open(retriever.path, model=HashEncoder(dim=16))


def test_another_model_under_the_stored_name_is_refused_at_first_use(folder):
    Retriever.open(folder, model=HashEncoder(dim=16)).close()
    with Retriever.open(folder) as reopened:
        assert reopened.stats().dim == 16
        with pytest.raises(IndexMismatchError, match="dim: 16 now 32"):
            reopened.search("x")


def test_save_and_open_search_alike(retriever, tmp_path):
    retriever.delete(["library"])
    retriever.backup(tmp_path / "copy.index")
    with Retriever.open(tmp_path / "copy.index") as copy:
        assert [(h.id, h.score) for h in copy.search("the router")] == [
            (h.id, h.score) for h in retriever.search("the router")
        ]
        assert copy.verify() == []
        copy.add(["more"], ids=["more"])
    assert len(retriever) == 4


def test_save_never_overwrites(retriever, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(IndexExistsError, match="not empty"):
        retriever.backup(tmp_path / "taken")
    with pytest.raises(FileExistsError):
        retriever.backup(retriever.path)


@pytest.mark.parametrize("how", ["closed", "forgotten", "never made"])
def test_an_index_in_memory_leaves_nothing_behind(tmp_path, monkeypatch, how):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if how == "never made":
        encoder = Faltering(RuntimeError("no more"))
        with pytest.raises(RuntimeError, match="no more") as caught:  # and is held on to
            Retriever.from_texts([f"text {n}" for n in range(1000)], model=encoder)
        assert list(tmp_path.iterdir()) == []
        del caught
    else:
        retriever = fill(Retriever.from_texts(["x"], model="hash"))
        assert retriever.path is None
        assert len(list(tmp_path.iterdir())) == 1
        if how == "closed":
            retriever.close()
        else:
            del retriever
    assert list(tmp_path.iterdir()) == []


@pytest.mark.subprocess
@pytest.mark.parametrize(
    ("where", "text", "limit"),
    [("vectors", "word " * 300, 1_000_000), ("catalog", "w" * 20_000, 1_000_000)],
)
def test_a_full_disk_changes_nothing(tmp_path, where, text, limit):
    """The limit on file size makes the system refuse writes as a full disk would."""
    pytest.importorskip("resource")
    code = """
        import json, resource, signal, sys
        from lfm2_colbert_rag import Retriever
        from lfm2_colbert_rag.errors import StorageFullError
        retriever = Retriever.open(sys.argv[1], model="hash")
        retriever.add(["first text"], ids=["first"])
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = int(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        told = ""
        try:
            retriever.add([sys.argv[3]] * 200, ids=[f"n{i}" for i in range(200)])
        except StorageFullError as error:
            told = str(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        stats = retriever.stats()
        print(json.dumps([told, stats.passages, stats.generation, stats.segments]))
        retriever.add(["second text"], ids=["second"])
        print(json.dumps([[h.id for h in retriever.search("text")], retriever.verify()]))
    """
    out, err = python(code, tmp_path / "x.index", limit, text).communicate(timeout=60)
    assert err == ""
    first, second = map(json.loads, out.splitlines())
    assert "nothing was changed" in first[0]
    assert first[1:] == [1, 1, 1]
    assert second == [["first", "second"], []]
    assert len(list((tmp_path / "x.index" / "segments").iterdir())) == 2


def test_a_full_disk_during_save_leaves_no_partial_copy(retriever, tmp_path, monkeypatch):
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lfm2_colbert_rag.storage.backup._copy_file", full)
    with pytest.raises(StorageFullError, match="No space left"):
        retriever.backup(tmp_path / "copy.index")
    assert not list(tmp_path.glob("*copy*"))


def test_many_threads_search_while_one_writes(retriever):
    errors: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                hits = retriever.search("the router", k=3)
                assert len(hits) == 3
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    for i in range(20):
        retriever.add([f"extra {i}"], ids=["extra"])
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert time.monotonic() - started < 60
    assert len(retriever) == len(CORPUS) + 1


@pytest.mark.subprocess
def test_a_forked_child_reads_on_its_own_connections(retriever):
    if not hasattr(os, "fork") or sys.platform == "darwin":
        pytest.skip("needs fork")
    code = """
        import os, sys
        from pathlib import Path
        from lfm2_colbert_rag import Retriever
        retriever = Retriever.open(sys.argv[1])
        retriever.search("router")
        child = os.fork()
        if child == 0:
            os._exit(0 if retriever.search("router", k=1) else 1)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), len(retriever.search("router")))
    """
    out, err = python(code, retriever.path).communicate(timeout=60)
    assert out.split() == ["0", "5"], err


def test_deleting_everything_and_starting_again(retriever):
    assert retriever.delete(all=True) == len(CORPUS)
    assert retriever.search("router") == []
    fill(retriever)
    assert len(retriever.search("router", k=99)) == len(CORPUS)


def test_rows_are_never_reused(retriever):
    store = store_of(retriever)
    before = store.catalog.head().next_row
    retriever.delete(all=True)
    assert store.catalog.head().next_row == before


def test_path_with_odd_characters(tmp_path):
    path = tmp_path / "índice ? # 索引 100%"
    with Retriever.open(path, model="hash") as retriever:
        retriever.add(["text"], ids=["x"])
    with Retriever.open(Path(path)) as retriever:
        assert [hit.id for hit in retriever.search("text")] == ["x"]
