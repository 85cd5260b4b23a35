"""The codebook: centroids of token vectors, each of one vocabulary id, and how to find near ones.

Centroids are kept in whole numbers with a scale each, and residuals are taken to what these can
say: in 8 bits a coordinate beside residuals of 4, which loses nothing, and in 4 beside residuals of
2, where room counts and the loss is small against theirs. They lie in the order of coarse groups: a
query vector is compared with the groups, and then with the centroids of the nearest groups only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._support.disk import sync_folder
from ..._support.products import product
from ..array_types import FloatArray, IntArray
from ..arrays import (
    FileInfo,
    describe_arrays,
    narrow,
    open_arrays,
    write_arrays,
)
from ..described import array_names, one_of, share, whole, wrong
from ..jit import CHUNK
from ..laws import Laws
from .codec import LENGTHS, MAX_CENTROIDS, STEPS, Codec, unit_vectors
from .structs import Choices, CoarseGroups, Grouped, Source, Store

# Vectors of which no vocabulary id is known are told apart by the pivot that they are nearest to.
UNKNOWN_TOKEN = -1
# Coordinates of centroids are whole numbers of at most this size, by the bits of the residuals.
LARGEST = {4: 127, 2: 7}
# Beside what rounding adds: coordinates of unit vectors, the scale of a centroid, and how far a
# rotation's rows are from unit vectors at right angles.
_UNIT, _LARGEST_SCALE, _ROUNDING = 1.01, 6e4, 1e-3
_FILES = ("bounds", "centroids", "groups", "pivots", "rotation", "scales", "tokens")


@dataclass(frozen=True)
class CodebookInfo:
    """What the catalog remembers of a codebook.

    Attributes:
        name: folder name under ``codebooks/``.
        nbits: bits a dimension of the residuals.
        centroids: their number.
        vectors: how many vectors it was made for.
        mse: mean squared length of their residuals.
        keeps_norms: whether vectors are kept with the lengths they have, none above 1, rather than
            as directions with lengths aside. Means of unit vectors are, as pooling makes them.
        files: size and checksum of each array's file, by array name; empty before it is written.

    Raises:
        IndexCorruptError: a value that cannot be.
    """

    name: str
    nbits: int
    centroids: int
    vectors: int
    mse: float
    keeps_norms: bool = False
    files: Mapping[str, FileInfo] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_of("the bits of a codebook", self.nbits, LARGEST)
        whole("the centroids of a codebook", self.centroids, most=1 << 24)
        whole("the vectors of a codebook", self.vectors)
        share("the residuals of a codebook", self.mse)
        if type(self.keeps_norms) is not bool:
            raise wrong("the lengths that a codebook keeps", self.keeps_norms)
        if self.files:
            array_names(self.files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


@dataclass(frozen=True, eq=False)
class Centroids:
    """Centroids that a vector can be given, side by side for each token.

    Attributes:
        values: ``(n, padded)`` int8.
        scales: ``(n,)`` float32 that float16 can hold; a centroid is its values times its scale.
        tokens: ``(n,)`` int32 vocabulary ids.
    """

    values: npt.NDArray[np.int8]
    scales: FloatArray
    tokens: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of centroids."""
        return len(self.values)

    @classmethod
    def rounded(cls, means: FloatArray, tokens: npt.NDArray[np.int32], nbits: int) -> Centroids:
        """Round means to whole numbers, each with a scale of its own."""
        largest = LARGEST[nbits]
        scales = np.abs(means).max(axis=1, initial=0) / largest
        scales = np.minimum(scales, 6e4).astype(np.float16).astype(np.float32)
        scales[scales == 0] = 1
        values = np.clip(np.rint(means / scales[:, None]), -largest, largest)
        return cls(values.astype(np.int8), scales, tokens)

    @classmethod
    def read(cls, arrays: Mapping[str, npt.NDArray[Any]], prefix: str = "") -> Centroids:
        """Take from arrays what :meth:`arrays` gave."""
        values = np.array(arrays[f"{prefix}centroids"])
        if values.dtype == np.uint8:
            values = Codec(2 * values.shape[1], 4).unpack(values).astype(np.int8) - np.int8(8)
        return cls(
            values,
            arrays[f"{prefix}scales"].astype(np.float32),
            arrays[f"{prefix}tokens"].astype(np.int32),
        )

    def arrays(self, nbits: int, prefix: str = "") -> dict[str, npt.NDArray[Any]]:
        """Return what is written to files: two coordinates a byte where they fit."""
        values: npt.NDArray[Any] = self.values
        if LARGEST[nbits] < 8:
            values = Codec(values.shape[1], 4).pack(values + 8)
        return {
            f"{prefix}centroids": values,
            f"{prefix}scales": self.scales.astype(np.float16),
            f"{prefix}tokens": narrow(self.tokens),
        }

    @classmethod
    def joined(cls, parts: list[Centroids]) -> Centroids:
        """Put centroids one after the other."""
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.scales for part in parts]),
            np.concatenate([part.tokens for part in parts]),
        )

    def take(self, numbers: npt.NDArray[np.integer]) -> Centroids:
        """Return those of some numbers."""
        return Centroids(self.values[numbers], self.scales[numbers], self.tokens[numbers])

    @cached_property
    def means(self) -> FloatArray:
        """``(n, padded)`` float32, the centroids themselves; for few of them."""
        return self.values * self.scales[:, None]

    @cached_property
    def wide(self) -> npt.NDArray[np.int8]:
        """The values with zeros up to a multiple of CHUNK columns, as kernels want them."""
        missing = -self.values.shape[1] % CHUNK
        return np.pad(self.values, ((0, 0), (0, missing))) if missing else self.values

    def choices(self, codes: IntArray) -> Choices:
        """Return what kernels choose among, given the codes of the centroids."""
        return Choices(self.values, self.scales, self.halves, codes)

    @cached_property
    def halves(self) -> FloatArray:
        """``(n,)`` half the squared length of each."""
        lengths: FloatArray = np.einsum("ij,ij->i", self.values, self.values, dtype=np.float32)
        return lengths * self.scales * self.scales / np.float32(2)


