"""A disk that is full at random moments: a write succeeds, or says so and changes nothing.

Where a small disk may be mounted it is a real one, filled by a file of another program. Elsewhere
files of this process may not grow beyond a limit, which the system answers in the same way.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import StorageFullError

from ..grown import set_policy
from ..inside import store_of
from ..windows import reads_what_is_removed

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(os.name == "nt", reason="neither mounts nor limits of files"),
]

OPERATIONS = int(os.environ.get("LFM2_COLBERT_FULL_DISKS", "25"))
SIZE = 24 << 20
ROOM = 1 << 20  # bytes within which an operation may find the disk full
WORDS = [f"w{number}" for number in range(200)]

State = dict[str, str]


class Disk(Protocol):
    """Where the index is."""

    folder: Path

    def leave(self, room: int | None) -> None:
        """Let so many bytes be written; None for as many as anybody wants."""


class MountedDisk:
    """A file system of its own, filled by a file that is not the library's.

    Args:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def leave(self, room: int | None) -> None:
        self._ballast.unlink(missing_ok=True)
        if room is not None:
            with self._ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(1, self._free() - room))

    def _free(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize


class LimitedDisk:
    """The disk of the tests, on which no file of this process may grow beyond a limit.

    Args:
        folder: where the index is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def leave(self, room: int | None) -> None:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard if room is None else room, hard))


@pytest.fixture(params=["mounted", "limited"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "limited":
        one = LimitedDisk(folder)
        yield one
        one.leave(None)
        return
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no disk may be mounted here")
    try:
        yield MountedDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class Session:
    """An index, what it should hold, and everything that may be done with it.

    Args:
        disk: where it is.
        backup: a folder elsewhere that a backup may lie in.
        chance: decides.
    """

    def __init__(self, disk: Disk, backup: Path, chance: random.Random) -> None:
        self.retriever = Retriever.open(disk.folder / "index", model="hash")
        self.state: State = {}
        self._folder = disk.folder
        self._backup = backup
        self._chance = chance
        self._copies = 0
        self.kinds = (
            [self.add] * 8
            + [self.delete] * 3
            + [self.optimize, self.search, self.lexical, self.migrate] * 2
            + [self.back_up, self.restore, self.export, self.filter_index, self.compress]
        )

    def add(self) -> None:
        names = sorted(
            {f"p{self._chance.randrange(60)}" for _ in range(self._chance.randint(1, 9))}
        )
        texts = [
            f"{name} zebra "
            + " ".join(self._chance.choices(WORDS, k=self._chance.choice([5, 300])))
            for name in names
        ]
        self.retriever.add(texts, ids=names, metadata=[{"n": len(text)} for text in texts])
        self.state |= dict(zip(names, texts, strict=True))

    def delete(self) -> None:
        names = self._chance.sample(sorted(self.state), min(3, len(self.state)))
        self.retriever.delete(names)
        self.state = {name: text for name, text in self.state.items() if name not in names}

    def optimize(self) -> None:
        self.retriever.optimize(forget_after=0)

    def migrate(self) -> None:
        retriever = self.retriever
        status = retriever.migration()
        if status.building is None and status.can_roll_back and self._chance.random() < 0.5:
            retriever.rollback()
        else:
            if status.can_roll_back:
                retriever.forget_previous()
            retriever.migrate("hash" if retriever.model == "hash:1" else "hash:1")

    def search(self) -> None:
        assert len(self.retriever.search("zebra", k=100)) == len(self.state)

    def lexical(self) -> None:
        wanted = self.retriever.stats().lexical_bytes is None
        with Retriever.open(self._folder / "index", lexical=wanted) as other:
            assert len(other) == len(self.state)

    def filter_index(self) -> None:
        if self.retriever.filter_indexes():
            self.retriever.drop_filter_index("n")
        else:
            self.retriever.create_filter_index("n")

    def compress(self) -> None:
        with Retriever.open(self._folder / "index", storage="compressed") as other:
            other.optimize()

    def back_up(self) -> None:
        self.retriever.backup(self._copy())
        assert self.held(self._last()) == self.state

    def export(self) -> None:
        self.retriever.export(self._copy())

    def restore(self) -> None:
        with Retriever.restore(self._backup, self._copy()) as other:
            assert len(other) == 1

    def _copy(self) -> Path:
        self._copies += 1
        return self._last()

    def _last(self) -> Path:
        return self._folder / f"copy{self._copies}"

    @staticmethod
    def held(folder: Path) -> State:
        """Return what whoever opens the index finds."""
        with Retriever.open(folder, read_only=True) as other:
            return {one.id: one.text for one in other.passages()}

    def try_one(self, operation: Callable[[], None]) -> bool:
        """Do something; False if the disk was full, and then nothing of it is left behind."""
        try:
            operation()
        except StorageFullError:
            assert not self._last().exists()
            return False
        finally:
            with suppress(FileNotFoundError):
                shutil.rmtree(self._last())
        return True

    def check(self, whole: bool) -> None:
        """Nothing that was acknowledged is lost, nothing else is there, nothing is left behind."""
        folder = self._folder / "index"
        assert self.held(folder) == self.state
        assert {path.name for path in self._folder.iterdir()} <= {"index", "ballast"}
        assert list(folder.glob("staging/*")) == []
        if whole:
            self.retriever.delete([])
            assert self.retriever.verify() == []
            named = store_of(self.retriever).catalog.segment_names()
            assert {path.name for path in folder.glob("segments/*")} == named


@reads_what_is_removed
@pytest.mark.parametrize("kind", ["exact", "compressed"])
def test_full_at_random_moments(tmp_path, disk, kind, monkeypatch):
    if kind == "compressed":
        set_policy(monkeypatch, auto_vectors=1500, min_vectors=1500)
    Retriever.from_texts(["one"], model="hash").backup(tmp_path / "backup")
    chance = random.Random(os.environ.get("LFM2_COLBERT_SEED", kind))
    session = Session(disk, tmp_path / "backup", chance)
    full = 0
    for number in range(OPERATIONS):
        operation = chance.choice(session.kinds)
        disk.leave(int(ROOM * chance.random() ** 3) if chance.random() < 0.8 else None)
        try:
            full += not session.try_one(operation)
        finally:
            disk.leave(None)
        session.check(whole=number % 8 == 7)
    session.check(whole=True)
    session.retriever.close()
    assert OPERATIONS // 10 < full < OPERATIONS, "it must be full now and then"


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-s"]))
