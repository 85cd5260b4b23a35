"""What must hold of the arrays of a segment or a codebook before anything is done with them.

Kernels do not look where they read and write, so what they go by is compared here, whatever the
checksums say: those of an index from elsewhere are as its maker wanted them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import REMEDY, IndexCorruptError

# Far beyond every row, vector and character, and sums of a few of them still fit 64 bits.
MOST = 1 << 53
MOST_CHARACTERS = (1 << 31) - 1
WHOLE = "iu"
# Elements that are looked at together.
_BLOCK = 1 << 20
_Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Laws:
    """The arrays of one folder, handed out once they are what they must be.

    Attributes:
        folder: of the files, for messages.
        arrays: by name.

    Every method raises an IndexCorruptError that names the folder where its law does not hold.
    """

    folder: Path
    arrays: Mapping[str, _Array]

    def require(self, holds: object, otherwise: str) -> None:
        """Refuse to go on where something does not hold."""
        if not holds:
            raise IndexCorruptError(f"{self.folder}: {otherwise} {REMEDY}")

    def named(self, names: Collection[str]) -> None:
        """There are arrays of these names and no others."""
        missing = sorted(set(names) - set(self.arrays))
        unknown = sorted(set(self.arrays) - set(names))
        self.require(not missing, f"the catalog names no {', '.join(missing)} of it.")
        self.require(not unknown, f"the catalog names {', '.join(unknown)}, which it cannot have.")

    def take(self, name: str, dtype: npt.DTypeLike | str, *shape: int | None) -> _Array:
        """Return an array of a type and a shape.

        Args:
            name: its name.
            dtype: its type; :data:`WHOLE` for any whole numbers.
            shape: its lengths; None for any.
        """
        array = self.arrays[name]
        fits = array.dtype.kind in WHOLE if dtype is WHOLE else array.dtype == np.dtype(dtype)
        self.require(fits, f"its {name} are of type {array.dtype}.")
        alike = len(shape) == array.ndim and all(
            wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
        )
        wanted = " by ".join("any" if one is None else str(one) for one in shape)
        self.require(alike, f"its {name} have another shape than {wanted}: {array.shape}.")
        return array

    def one_a_vector(self, name: str, dtype: npt.DTypeLike, vectors: int, *width: int) -> _Array:
        """Return an array that has a row for each of so many vectors."""
        array = self.take(name, dtype, None, *width)
        self.require(
            len(array) == vectors,
            f"it has {len(array)} {name}, but {vectors} vectors by the catalog.",
        )
        return array

    def numbers(
        self, name: str, low: int, high: int, *shape: int | None, dtype: npt.DTypeLike = WHOLE
    ) -> _Array:
        """Return whole numbers from ``low`` to ``high``, the ends included."""
        array = self.take(name, dtype, *shape)
        fits = not array.size or (int(array.min()) >= low and int(array.max()) <= high)
        self.require(fits, f"its {name} do not lie between {low} and {high}.")
        return array

    def floats(
        self, name: str, dtype: npt.DTypeLike, limit: float, *shape: int | None
    ) -> npt.NDArray[np.floating]:
        """Return numbers that are finite and no larger than a limit."""
        array = self.take(name, dtype, *shape)
        with np.errstate(invalid="ignore"):
            fits = bool((np.abs(array) <= limit).all())
        self.require(fits, f"its {name} are not finite (NaN or infinity), or above {limit:g}.")
        return array

    def bounds(self, name: str, last: int, dtype: npt.DTypeLike = WHOLE) -> _Array:
        """Return numbers that never descend, from 0 to ``last``."""
        array = self.numbers(name, 0, MOST, None, dtype=dtype)
        ascend = len(array) and array[0] == 0 and (array[1:] >= array[:-1]).all()
        self.require(
            ascend and int(array[-1]) == last, f"its {name} do not ascend from 0 to its {last}."
        )
        return array


def require_rows(laws: Laws, rows: npt.NDArray[np.int64], first: int, passages: int) -> None:
    """Rows ascend from the first, and are those of so many passages."""
    laws.require(len(rows), "it has no windows.")
    laws.require((np.diff(rows) >= 0).all(), "its rows do not ascend.")
    laws.require(
        rows[0] == first and 0 <= first < MOST,
        f"its rows begin at {rows[0]}; the catalog says {first}.",
    )
    held = 1 + int(np.count_nonzero(np.diff(rows)))
    laws.require(held == passages, f"it holds {held} passages; the catalog says {passages}.")


def windows_of(laws: Laws, count: int, dtype: npt.DTypeLike = WHOLE) -> _Array:
    """Return the characters of so many windows, each with its start before its end."""
    windows = laws.numbers("windows", 0, MOST_CHARACTERS, count, 2, dtype=dtype)
    laws.require((windows[:, 0] <= windows[:, 1]).all(), "a window ends before it begins.")
    return windows


def all_finite(vectors: npt.NDArray[np.float16]) -> bool:
    """Tell whether no float16 is NaN or infinite, in bounded memory."""
    # NaN and infinity are the numbers whose exponent has all bits set.
    bits, exponent = vectors.reshape(-1).view(np.uint16), np.uint16(0x7C00)
    return all(
        int((bits[start : start + _BLOCK] & exponent).max()) != 0x7C00
        for start in range(0, len(bits), _BLOCK)
    )