@dataclass(frozen=True, eq=False)
class Codebook:
    """Centroids of token vectors; immutable, shared by all segments that name it.

    Attributes:
        info: what the catalog remembers of it.
        codec: how residuals are packed.
        rotation: ``(padded, padded)`` orthogonal; all vectors are rotated by it, so that residuals
            have like spread in every coordinate.
        centroids: in the order of their coarse groups; a code is the number of one.
        groups: the coarse groups.
        pivots: ``(pivots, padded)`` for vectors of unknown token; may be empty.
    """

    info: CodebookInfo
    codec: Codec
    rotation: FloatArray
    centroids: Centroids
    groups: CoarseGroups
    pivots: FloatArray

    def __len__(self) -> int:
        """Return the number of centroids."""
        return len(self.centroids)

    def prepare(self, vectors: npt.NDArray[np.floating]) -> FloatArray:
        """Pad vectors and scale them to unit length, unless lengths are kept; as float32."""
        return self.codec.pad(vectors if self.info.keeps_norms else unit_vectors(vectors))

    def rotate(self, vectors: npt.NDArray[np.floating]) -> FloatArray:
        """Prepare ``(n, dim)`` vectors and rotate them, giving ``(n, padded)``."""
        return product(self.prepare(vectors), self.rotation)

    def unrotate(self, rotated: FloatArray) -> FloatArray:
        """Undo the rotation and the padding, giving ``(n, dim)``."""
        return np.ascontiguousarray(product(rotated, self.rotation.T)[:, : self.codec.dim])

    def source(self, store: Store, extra: Centroids) -> Source:
        """Return what kernels need to decode vectors.

        Args:
            store: the vectors.
            extra: centroids whose codes follow those of the codebook.
        """
        lengths = LENGTHS[:0] if self.info.keeps_norms else LENGTHS
        own = self.centroids
        return Source(
            *store, own.wide, own.scales, extra.wide, extra.scales, STEPS, lengths,
            *self.codec.shape,
        )  # fmt: skip

    @cached_property
    def grouped(self) -> Grouped:
        """What kernels need to find centroids."""
        own = self.centroids
        return Grouped(*self.groups, own.wide, own.scales, self.codec.shape.chunks)

    def classify(self, rotated: FloatArray, tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Give vectors of unknown token the negative number of their nearest pivot."""
        unknown = np.flatnonzero(tokens < 0)
        if not len(unknown) or not len(self.pivots):
            return tokens
        tokens = tokens.copy()
        for start in range(0, len(unknown), 65_536):
            part = unknown[start : start + 65_536]
            tokens[part] = -1 - np.argmax(product(rotated[part], self.pivots.T), axis=1)
        return tokens

    @cached_property
    def transposed(self) -> FloatArray:
        """The rotation's columns as rows."""
        return np.ascontiguousarray(self.rotation.T)

    @cached_property
    def order(self) -> IntArray:
        """``(centroids,)`` codes, so that those of one token lie side by side."""
        return np.argsort(self.centroids.tokens, kind="stable")

    @cached_property
    def by_token(self) -> Centroids:
        """The centroids in that order."""
        return self.centroids.take(self.order)

    def lists(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of its files."""
        return {
            "rotation": self.rotation,
            **self.centroids.arrays(self.codec.nbits),
            "groups": self.groups.directions.astype(np.float16),
            "bounds": narrow(self.groups.bounds),
            "pivots": self.pivots,
        }

    def write(self, folder: Path, *, durable: bool) -> CodebookInfo:
        """Write its files into a new folder, and return what to record of it."""
        folder.mkdir(parents=True)
        write_arrays(folder, self.lists(), durable=durable)
        if durable:
            sync_folder(folder)
        known = self.info
        return CodebookInfo(
            known.name,
            known.nbits,
            known.centroids,
            known.vectors,
            known.mse,
            known.keeps_norms,
            describe_arrays(folder),
        )


def open_codebook(root: Path, info: CodebookInfo, dim: int) -> Codebook:
    """Read a codebook, once its arrays keep their laws.

    Raises:
        IndexCorruptError: a file is missing or altered, or an array cannot be so.
        StoredIndexError: the system refuses to open a file now.
    """
    folder = root / info.name
    laws = Laws(folder, open_arrays(folder, info.files))
    laws.named(_FILES)
    laws.require(info.nbits in LARGEST, f"it has {info.nbits!r} bits a coordinate.")
    laws.require(
        0 < info.centroids <= MAX_CENTROIDS,
        f"it has {info.centroids!r} centroids by the catalog.",
    )
    codec = Codec(dim, info.nbits)
    centroids = read_centroids(laws, codec)
    laws.require(
        len(centroids) == info.centroids,
        f"it holds {len(centroids)} centroids instead of {info.centroids}.",
    )
    groups = laws.floats("groups", np.float16, _UNIT, None, codec.padded)
    bounds = laws.bounds("bounds", info.centroids)
    laws.require(
        len(groups) and len(bounds) == len(groups) + 1,
        f"it has {len(groups)} groups, but bounds of {len(bounds) - 1}.",
    )
    return Codebook(
        info,
        codec,
        _rotation(laws, codec.padded),
        centroids,
        CoarseGroups(groups.astype(np.float32), bounds.astype(np.int64)),
        np.array(laws.floats("pivots", np.float32, _UNIT, None, codec.padded)),
    )


def read_centroids(laws: Laws, codec: Codec, prefix: str = "") -> Centroids:
    """Return the centroids of a codebook or a segment, once they keep their laws."""
    wide = LARGEST[codec.nbits] < 8  # two coordinates a byte
    kind, width = (np.uint8, codec.padded // 2) if wide else (np.int8, codec.padded)
    laws.take(f"{prefix}centroids", kind, None, width)
    scales = laws.floats(f"{prefix}scales", np.float16, _LARGEST_SCALE, None)
    laws.require((scales > 0).all(), f"its {prefix}scales are not all above 0.")
    least, most = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    laws.numbers(f"{prefix}tokens", least, most, len(scales))
    found = Centroids.read(laws.arrays, prefix)
    laws.require(
        len(found.values) == len(scales),
        f"it has {len(found.values)} {prefix}centroids, but {len(scales)} scales of them.",
    )
    largest = LARGEST[codec.nbits]
    laws.require(
        not found.values.size or (-largest <= found.values.min() and found.values.max() <= largest),
        f"its {prefix}centroids do not lie between {-largest} and {largest}.",
    )
    return found


def _rotation(laws: Laws, padded: int) -> FloatArray:
    rotation = np.array(laws.floats("rotation", np.float32, _UNIT, padded, padded))
    error = np.abs(rotation @ rotation.T - np.eye(padded, dtype=np.float32)).max(initial=0.0)
    laws.require(error <= _ROUNDING, "its rotation is not orthogonal.")
    return rotation
