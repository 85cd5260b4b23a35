"""The residual codec: how a vector becomes a centroid, a step and a few bits a dimension.

A vector v is kept as the centroid c nearest to it among those of its token, and the residual
v - c in ``nbits`` a dimension: every coordinate becomes the nearest of ``2**nbits`` levels around
zero. They lie about one *step* apart there and further apart where coordinates are rare
(:data:`BENDS`). Each vector has its own step, chosen from :data:`STEPS` so that the
error is least; a vector far from all centroids is therefore kept more coarsely, but never cut
off. What comes back is c plus the levels times the step, scaled to the length that the vector had;
or as it is, where the codebook says that vectors have the lengths they have.

Coordinates are packed in planes: byte j holds the coordinates j, j + width, j + 2 width and so
on, lowest bits first, so that unpacking is one shift and one mask for a whole plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...errors import ConfigError
from ..jit import CHUNK
from .structs import Shape

# Five bits name a step: 0, then quarters of an octave up to 1, which reaches any residual of two
# unit vectors. The error of rounding hardly grows within 10 % of the best step.
STEPS: npt.NDArray[np.float32] = np.concatenate(([0.0], 2.0 ** (np.arange(-30, 1) / 4))).astype(
    np.float32
)
STEPS.setflags(write=False)
# Level x, one of -15, -13 .. 15 of 4 bits, stands for x (1 + x**2 / bend) / 2 steps. These bends
# bring the levels near those of least error for a normal distribution (Max, "Quantizing for minimum
# distortion", 1960): with 4 bits .0098 of its variance is lost, and .0117 with even levels.
BENDS = {4: 400, 2: 70}
# A byte names a length: fine below 1, where those of unit vectors and of their means lie, and 4 %
# apart above.
LENGTHS: npt.NDArray[np.float32] = np.concatenate(
    (np.arange(201) / 200, 1.04 ** np.arange(1, 56))
).astype(np.float32)
LENGTHS.setflags(write=False)
# A code and the number of its step share three bytes.
CODE_BYTES, CODE_BITS = 3, 19
MAX_CENTROIDS = 1 << CODE_BITS


@dataclass(frozen=True)
class Codec:
    """How many bits a coordinate gets, and how they are laid out.

    Args:
        dim: width of the vectors.
        nbits: 2 or 4.

    Raises:
        ConfigError: another number of bits.

    Example:
        >>> Codec(dim=128, nbits=4).width
        64
    """

    dim: int
    nbits: int

    def __post_init__(self) -> None:
        if self.nbits not in (2, 4):
            raise ConfigError(f"nbits must be 2 or 4, not {self.nbits!r}.")

    @property
    def levels(self) -> int:
        """Values that a coordinate can take."""
        return 1 << self.nbits

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """``(levels,)`` what each level stands for, in steps."""
        odd = np.arange(1 - self.levels, self.levels, 2, dtype=np.float32)
        values: npt.NDArray[np.float32] = (odd * (1 + odd**2 / BENDS[self.nbits]) / 2).astype(
            np.float32
        )
        return values

    @property
    def planes(self) -> int:
        """Coordinates in a byte."""
        return 8 // self.nbits

    @property
    def width(self) -> int:
        """Bytes of a packed residual."""
        return -(-self.dim // self.planes)

    @property
    def padded(self) -> int:
        """Width of a vector once zeros fill the last byte."""
        return self.width * self.planes

    @cached_property
    def shape(self) -> Shape:
        """How kernels are told of it."""
        chunks = -(-self.padded // CHUNK)
        return Shape((None,) * self.width, (None,) * self.planes, (None,) * chunks)

    def pad(self, vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Return ``(n, padded)`` float32 vectors, C-contiguous."""
        if self.padded == self.dim:
            return np.ascontiguousarray(vectors, dtype=np.float32)
        wide = np.zeros((len(vectors), self.padded), dtype=np.float32)
        wide[:, : self.dim] = vectors
        return wide

    def pack(self, levels: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Pack ``(n, padded)`` levels, counted from 0, into ``(n, width)`` bytes."""
        planes = levels.reshape(len(levels), self.planes, self.width).astype(np.uint8)
        packed = np.zeros((len(levels), self.width), dtype=np.uint8)
        for plane in range(self.planes):
            packed |= planes[:, plane] << (plane * self.nbits)
        return packed

    def unpack(self, packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the ``(n, padded)`` levels of :meth:`pack`."""
        mask = (1 << self.nbits) - 1
        return np.concatenate(
            [(packed >> (plane * self.nbits)) & mask for plane in range(self.planes)], axis=1
        )


def unpack_codes(
    packed: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split ``(n, 3)`` bytes, lowest first, into centroid numbers and numbers of steps."""
    joint = _joint(packed).astype(np.int64)
    return joint & (MAX_CENTROIDS - 1), joint >> CODE_BITS


def unpack_centroids(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return the first of what :func:`unpack_codes` gives, in half the room."""
    joint = _joint(packed)
    joint &= np.uint32(MAX_CENTROIDS - 1)
    return joint


def _joint(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    wide = np.zeros((len(packed), 4), dtype=np.uint8)
    wide[:, :CODE_BYTES] = packed
    return wide.view("<u4").reshape(-1)


def pack_codes(
    codes: npt.NDArray[np.integer], steps: npt.NDArray[np.integer]
) -> npt.NDArray[np.uint8]:
    """Join what :func:`unpack_codes` splits."""
    joint = codes.astype("<u4") | (steps.astype("<u4") << np.uint32(CODE_BITS))
    return np.ascontiguousarray(joint.view(np.uint8).reshape(-1, 4)[:, :CODE_BYTES])


def unit_vectors(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Scale ``(n, dim)`` vectors to unit length, as float32; lengths are kept apart."""
    wide = vectors.astype(np.float32)
    wide /= np.maximum(np.sqrt(np.einsum("ij,ij->i", wide, wide)), 1e-12)[:, None]
    return wide


def name_lengths(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return the number in :data:`LENGTHS` of what is nearest to each vector's length."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    between = (LENGTHS[1:] + LENGTHS[:-1]) / 2
    return np.searchsorted(between, lengths).astype(np.uint8)
