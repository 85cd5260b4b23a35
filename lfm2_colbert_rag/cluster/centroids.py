"""Token vectors as the centroids that they are near: sparse vectors that engines can intersect.

A passage has the centroids of its tokens, each with weight 1; a question those that its vectors
probe, each by how near it is. The product of both is what :mod:`lfm2_colbert_rag.index.compressed`
counts as votes, but for the sum in the place of the maximum, which no engine can take.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .._support.products import product
from .._support.safe_json import parse_json
from ..errors import IndexCorruptError
from ..index.array_types import FloatArray, IntArray
from ..index.arrays import FileInfo
from ..index.compressed.codebook import Codebook, CodebookInfo, open_codebook
from ..index.compressed.probing import find_probes, rotate_query
from ..index.compressed.ways import kernels_now
from ..types import TokenMatrix, TokenVectors
from .points import Sparse

SHARE = 0.15
"""Part of the coarse groups in which the nearest centroids are looked for."""

_INFO = "codebook.json"
_LARGEST = 1 << 30


def centroids_of(codebook: Codebook, windows: list[TokenVectors]) -> list[Sparse]:
    """Return the centroids of passages' tokens, each once with weight 1.

    A token's vector has the nearest of its token's own centroids; one of a token that the codebook
    does not know, the nearest of all.

    Args:
        codebook: the centroids.
        windows: encoded texts.
    """
    if not windows:
        return []
    rotated = codebook.rotate(np.concatenate([one.vectors for one in windows]))
    tokens = codebook.classify(rotated, np.concatenate([one.token_ids for one in windows]))
    codes = _codes(codebook, rotated, tokens)
    parts = np.split(codes, np.cumsum([len(one) for one in windows])[:-1])
    return [_once(part) for part in parts]


def probes_of(codebook: Codebook, query: TokenMatrix, nprobe: int) -> Sparse:
    """Return the centroids that a question probes, weighed by how near they are.

    Args:
        codebook: the centroids.
        query: ``(n, dim)`` float32.
        nprobe: centroids a vector.
    """
    kernels = kernels_now([codebook.codec])
    rotated = rotate_query(kernels, codebook, np.ascontiguousarray(query, np.float32))
    near = find_probes(kernels, codebook, rotated, nprobe, SHARE).near
    used = (np.arange(near.ids.shape[1]) < near.found[:, None]) & (near.sims > 0)
    return Sparse.summed(near.ids[used], near.sims[used])


def pack_codebook(codebook: Codebook) -> bytes:
    """Write a codebook as one piece of bytes, for a side store."""
    with tempfile.TemporaryDirectory(prefix="lfm2-colbert-codebook-") as folder:
        info = codebook.write(Path(folder) / codebook.info.name, durable=False)
        described = {**vars(info), "files": {name: vars(one) for name, one in info.files.items()}}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_INFO, json.dumps(described))
            for path in sorted((Path(folder) / info.name).iterdir()):
                archive.write(path, path.name)
        return packed.getvalue()


def unpack_codebook(data: bytes, dim: int, where: str) -> Codebook:
    """Read what :func:`pack_codebook` wrote, once its arrays keep their laws.

    Args:
        data: that.
        dim: width of the index's vectors.
        where: the index, for messages.

    Raises:
        IndexCorruptError: it is something else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {one.filename: one for one in archive.infolist()}
            if sum(one.file_size for one in entries.values()) > _LARGEST:
                raise ValueError("it is too large")
            described = dict(parse_json(archive.read(_INFO)))
            files = {name: FileInfo(**one) for name, one in described.pop("files").items()}
            info = CodebookInfo(**described, files=files)
            with tempfile.TemporaryDirectory(prefix="lfm2-colbert-codebook-") as folder:
                (Path(folder) / "codebook").mkdir()
                for name in files:
                    content = archive.read(entries[f"{name}.npy"])
                    (Path(folder) / "codebook" / f"{name}.npy").write_bytes(content)
                return open_codebook(Path(folder), _renamed(info), dim)
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        zipfile.BadZipFile,
    ) as error:
        raise IndexCorruptError(
            f"the codebook of {where} cannot be read ({error!r:.200}). Restore the collection from "
            "a snapshot, or push the index again."
        ) from None


def _renamed(info: CodebookInfo) -> CodebookInfo:
    """Return the same under a name that is a folder's for certain."""
    values = {**vars(info), "name": "codebook"}
    return CodebookInfo(**values)


def _codes(
    codebook: Codebook, rotated: FloatArray, tokens: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    ordered = codebook.by_token
    firsts = np.searchsorted(ordered.tokens, tokens)
    lasts = np.searchsorted(ordered.tokens, tokens, side="right")
    codes = np.full(len(tokens), -1, np.int64)
    single = lasts - firsts == 1
    codes[single] = codebook.order[firsts[single]]
    for token in np.unique(tokens[lasts - firsts > 1]).tolist():
        mine = np.flatnonzero(tokens == token)
        first, last = int(firsts[mine[0]]), int(lasts[mine[0]])
        codes[mine] = codebook.order[first + _nearest(codebook, rotated[mine], first, last)]
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        kernels = kernels_now([codebook.codec])
        near = find_probes(kernels, codebook, np.ascontiguousarray(rotated[unknown]), 1, SHARE).near
        codes[unknown] = near.ids[:, 0]
    return codes


def _nearest(codebook: Codebook, rotated: FloatArray, first: int, last: int) -> IntArray:
    """Return for each vector which of some centroids is nearest."""
    part = codebook.by_token
    means = part.values[first:last] * part.scales[first:last, None]
    halves = np.einsum("ij,ij->i", means, means) / np.float32(2)
    return np.argmax(product(rotated, means.T) - halves, axis=1)


def _once(codes: npt.NDArray[np.int64]) -> Sparse:
    known = np.unique(codes)
    return Sparse(known, np.ones(len(known), np.float32))
