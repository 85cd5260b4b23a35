"""Ways to damage a file or a folder of an index."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HEADER = 128  # bytes of an .npy file's header, as good as always


@dataclass(frozen=True)
class Scene:
    """What a damage may use.

    Attributes:
        chance: decides where.
        twin: the same file of another index of the kind.
        sibling: the same file of another segment; the file itself where there is none.
        outside: a folder beside the index.
    """

    chance: random.Random
    twin: Path
    sibling: Path
    outside: Path


Way = Callable[[Path, Scene], None]


def _flip(path: Path, scene: Scene, start: int = 0, end: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    end = len(content) if end is None else min(end, len(content))
    if start < end:
        content[scene.chance.randrange(start, end)] ^= 1 << scene.chance.randrange(8)
        path.write_bytes(content)


def _overwrite(path: Path, scene: Scene, make: Callable[[int], bytes]) -> None:
    content = bytearray(path.read_bytes())
    if content:
        length = min(len(content), scene.chance.choice((4, 16, 64, 512)))
        start = scene.chance.randrange(len(content) - length + 1)
        content[start : start + length] = make(length)
        path.write_bytes(content)


def _truncate(path: Path, scene: Scene) -> None:
    size = path.stat().st_size
    os.truncate(path, scene.chance.randrange(size) if size else 0)


def _grow(path: Path, scene: Scene) -> None:
    with path.open("ab") as file:
        file.write(scene.chance.randbytes(scene.chance.choice((1, 8, 500, 5000))))


def _remove(path: Path, scene: Scene | None = None) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy(source: Path, path: Path) -> None:
    if source.resolve() == path.resolve() or not source.exists():
        return
    _remove(path)
    shutil.copytree(source, path) if source.is_dir() else shutil.copyfile(source, path)


def _exchange(path: Path, scene: Scene) -> None:
    """Swap with another segment's."""
    if scene.sibling == path or not scene.sibling.exists():
        return
    aside = path.with_name("aside")
    path.rename(aside)
    scene.sibling.rename(path)
    aside.rename(scene.sibling)


def _link_same(path: Path, scene: Scene) -> None:
    aside = scene.outside / path.name
    if path.exists():
        shutil.move(path, aside)
    else:
        aside.write_bytes(b"")
    path.symlink_to(aside)


def _link(path: Path, target: str | Path) -> None:
    _remove(path)
    path.symlink_to(target)


def _fifo(path: Path, scene: Scene) -> None:
    _remove(path)
    os.mkfifo(path)


def _folder(path: Path, scene: Scene) -> None:
    _remove(path)
    path.mkdir()
    (path / "something").write_bytes(b"something")


def _file(path: Path, scene: Scene) -> None:
    _remove(path)
    path.write_bytes(scene.chance.randbytes(2000))


def _unreadable(path: Path, scene: Scene) -> None:
    if not path.exists():
        path.touch()
    path.chmod(0)


ANYTHING: dict[str, Way] = {
    "remove": _remove,
    "twin": lambda path, scene: _copy(scene.twin, path),
    "link-same": _link_same,
    "link-dangling": lambda path, scene: _link(path, scene.outside / "absent"),
    "link-self": lambda path, scene: _link(path, path.name),
    "link-secret": lambda path, scene: _link(path, scene.outside / "secret.txt"),
    "fifo": _fifo,
    "unreadable": _unreadable,
}
CONTENT: dict[str, Way] = {
    "flip": _flip,
    "flip-header": lambda path, scene: _flip(path, scene, 0, HEADER),
    "flip-data": lambda path, scene: _flip(path, scene, HEADER),
    "run-zeros": lambda path, scene: _overwrite(path, scene, bytes),
    "run-ones": lambda path, scene: _overwrite(path, scene, lambda n: b"\xff" * n),
    "run-random": lambda path, scene: _overwrite(path, scene, scene.chance.randbytes),
    "truncate": _truncate,
    "grow": _grow,
    "empty": lambda path, scene: path.write_bytes(b""),
    "folder": _folder,
    "link-zero": lambda path, scene: _link(path, "/dev/zero"),
}
SIBLING: dict[str, Way] = {"sibling": _exchange}
FOLDER: dict[str, Way] = {
    "file": _file,
    "link-folder": lambda path, scene: _link(path, scene.outside / "folder"),
}
PLANTED: dict[str, Way] = {
    "file": _file,
    "empty": lambda path, scene: path.write_bytes(b""),
    "folder": _folder,
    "link-zero": lambda path, scene: _link(path, "/dev/zero"),
    **{name: ANYTHING[name] for name in ("link-dangling", "link-self", "link-secret", "fifo")},
}


def _fill(value: float | str) -> Way:
    """Return a way to put a value into an array: at one place, or everywhere."""

    def fill(path: Path, scene: Scene) -> None:
        change_values(path, value, scene.chance)

    return fill


def change_values(path: Path, value: float | str, chance: random.Random) -> None:
    """Put a value into an array, its header intact."""
    array = np.load(path)
    if not array.size:
        return
    flat = array.reshape(-1)
    if value == "shuffled":
        order = np.random.default_rng(chance.randrange(1 << 30)).permutation(len(flat))
        flat[:] = flat[order]
    else:
        part = slice(None) if chance.random() < 0.4 else chance.randrange(len(flat))
        flat[part] = _value(value, array.dtype)
    np.save(path, array)


def _value(value: float | str, dtype: np.dtype) -> float:
    if isinstance(value, str):
        limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
        return limits.max if value == "largest" else limits.min
    if dtype.kind == "f":
        return value
    limits = np.iinfo(dtype)
    if value == -1:
        return -1 if limits.min else limits.max
    return 0 if value == 0 else limits.max // 2  # there is no NaN and no infinity


ARRAY: dict[str, Way] = {
    "nan": _fill(float("nan")),
    "inf": _fill(float("inf")),
    "minus-one": _fill(-1),
    "largest": _fill("largest"),
    "smallest": _fill("smallest"),
    "zeros": _fill(0),
    "shuffled": _fill("shuffled"),
}
