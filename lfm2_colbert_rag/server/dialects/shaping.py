"""What several APIs ask of a hit: a title, and metadata that are flat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...types import Hit, public_metadata

_TITLES = ("title", "file_name", "filename", "source", "name")
_LONGEST = 512  # characters of a title, and of a name that was made flat
_DEEPEST = 8


def title_of(hit: Hit) -> str:
    """Return what a hit is called: by its metadata, or else its id.

    Example:
        >>> title_of(Hit("page-1", 1.0, 1.0, "A text.", {"source": "faq.md"}))
        'faq.md'
    """
    for name in _TITLES:
        found = hit.metadata.get(name)
        if isinstance(found, str) and found.strip():
            return found[:_LONGEST]
    return hit.id


def flat_metadata(hit: Hit) -> dict[str, str | int | float | bool]:
    """Return a hit's metadata with dots for what is within objects, and without lists.

    Example:
        >>> flat_metadata(Hit("1", 1.0, 1.0, "", {"maker": {"country": "ie"}, "tags": ["a"]}))
        {'maker.country': 'ie'}
    """
    return dict(_flat(public_metadata(hit.metadata), "", 0))


def _flat(
    values: dict[str, Any], before: str, depth: int
) -> Iterator[tuple[str, str | int | float | bool]]:
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _flat(value, f"{name}.", depth + 1)
        elif isinstance(value, str | int | float | bool) and len(name) <= _LONGEST:
            yield name, value
