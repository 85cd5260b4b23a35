"""Plain arrays: one a passage under its id, or all end to end with their lengths beside them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from ..._support.regular import open_regular
from ...errors import InputError
from .array_headers import read_member
from .dump import Dump, load_array, load_json, readable, to_offsets
from .given_vectors import GivenVectors

SUFFIXES = (".npz", ".safetensors", ".npy")
_MEMBER = ".npy"
_VECTORS = ("vectors", "embeddings")
_LENGTHS = ("token_counts", "lengths", "doclens")
_NUMBERED = re.compile(r"doclens\.(\d+)\.json")


def open_by_id(path: Path) -> Dump:
    """Open an ``.npz`` or ``.safetensors`` file of one ``(n, dim)`` matrix a passage.

    Raises:
        InputError: it cannot be read, or holds no matrix.
    """
    read = _npz if path.suffix.lower() == ".npz" else _safetensors
    with readable(path):
        ids = _npz_ids(path) if read is _npz else _safetensors_ids(path)
        if not ids:
            raise InputError(f"{path} holds no arrays; each passage has one under its id.")
        if len(set(ids)) < len(ids):
            raise InputError(f"{path} holds two arrays under one id; write it again.")
        first = np.asarray(next(read(path, ids)))
    if first.ndim != 2:
        raise InputError(
            f"{path}: the array {ids[0]!r} has shape {first.shape}; each must be a matrix with a "
            "row a vector."
        )
    kind = "arrays by id"
    return Dump(path, kind, len(ids), first.shape[1], lambda: read(path, ids), ids)


def find_flat(path: Path) -> Path | None:
    """Return the file of all vectors: the path itself, or one of the usual names in a folder."""
    if path.is_file():
        return path if path.suffix.lower() == ".npy" else None
    return next((p for name in _VECTORS if (p := path / f"{name}.npy").is_file()), None)


def open_flat(path: Path) -> Dump:
    """Open an ``.npy`` file of all vectors, and the lengths beside it.

    Raises:
        InputError: a file is missing or truncated, or the lengths do not add up.
    """
    vectors = load_array(path, "f", (None, None))
    lengths, where = _load_lengths(path)
    offsets = to_offsets(lengths, where)
    if offsets[-1] != len(vectors):
        raise InputError(
            f"{where} counts {offsets[-1]:,} vectors, but {path} holds {len(vectors):,}. Dump both "
            "again."
        )
    return Dump(path, "flat", len(offsets) - 1, vectors.shape[1], lambda: _slices(vectors, offsets))


def load_doclens(folder: Path) -> tuple[list[int], Path] | None:
    """Read ``doclens.0.json`` and all after it, in the order of their numbers; None without any."""
    numbered = {
        int(found[1]): file
        for file in folder.iterdir()
        if (found := _NUMBERED.fullmatch(file.name)) is not None
    }
    if not numbered:
        return None
    if sorted(numbered) != list(range(len(numbered))):
        raise InputError(f"{folder} holds doclens {sorted(numbered)}; one in between is missing.")
    lengths: list[int] = []
    for number in range(len(numbered)):
        lengths += _list_of(load_json(numbered[number]), numbered[number])
    return lengths, folder / "doclens.*.json"


def _load_lengths(path: Path) -> tuple[npt.ArrayLike, Path]:
    for name in _LENGTHS:
        file = path.with_name(f"{name}.npy")
        if file.is_file():
            return load_array(file, "iu", (None,)), file
        file = file.with_suffix(".json")
        if file.is_file():
            return _list_of(load_json(file), file), file
    numbered = load_doclens(path.parent)
    if numbered is None:
        raise InputError(
            f"beside {path} there must be how many vectors each passage has: "
            f"{', '.join(f'{name}.npy' for name in _LENGTHS)}, or doclens.0.json and so on."
        )
    return numbered


def _list_of(value: Any, path: Path) -> list[int]:
    if not isinstance(value, list):
        raise InputError(f"{path} must hold a list of numbers, not {type(value).__name__}.")
    return value


def _slices(
    vectors: npt.NDArray[Any], offsets: npt.NDArray[np.int64]
) -> Iterator[npt.NDArray[Any]]:
    for start, end in pairwise(offsets.tolist()):
        yield vectors[start:end]


def _npz_ids(path: Path) -> list[str]:
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        return [name.removesuffix(_MEMBER) for name in archive.namelist()]


def _npz(path: Path, ids: list[str]) -> Iterator[GivenVectors]:
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        names = {name.removesuffix(_MEMBER): name for name in archive.namelist()}
        for id in ids:
            yield read_member(archive, archive.getinfo(names[id]))


def _safetensors_ids(path: Path) -> list[str]:
    open_regular(path).close()  # safetensors would wait for a FIFO
    with safe_open(path, framework="numpy") as tensors:
        return list(tensors.keys())


def _safetensors(path: Path, ids: list[str]) -> Iterator[GivenVectors]:
    with safe_open(path, framework="numpy") as tensors:
        for id in ids:
            yield tensors.get_tensor(id)
