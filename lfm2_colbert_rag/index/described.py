"""Checks of what a catalog says of arrays: it may be damaged, or written to do damage."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from ..errors import REMEDY, IndexCorruptError

# Beyond any index, and sums of a few such numbers still fit into 64 bits.
LARGEST = 1 << 48

_ARRAY = re.compile(r"[a-z_]{1,40}")


def whole(what: str, value: Any, *, least: int = 0, most: int = LARGEST) -> None:
    """Refuse what is no whole number within bounds.

    Args:
        what: whose value it is, for the message.
        value: the value.
        least: the smallest that will do.
        most: the largest.

    Raises:
        IndexCorruptError: it is something else.

    Example:
        >>> whole("its passages", 3)
        >>> whole("its passages", True)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        lfm2_colbert_rag.errors.IndexCorruptError: the catalog says that its passages are True, ...
    """
    if type(value) is not int or not least <= value <= most:
        raise wrong(what, value)


def share(what: str, value: Any, *, most: float = math.inf) -> None:
    """Refuse what is no finite number from 0 to a bound; see :func:`whole`."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if not known or not 0 <= value <= most or value == math.inf:
        raise wrong(what, value)


def one_of(what: str, value: Any, known: Collection[Any]) -> None:
    """Refuse what is not among known values; see :func:`whole`."""
    if not isinstance(value, str | int | None) or value not in known:
        raise wrong(what, value)


def array_names(files: Any) -> None:
    """Refuse files under names that no array has, for they become paths.

    Raises:
        IndexCorruptError: there are none, or one has another name.
    """
    if not isinstance(files, Mapping) or not files or not all(map(_is_array, files)):
        raise wrong("the files of a folder", sorted(files, key=str) if files else files)


def _is_array(name: object) -> bool:
    return isinstance(name, str) and _ARRAY.fullmatch(name) is not None


def wrong(what: str, value: Any) -> IndexCorruptError:
    """Return the error that says what the catalog says."""
    shown = ascii(value)
    shown = shown if len(shown) <= 200 else f"{shown[:200]}..."
    return IndexCorruptError(f"the catalog says that {what} are {shown}, which cannot be. {REMEDY}")
