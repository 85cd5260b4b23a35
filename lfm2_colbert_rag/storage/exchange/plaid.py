"""Indexes of fast-plaid, decoded: each vector is a centroid and a residual of a few bits a number.

================================== ===========================================================
file                               content
================================== ===========================================================
metadata.json                      ``nbits``, ``num_chunks``
centroids.npy                      ``(centroids, dim)``
bucket_weights.npy                 ``(2 ** nbits,)`` what each value of a residual stands for
doclens.N.json                     vectors of each passage of chunk N
N.codes.npy, merged_codes.npy      centroid of each vector
N.residuals.npy, merged_...        ``(tokens, dim * nbits / 8)`` uint8; values in order, the lowest
                                   bit of each first
merged_codes.manifest.json, ...    which chunks the merged file holds, with how many rows
================================== ===========================================================

A chunk's own files count before what is merged; fast-plaid folds them in when it next opens the
index. The merged files may end in padding. PyLate keeps its ids in a pickle, which is not read:
the passages are in the order in which they were added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InputError
from ...types import TokenMatrix
from .array_files import load_doclens
from .dump import Dump, load_array, load_json, readable, to_offsets

_INSIDE_PYLATE = "fast_plaid_index"
_BITS = (1, 2, 4, 8)


def find_plaid(path: Path) -> Path | None:
    """Return the folder of a fast-plaid index: the path, or the one within a folder of PyLate."""
    folders = (path, path / _INSIDE_PYLATE)
    return next((folder for folder in folders if (folder / "centroids.npy").is_file()), None)


def open_plaid(path: Path) -> Dump:
    """Open a fast-plaid index.

    Raises:
        InputError: a file is missing or truncated, or says something else than the others.
    """
    codec = _Codec.load(path)
    with readable(path / "metadata.json"):
        chunks = int(load_json(path / "metadata.json")["num_chunks"])
    lengths, where = load_doclens(path) or ([], path / "doclens.0.json")
    per_chunk = [
        int(to_offsets(load_json(path / f"doclens.{number}.json"), where)[-1])
        for number in range(chunks)
    ]
    offsets = to_offsets(lengths, where)
    if offsets[-1] != sum(per_chunk):
        raise InputError(f"{path} has more files {where.name} than its {chunks} chunks.")
    codes = _load_chunks(path, "codes", per_chunk, "iu", (None,))
    residuals = _load_chunks(path, "residuals", per_chunk, "u", (None, codec.bytes))
    return Dump(
        path,
        "a fast-plaid index",
        len(lengths),
        codec.dim,
        lambda: _read(codec, codes, residuals, lengths, per_chunk),
    )


@dataclass(frozen=True)
class _Codec:
    """How a vector is made of a code and a residual.

    Attributes:
        path: the folder, for messages.
        centroids: ``(centroids, dim)`` float32.
        table: ``(256, numbers a byte)`` float32, what each byte of a residual stands for.
    """

    path: Path
    centroids: TokenMatrix
    table: npt.NDArray[np.float32]

    @property
    def dim(self) -> int:
        return self.centroids.shape[1]

    @property
    def bytes(self) -> int:
        return self.dim // self.table.shape[1]

    @classmethod
    def load(cls, path: Path) -> _Codec:
        """Read the codec of an index folder; an InputError names the file that is wrong."""
        with readable(path / "metadata.json"):
            nbits = load_json(path / "metadata.json")["nbits"]
        centroids = load_array(path / "centroids.npy", "f", (None, None))
        if type(nbits) is not int or nbits not in _BITS or centroids.shape[1] * nbits % 8:
            raise InputError(
                f"{path} keeps residuals of {nbits!r} bits at {centroids.shape[1]} dimensions, "
                f"which fill no whole bytes; known are {', '.join(map(str, _BITS))} bits."
            )
        weights = load_array(path / "bucket_weights.npy", "f", (2**nbits,))
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused then
            return cls(path, centroids.astype(np.float32), _byte_table(weights, nbits))

    def decode(self, codes: npt.NDArray[Any], residuals: npt.NDArray[np.uint8]) -> TokenMatrix:
        """Return ``(n, dim)`` unit vectors."""
        if len(codes) and not 0 <= codes.min() <= codes.max() < len(self.centroids):
            raise InputError(
                f"{self.path} refers to centroid {codes.max()} (or {codes.min()}), but has "
                f"{len(self.centroids):,}. Its files do not belong together."
            )
        with np.errstate(over="ignore", invalid="ignore"):  # refused by whoever takes them
            vectors = self.centroids[codes] + self.table[residuals].reshape(len(codes), self.dim)
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)


def _byte_table(weights: npt.NDArray[Any], nbits: int) -> npt.NDArray[np.float32]:
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    values = bits.reshape(256, 8 // nbits, nbits) @ (1 << np.arange(nbits))
    return weights.astype(np.float32)[values]


def _load_chunks(
    path: Path, what: str, per_chunk: Sequence[int], kinds: str, shape: tuple[int | None, ...]
) -> list[npt.NDArray[Any]]:
    """Map the rows of each chunk, from its own file or from the merged one."""
    merged_file = path / f"merged_{what}.npy"
    merged = load_array(merged_file, kinds, shape) if merged_file.is_file() else None
    manifest_file = path / f"merged_{what}.manifest.json"
    manifest = load_json(manifest_file) if manifest_file.is_file() else {}
    chunks: list[npt.NDArray[Any]] = []
    start = 0
    for number, rows in enumerate(per_chunk):
        own = path / f"{number}.{what}.npy"
        with readable(manifest_file):
            held = int(manifest.get(own.name, {"rows": rows})["rows"])
        if own.is_file():
            chunks.append(load_array(own, kinds, shape))
        elif merged is None:
            raise InputError(
                f"{own} is missing, and so is {merged_file.name}; copy the index anew."
            )
        else:
            chunks.append(merged[start : start + held])
        start += held
        if len(chunks[-1]) != rows:
            raise InputError(
                f"{path} has {len(chunks[-1]):,} {what} in chunk {number}, but its doclens count "
                f"{rows:,}. It is truncated; copy the index anew."
            )
    return chunks


def _read(
    codec: _Codec,
    codes: Sequence[npt.NDArray[Any]],
    residuals: Sequence[npt.NDArray[Any]],
    lengths: Sequence[int],
    per_chunk: Sequence[int],
) -> Iterator[TokenMatrix]:
    chunk, start = 0, 0
    for length in lengths:
        while start == per_chunk[chunk] and length:
            chunk, start = chunk + 1, 0
        part = slice(start, start + length)
        yield codec.decode(np.array(codes[chunk][part]), np.array(residuals[chunk][part]))
        start += length
