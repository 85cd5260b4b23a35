"""Open segments and kept hits hold no files; what the system refuses is not called damage."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import AccessDeniedError, IndexCorruptError, IndexUnavailableError
from lfm2_colbert_rag.storage.folder import open_catalogs
from lfm2_colbert_rag.storage.layout import CATALOG

from ..grown import add, set_policy

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def descriptors(folder: Path) -> list[str]:
    """Name the files of an index that this process has open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        if os.path.lexists(link) and str(folder) in (name := str(link.readlink())):
            found.append(name)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "made.index"
    with Retriever.open(folder, model="hash") as retriever:
        add(retriever, 3)
    return folder


@linux
def test_many_segments_and_threads_need_few_descriptors(folder, monkeypatch):
    set_policy(monkeypatch, fan_in=1_000)
    with Retriever.open(folder, model="hash") as retriever:
        for seed in range(100):
            add(retriever, 1, seed)
        assert retriever.stats().segments == 100
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: retriever.search(f"w{n}", k=3)[0].evidence, range(64)))
        assert len(descriptors(folder)) <= 64
        assert not any("/segments/" in name for name in descriptors(folder))


@linux
@pytest.mark.parametrize(
    "mode", ["hybrid", *(pytest.param(one, marks=pytest.mark.slow) for one in ("late", "lexical"))]
)
def test_kept_hits_hold_no_files_and_still_have_evidence(made, mode):
    kept = [Retriever.open(made).search("w1 w2 w3 w4 w5 w6", k=1, mode=mode) for _ in range(60)]
    gc.collect()
    assert descriptors(made) == []
    assert all(hits == kept[0] for hits in kept)
    for hits in kept[:2]:
        assert [hit.evidence for hit in hits] == [hit.evidence for hit in kept[-1]]
    assert descriptors(made) == []


LIMITED = """
    import resource
    from lfm2_colbert_rag import Retriever
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    kept = [Retriever.open({folder!r}).search("w1 w2", k=1) for _ in range(60)]
    assert len(kept) == 60
"""


@linux
@pytest.mark.subprocess
def test_kept_hits_within_a_low_limit(made):
    code = textwrap.dedent(LIMITED.format(folder=str(made)))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


def refuse(monkeypatch, number: int) -> None:
    """Let the system refuse to open any array."""
    opening = os.open

    def refusing(path, flags, *rest, **more):
        if str(path).endswith(".npy"):
            raise OSError(number, os.strerror(number), str(path))
        return opening(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refusing)


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        (errno.EMFILE, IndexUnavailableError),
        (errno.ENFILE, IndexUnavailableError),
        (errno.EIO, IndexUnavailableError),
        (errno.ENOMEM, IndexUnavailableError),
        (errno.EACCES, AccessDeniedError),
        (errno.ENOENT, IndexCorruptError),
        (errno.ENOTDIR, IndexCorruptError),
        (errno.ELOOP, IndexCorruptError),
        (errno.ENAMETOOLONG, IndexCorruptError),
    ],
)
def test_what_the_system_refuses_is_not_called_damage(made, number, meant, monkeypatch):
    refuse(monkeypatch, number)
    with pytest.raises(meant, match=r"\.npy") as raised:
        Retriever.open(made)
    assert ("backup" in str(raised.value)) == (meant is IndexCorruptError)


@pytest.mark.skipif(sys.platform == "win32", reason="links and FIFOs")
@pytest.mark.parametrize("what", ["a link", "a FIFO", "a folder"])
def test_what_is_no_file_is_named(made, folder, what):
    shutil.copytree(made, folder)
    (path,) = folder.glob("segments/*/rows.npy")
    data = path.read_bytes()
    path.unlink()
    if what == "a link":
        path.with_name("elsewhere").write_bytes(data)
        path.symlink_to(path.with_name("elsewhere"))
    elif what == "a FIFO":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(IndexCorruptError, match=rf"rows\.npy is {what}, not a file"):
        Retriever.open(folder)


@pytest.mark.skipif(open_catalogs() is None, reason="the system does not tell what is open")
def test_a_descriptor_that_becomes_another_files_is_not_mistaken(tmp_path):
    """Threads that open and close files meanwhile make nobody take one file for another."""
    catalog = tmp_path / CATALOG
    catalog.touch()
    stop = threading.Event()

    def open_and_close() -> None:
        while not stop.is_set():
            for path in (catalog, tmp_path):  # the same number, mostly
                os.close(os.open(path, os.O_RDONLY))

    before = sys.getswitchinterval()
    threads = [threading.Thread(target=open_and_close) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        sys.setswitchinterval(1e-6)
        found = [one for _ in range(300) for one in open_catalogs()]
    finally:
        sys.setswitchinterval(before)
        stop.set()
        for thread in threads:
            thread.join()
    assert tmp_path.stat().st_ino not in {one.inode[1] for one in found if one.name == CATALOG}


@pytest.mark.skipif(sys.platform == "win32", reason="limits how many files a process opens")
def test_without_a_descriptor_left_the_index_is_named_and_not_what_was_probed(made):
    code = """
        import resource, sys
        from lfm2_colbert_rag import Retriever
        from lfm2_colbert_rag.errors import IndexUnavailableError
        with Retriever.open(sys.argv[1]) as retriever:  # what is imported late, is by now
            retriever.search("x")
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        held = []
        try:
            while True:
                held.append(open("/dev/zero", "rb"))
        except OSError:
            pass
        for free in range(8):
            try:
                with Retriever.open(sys.argv[1]) as retriever:
                    retriever.search("x")
            except IndexUnavailableError as error:
                assert sys.argv[1] in str(error), error
                assert free or "Too many open files" in str(error), error
            held.pop().close()
        print("told")
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(made)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, "told\n"), run.stderr
