"""Names of fields as filters write them, and the paths that they stand for."""

from __future__ import annotations

import re

from ..errors import FilterError, shown
from .strings import composed
from .tree import MAX_DEPTH, Path

__all__ = [
    "can_be_named",
    "check_path",
    "field_name",
    "parse_field",
    "require_storable",
    "split_name",
]

# What a stored key cannot be reached by, because SQLite's JSON paths have no escape for it.
_UNREACHABLE = re.compile(r'["\\\x00-\x1f]')


def parse_field(name: object) -> Path:
    r"""Check a field's name as filters write it, and split it at its dots.

    Raises:
        FilterError: it is no string, an operator, or holds what filters cannot reach.

    Example:
        >>> parse_field(r"maker.country\.code")
        ('maker', 'country.code')
    """
    if not isinstance(name, str) or name.startswith("$"):
        raise FilterError(
            f"a field is named by a string such as 'maker.country', not {shown(name)}."
        )
    return check_path(split_name(name))


def field_name(path: Path) -> str:
    r"""Write a field's name as filters do; the opposite of :func:`parse_field`."""
    return ".".join(name.replace(".", "\\.") for name in path)


def can_be_named(key: str) -> bool:
    """Tell whether a filter can reach what is stored under a key."""
    return not key.startswith("$") and not _UNREACHABLE.search(key)


def check_path(path: Path) -> Path:
    """Return a path if it is no deeper than metadata are.

    Raises:
        FilterError: it is deeper.
    """
    if len(path) > MAX_DEPTH:
        raise FilterError(
            f"a field is named by {len(path):,} names within one another; metadata are nested at "
            f"most {MAX_DEPTH} levels deep."
        )
    return path


def split_name(name: str) -> Path:
    r"""Split a dotted name; ``\.`` is a dot of the key itself.

    Raises:
        FilterError: it holds what cannot be stored, or reached.
    """
    parts = tuple(composed(part.replace("\\.", ".")) for part in re.split(r"(?<!\\)\.", name))
    for part in parts:
        if _UNREACHABLE.search(part):
            raise FilterError(
                f"the field name {shown(part)} holds a quote, a backslash or a control character, "
                "which filters cannot reach; rename the field."
            )
        require_storable(part)
    return parts


def require_storable(text: str) -> None:
    """Refuse a string that no index can hold.

    Raises:
        FilterError: it holds a lone surrogate, or NUL.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FilterError(
            f"{shown(text)} holds a lone surrogate; such text is not stored."
        ) from None
    if "\0" in text:
        raise FilterError(f"{shown(text)} holds a NUL character; such metadata is not stored.")
