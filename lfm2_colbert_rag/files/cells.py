"""Cells of tables as values: numbers, and true and false, where a whole column holds them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["Kinds"]

# What begins with 0 or + is a code of some kind: a post code, a number to be dialled.
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


class Kinds:
    """What the columns of a table hold, told by all of their cells.

    Example:
        >>> kinds = Kinds()
        >>> kinds.look({"year": "2024", "zip": "01067"})
        >>> kinds.values({"year": "2025", "zip": "10115"})
        {'year': 2025, 'zip': '10115'}
    """

    def __init__(self) -> None:
        self._whole: dict[str, bool] = {}
        self._number: dict[str, bool] = {}
        self._boolean: dict[str, bool] = {}

    def look(self, row: Mapping[str, str]) -> None:
        """Look at the cells of a row."""
        for name, cell in row.items():
            bare = cell.strip()
            self._whole[name] = self._whole.get(name, True) and bool(_WHOLE.fullmatch(bare))
            self._number[name] = self._number.get(name, True) and _is_number(bare)
            self._boolean[name] = self._boolean.get(name, True) and bare.lower() in _BOOLEANS

    def values(self, row: Mapping[str, str]) -> dict[str, Any]:
        """Return the cells of a row as their columns are read; those never looked at as texts."""
        return {name: self._value(name, cell) for name, cell in row.items()}

    def _value(self, name: str, cell: str) -> Any:
        if self._whole.get(name):
            return int(cell)
        if self._number.get(name):
            return float(cell)
        if self._boolean.get(name):
            return _BOOLEANS[cell.strip().lower()]
        return cell


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell)) and math.isfinite(float(cell))
