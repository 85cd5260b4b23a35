"""Grades as people and programs write them: whole numbers, whole floats, figures in a string."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex, cast

from ..errors import InputError, shown

__all__ = ["read_grade"]


def read_grade(grade: object, place: str) -> int:
    """Return a grade as a whole number, below zero as it is.

    Args:
        grade: an integer of any kind, a float without a fraction such as ``1.0``, or either of
            them as a string.
        place: where it stands, for the message.

    Raises:
        InputError: it is something else.

    Example:
        >>> read_grade("1.0", "line 1"), read_grade(-1, "line 2")
        (1, -1)
    """
    number = _number(grade)
    if number is None:
        raise InputError(
            f"{place}: the grade {shown(grade)} is no whole number; 0 is not relevant, 1 or more "
            "is."
        )
    return number


def _number(grade: Any) -> int | None:
    value = grade
    if isinstance(grade, str):
        try:
            value = float(grade)
        except ValueError:
            return None
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return None
    if isinstance(value, float) or hasattr(value, "is_integer"):
        return int(value) if value.is_integer() else None
    try:
        return operator.index(cast("SupportsIndex", value))
    except TypeError:
        return None
