"""Where in an index folder a file is, by what it is for; and a folder beside it as a witness."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

CODEBOOK, SEGMENT, ADAPTER = "codebook/", "segment/", "adapter/"
SECRET = b"a secret that is none of the index's business"


def find(index: Path, role: str, number: int) -> Path:
    """Return the path of a role.

    Args:
        index: the folder of the index.
        role: ``"segment/vectors.npy"``, ``"codebook/"``, ``"adapter/"``, or a name in the folder
            itself.
        number: which of the segments, codebooks or adapters, counted round.
    """
    if role == ADAPTER:
        files = sorted((index / "adapters").iterdir())
        return files[number % len(files)]
    for prefix, parent in ((CODEBOOK, "codebooks"), (SEGMENT, "segments")):
        if role.startswith(prefix):
            folders = sorted((index / parent).iterdir())
            folder = folders[number % len(folders)]
            return folder / role.removeprefix(prefix) if role != prefix else folder
    return index / role


@dataclass(frozen=True)
class Place:
    """Where a case is played.

    Attributes:
        root: all of it.
    """

    root: Path

    @property
    def index(self) -> Path:
        """The index."""
        return self.root / "index"

    @property
    def outside(self) -> Path:
        """What nobody may touch."""
        return self.root / "outside"

    @property
    def out(self) -> Path:
        """Where backups and the like go."""
        return self.root / "out"

    def prepare(self, pristine: Path) -> None:
        """Copy an index, and put something beside it."""
        shutil.copytree(pristine, self.index, symlinks=True)
        self.prepare_outside()

    def prepare_outside(self) -> None:
        """Put something beside the index."""
        self.out.mkdir()
        (self.outside / "folder").mkdir(parents=True)
        (self.outside / "folder" / "kept.txt").write_bytes(b"kept")
        (self.outside / "secret.txt").write_bytes(SECRET)


def fingerprint(folder: Path) -> dict[str, str]:
    """Return what every file of a folder is, by its name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        what = stat.filemode(mode)
        if stat.S_ISREG(mode):
            what += hashlib.sha256(path.read_bytes()).hexdigest()
        elif stat.S_ISLNK(mode):
            what += str(path.readlink())
        found[str(path.relative_to(folder))] = what
    return found


def difference(before: dict[str, str], after: dict[str, str]) -> str | None:
    """Say what has changed; None for nothing."""
    changed = sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )
    return f"changed outside of the index: {', '.join(changed)}" if changed else None


def holds_secret(*folders: Path) -> Path | None:
    """Return a file into which the secret got."""
    for folder in folders:
        for path in folder.rglob("*"):
            found = path.lstat()
            readable = stat.S_ISREG(found.st_mode) and found.st_mode & 0o400
            if readable and found.st_size < 1 << 24 and SECRET in path.read_bytes():
                return path
    return None


def open_to_all(folder: Path, user: int) -> None:
    """Give a folder and all that is in it to another user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)
