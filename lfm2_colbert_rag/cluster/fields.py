"""Metadata laid out flat, so that engines answer filters as we mean them.

Engines differ in what a list on the way to a field means, and whether 1 equals 1.0 or true. So each
field that metadata have, however deep, is written a second time: all that
:func:`~lfm2_colbert_rag.filters.values_at` finds there, apart by kind. What a filter asks of a
field is then asked of a list of strings, of numbers, or of names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ..filters import Path, field_name
from ..filters.strings import composed

EXACT = 1 << 53
"""Beyond it not every whole number is a floating-point number, which engines compare."""

_PLAIN = re.compile(r"[^A-Za-z0-9]+")
_SHOWN = 24


@dataclass(frozen=True)
class Flat:
    """What stands in the fields of one passage's metadata.

    Attributes:
        strings: by key (:func:`field_key`), the strings of a field, each once.
        numbers: the numbers.
        others: of booleans and nulls ``"true"``, ``"false"`` and ``"null"``.
        present: the keys of all fields that are there, whatever they hold.
    """

    strings: dict[str, list[str]]
    numbers: dict[str, list[float]]
    others: dict[str, list[str]]
    present: list[str]


def flatten(metadata: Mapping[str, Any]) -> Flat:
    """Lay metadata out flat.

    Example:
        >>> flat = flatten({"by": [{"name": "Ada"}, {"name": ["Bo", 7, None]}]})
        >>> sorted(flat.strings[field_key(("by", "name"))])
        ['Ada', 'Bo']
        >>> flat.numbers, flat.others == {field_key(("by", "name")): ["null"]}
        ({'by_name_5baeb1c6ea6d': [7.0]}, True)
    """
    strings: dict[str, dict[str, None]] = defaultdict(dict)
    numbers: dict[str, dict[float, None]] = defaultdict(dict)
    others: dict[str, dict[str, None]] = defaultdict(dict)
    present: dict[str, None] = {}
    for path, value in walk(metadata, ()):
        key = field_key(path)
        present[key] = None
        if isinstance(value, str):
            strings[key][value] = None
        elif value is None or isinstance(value, bool):
            others[key][name_of(value)] = None
        elif isinstance(value, int | float):
            numbers[key][float(value)] = None
    return Flat(
        {key: list(values) for key, values in strings.items()},
        {key: list(values) for key, values in numbers.items()},
        {key: list(values) for key, values in others.items()},
        list(present),
    )


def walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield all that stands in metadata, each with the path by which a filter finds it."""
    if path:
        yield path, value
    if isinstance(value, list):
        for element in value:
            yield from walk(element, path)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if composed(name) != name and composed(name) in value:
                continue  # the composed one is what a filter finds
            yield from walk(inner, (*path, composed(name)))


def field_key(path: Path) -> str:
    """Return a name for a field that every engine takes, and that no other field has.

    Example:
        >>> field_key(("year",)), field_key(("maker", "größe"))
        ('year_4cb4ea25583c', 'maker_gr_e_2c40e624cc26')
    """
    name = field_name(tuple(composed(part) for part in path))
    short = _PLAIN.sub("_", name)[:_SHOWN].strip("_")
    return f"{short}_{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def name_of(value: bool | None) -> str:
    """Return the name of a boolean or of null."""
    return "null" if value is None else str(value).lower()
