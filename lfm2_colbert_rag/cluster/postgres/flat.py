"""Metadata and ids laid out flat, for filters to ask; see :mod:`..fields`.

=====  ==========================================================================================
key    content
=====  ==========================================================================================
s      by field the strings that stand there
f      the same without the difference of case, see :func:`~lfm2_colbert_rag.filters.fold`
n      by field the numbers; those beyond 2**53 digit by digit, as Python compares them
o      by field the names of booleans and nulls
p      the fields that are there, whatever they hold
=====  ==========================================================================================
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ...filters import fold
from ..fields import field_key, name_of, walk
from ..points import SEPARATOR

__all__ = ["exactly", "flat_of", "folds_of"]


def flat_of(metadata: Mapping[str, Any]) -> str:
    """Return metadata laid out flat, as JSON.

    Example:
        >>> flat_of({"n": [7.0, None]}).replace(field_key(("n",)), "n")
        '{"o": {"n": ["null"]}, "n": {"n": [7]}, "p": ["n"]}'
    """
    flat: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    present: dict[str, None] = {}
    for path, value in walk(metadata, ()):
        key = field_key(path)
        present[key] = None
        if isinstance(value, str):
            flat["s"][key].append(value)
            flat["f"][key].append(fold(value))
        elif value is None or isinstance(value, bool):
            flat["o"][key].append(name_of(value))
        elif isinstance(value, int | float):
            flat["n"][key].append(exactly(value))
    parts = {name: flat[name] for name in ("s", "f", "o", "n") if name in flat}
    return json.dumps({**parts, "p": list(present)})


def exactly(number: float) -> float:
    """Return a number in the form whose digits are all of its value: whole ones as integers.

    Example:
        >>> exactly(7.0), exactly(0.5), exactly(float(2**60)) == 2**60
        (7, 0.5, True)
    """
    return int(number) if isinstance(number, float) and number.is_integer() else number


def as_decimal(number: float) -> Decimal:
    """Return a number as SQL compares it with those of :func:`flat_of`."""
    value = exactly(number)
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))


def folds_of(id: str) -> list[str]:
    """Return an id without the difference of case: all of it, and what stands behind the owner."""
    own = id.partition(SEPARATOR)[2] or id
    return [fold(id), fold(own)]
