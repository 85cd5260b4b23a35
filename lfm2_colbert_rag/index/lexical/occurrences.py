"""Where in some texts each of their terms occurs."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, count
from typing import NamedTuple

import numpy as np

from .analyser import EDGES, Token, pair_numbers, pair_term, read_token
from .blocks import Numbers


class Occurrences(NamedTuple):
    """Every occurrence of a term in some texts, in no order.

    Attributes:
        terms: ascending, each once.
        ranks: ``(occurrences,)`` int64, which of the terms.
        places: ``(occurrences,)`` int64, in which of the texts.
    """

    terms: list[str]
    ranks: Numbers
    places: Numbers


def find_occurrences(texts: Sequence[str]) -> Occurrences:
    """Analyse texts. What several share is looked at once, which most of the speed comes from.

    Returns:
        The terms that :func:`~.analyser.analyse` gives for each of them.

    Example:
        >>> found = find_occurrences(["fox", "fox"])
        >>> found.terms, found.places.tolist()
        (['_fox', '_fox_', 'fox_'], [0, 0, 0, 1, 1, 1])
    """
    split = [[string.strip(EDGES) for string in text.split()] for text in texts]
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    codes = _codes(chain.from_iterable(split), numbers)
    words: list[bytes] = []
    pairs: list[list[int]] = []
    for strings in split:
        found = [code for string in strings if (code := codes[string]) is not None]
        words.append(b"".join([terms for _, terms in found]))
        pairs.append(pair_numbers([token for token, _ in found]))
    distinct, which = np.unique(
        np.fromiter(chain.from_iterable(pairs), dtype=np.int64), return_inverse=True
    )
    names = list(map(pair_term, distinct.tolist()))
    named = _numbered(names, numbers)
    terms = sorted(numbers)
    ranks = np.empty(len(terms), dtype=np.int64)
    ranks[_numbered(terms, numbers)] = np.arange(len(terms))
    return Occurrences(
        terms,
        ranks[np.concatenate((np.frombuffer(b"".join(words), dtype=np.intc), named[which]))],
        np.concatenate((_places([len(one) // 4 for one in words]), _places(list(map(len, pairs))))),
    )


def _codes(
    strings: Iterable[str], numbers: Mapping[str, int]
) -> dict[str, tuple[Token, bytes] | None]:
    """Read each distinct string, and number its terms: C integers, as bytes."""
    tokens = {string: read_token(string) for string in dict.fromkeys(strings)}
    number = numbers.__getitem__
    return {
        string: token and (token, array("i", map(number, token.terms)).tobytes())
        for string, token in tokens.items()
    }


def _numbered(terms: Sequence[str], numbers: Mapping[str, int]) -> Numbers:
    return np.fromiter(map(numbers.__getitem__, terms), np.int64, len(terms))


def _places(sizes: Sequence[int]) -> Numbers:
    return np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
