"""The languages of rows, held in ten bytes a row; later commits only add to them.

A row's language never changes, and no row is numbered again. So what was read once is not read a
second time, and rows of any generation are looked up in one table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import REMEDY, IndexCorruptError
from ..types import UNDETERMINED

_READ = "SELECT row, language FROM passages WHERE row > ? ORDER BY row"
_UNKNOWN = np.int16(-1)
_MOST = 1000  # languages; there are fewer that any text was told to be in


@dataclass(frozen=True, eq=False)
class RowLanguages:
    """The language of every row up to some.

    Attributes:
        names: ISO 639 codes, in the order in which they were met.
        rows: ``(n,)`` int64, ascending.
        codes: ``(n,)`` int16: the place of each row's language in ``names``.
    """

    names: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int16]

    @classmethod
    def none(cls) -> RowLanguages:
        """Return what is known of an index that was not read yet."""
        return cls((), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int16))

    def of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
        """Return the places in :attr:`names` of the languages of rows; -1 for those not read.

        Such a one was forgotten between the snapshot that has it and the reading.
        """
        if np.array_equal(rows, self.rows):
            return self.codes
        if not len(self.rows):
            return np.full(len(rows), _UNKNOWN)
        places = np.searchsorted(self.rows, rows).clip(max=len(self.rows) - 1)
        return np.where(self.rows[places] == rows, self.codes[places], _UNKNOWN)

    def counts(self, rows: npt.NDArray[np.int64]) -> dict[str, int]:
        """Count ascending rows by language, the most frequent first."""
        codes = self.of(rows)
        numbers = np.bincount(codes[codes != _UNKNOWN], minlength=len(self.names)).tolist()
        pairs = zip(self.names, numbers, strict=True)
        return dict(sorted((one for one in pairs if one[1]), key=lambda one: (-one[1], one[0])))


def read_languages(connection: sqlite3.Connection, known: RowLanguages) -> RowLanguages:
    """Return the languages of all rows, reading only those that are new.

    Args:
        connection: of the catalog.
        known: what was read before.

    Raises:
        IndexCorruptError: what stands in place of a language is none.
    """
    last = int(known.rows[-1]) if len(known.rows) else -1
    found = connection.execute(_READ, (last,)).fetchall()
    if not found:
        return known
    places: dict[Any, int] = {name: place for place, name in enumerate(known.names)}
    codes = [places.setdefault(name, len(places)) for _, name in found]
    if len(places) > _MOST or not all(isinstance(name, str) for name in places):
        raise IndexCorruptError(f"the languages of passages in the catalog are none. {REMEDY}")
    rows = np.fromiter((row for row, _ in found), dtype=np.int64, count=len(found))
    return RowLanguages(
        tuple(places),
        np.concatenate((known.rows, rows)),
        np.concatenate((known.codes, np.array(codes, dtype=np.int16))),
    )


def is_mixed(counts: Mapping[str, int], least: float) -> bool:
    """Tell whether passages are in several languages.

    Args:
        counts: of passages by language, see :meth:`RowLanguages.counts`.
        least: which part of them must be in others than the most frequent; those whose language
            cannot be told are left aside.

    Example:
        >>> is_mixed({"de": 90, "en": 10, "und": 300}, 0.05), is_mixed({"de": 99, "nl": 1}, 0.05)
        (True, False)
    """
    told = [number for name, number in counts.items() if name != UNDETERMINED]
    return len(told) > 1 and sum(told) - max(told) >= least * sum(told)
