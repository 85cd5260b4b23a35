"""Many terms in order, without keeping other threads waiting."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain

# Terms that are sorted in one go: 30 ms in which no other thread runs.
_TOGETHER = 1 << 15
_STRIDE = 256  # of so many sorted terms one is looked at, to cut them evenly


def sort_terms(terms: Sequence[str]) -> list[str]:
    """Return terms in ascending order.

    Example:
        >>> sort_terms(["fox_", "_fox_"])
        ['_fox_', 'fox_']
    """
    parts = [sorted(terms[at : at + _TOGETHER]) for at in range(0, len(terms), _TOGETHER)]
    if len(parts) < 2:
        return parts[0] if parts else []
    # All parts are cut before the same terms, so that what lies between two cuts is as few terms.
    looked_at = sorted([term for part in parts for term in part[::_STRIDE]])
    bounds = looked_at[:: _TOGETHER // _STRIDE][1:]
    cuts = [[0, *(bisect_left(part, one) for one in bounds), len(part)] for part in parts]
    found: list[str] = []
    for place in range(len(bounds) + 1):
        between = [part[cut[place] : cut[place + 1]] for part, cut in zip(parts, cuts, strict=True)]
        found += sorted(chain.from_iterable(between))
    return found
