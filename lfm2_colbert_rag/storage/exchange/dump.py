"""What every dump tells of itself, and files read with errors that name them."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError

from ..._support.intake import Intake
from ..._support.regular import open_regular
from ..._support.safe_json import load_json as load_safely
from ..._support.system_errors import raise_named
from ...errors import InputError, LFM2ColBERTError
from ...filters.strings import composed
from ...types import Passage
from .array_headers import map_array
from .given_vectors import GivenVectors

_SHOWN = 3
_MOST_VECTORS = 1 << 48
# What NumPy, zipfile, zlib, json and safetensors say of files that somebody else made.
_UNREADABLE = (
    OSError,
    MemoryError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    SafetensorError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Dump:
    """Vectors in files.

    Attributes:
        path: where they are.
        kind: the layout, for people.
        length: number of passages.
        dim: width of the vectors.
        read: yields what belongs to each passage, one after the other, whenever it is called.
        ids: the passages' ids, in the order of the vectors; None where only the order is known.
        passages: the passages themselves, where they are there too.
    """

    path: Path
    kind: str
    length: int
    dim: int
    read: Callable[[], Iterator[GivenVectors]]
    ids: Sequence[str] | None = None
    passages: Sequence[Passage] | None = None

    def vectors(self) -> Iterator[GivenVectors]:
        """Yield what belongs to each passage.

        Raises:
            InputError: a file cannot be read.
        """
        with readable(self.path):
            yield from self.read()

    def match(self, passages: Sequence[Passage] | None) -> list[Passage]:
        """Bring passages into the order of the vectors.

        Args:
            passages: the texts, where the dump has none: by their ids, or in the dump's order if
                it knows no ids.

        Returns:
            One passage for each entry of :meth:`vectors`.

        Raises:
            InputError: a text or a vector is missing, or there are texts already.
        """
        if self.passages is not None:
            if passages is not None:
                raise InputError(f"{self.path} brings its own texts; leave out those you gave.")
            return list(self.passages)
        if passages is None:
            raise InputError(f"{self.path} ({self.kind}) holds no texts; give them as well.")
        if self.ids is None:
            return self._in_order(passages)
        names = [composed(id) for id in self.ids]
        by_id: dict[str, Passage] = {}
        intake = Intake()
        for place, passage in enumerate(passages):
            id = intake.id(passage.id, f"the id of passage {place}")
            if by_id.setdefault(id, passage) != passage:
                raise InputError(f"two texts that differ have the id {id!r}; give each its own.")
        _require_none([id for id in names if id not in by_id], "text", self.path)
        known = set(names)
        _require_none([id for id in by_id if id not in known], "vector", self.path)
        return [by_id[id] for id in names]

    def _in_order(self, passages: Sequence[Passage]) -> list[Passage]:
        if len(passages) != self.length:
            raise InputError(
                f"{self.path} ({self.kind}) has vectors of {self.length:,} passages, but there are "
                f"{len(passages):,} texts. It knows no ids, so give the same texts in its order."
            )
        return list(passages)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while files are read into an error that names them.

    Raises:
        InputError: the block met a file that is missing, truncated or of another kind.
    """
    try:
        yield
    except LFM2ColBERTError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{error.filename or path} is missing; copy the dump again.") from error
    except _UNREADABLE as error:
        if isinstance(error, OSError | MemoryError):
            raise_named(error, path)
        raise InputError(
            f"{path} cannot be read ({type(error).__name__}: {error}). It is truncated, or not in "
            "the layout that its name promises; dump the vectors again."
        ) from error


def load_array(path: Path, kinds: str, shape: tuple[int | None, ...]) -> npt.NDArray[Any]:
    """Map an ``.npy`` file.

    Args:
        path: the file.
        kinds: NumPy's letters for the kinds of numbers that will do, ``f`` or ``iu``.
        shape: of the array; None for any length.

    Raises:
        InputError: the file is missing, unreadable, or holds something else.
    """
    with readable(path):
        with open_regular(path) as file:
            array = map_array(file)
        fits = len(array.shape) == len(shape) and all(
            wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
        )
        if array.dtype.kind not in kinds or not fits:
            wanted = " by ".join("any" if one is None else str(one) for one in shape)
            kind = "floats" if "f" in kinds else "integers"
            raise InputError(
                f"{path} holds {array.dtype} of shape {array.shape}; expected {kind}, {wanted}."
            )
        return array


def load_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing, no file, or no JSON to be used.
    """
    with readable(path):
        return load_safely(path)


def to_offsets(lengths: npt.ArrayLike, path: Path) -> npt.NDArray[np.int64]:
    """Turn the numbers of vectors of passages into the place of each one's first.

    Args:
        lengths: ``(passages,)`` integers.
        path: where they come from, for the message.

    Returns:
        ``(passages + 1,)`` int64; the last is the number of all vectors.

    Raises:
        InputError: something else than a list of numbers from 0.
    """
    with readable(path):
        numbers = np.asarray(lengths)
    if not numbers.size:
        numbers = np.empty(0, dtype=np.int64)
    fits = numbers.ndim == 1 and numbers.dtype.kind in "iu" and not (numbers < 0).any()
    if not fits or numbers.sum(dtype=np.float64) > _MOST_VECTORS:
        raise InputError(f"{path} must hold one number of vectors a passage, as a flat list.")
    return np.concatenate(([0], np.cumsum(numbers, dtype=np.int64)))


def _require_none(ids: Sequence[str], what: str, path: Path) -> None:
    if ids:
        names = ", ".join(map(repr, ids[:_SHOWN]))
        more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
        has = "the texts have none" if what == "text" else f"{path} has none"
        raise InputError(f"there is no {what} for the id {names}{more}: {has}.")
