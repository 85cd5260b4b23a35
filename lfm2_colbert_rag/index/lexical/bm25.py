"""BM25 over posting lists: which live passages share the rare terms of a query.

Okapi BM25 (Robertson et al., "Okapi at TREC-3", 1994), with three things learned from measuring:

* a word that is said again says something, a stretch of letters comes again by chance: words
  have a greater ``k1``;
* rarity, ``ln(1 + (N - n + .5) / (n + .5))``, is raised to a power somewhat above 1, so that
  common terms weigh less and no list of stop words is needed;
* of two terms in equally many passages the one that gathers in some of them is about something,
  the one spread evenly is not (Church and Gale, "Poisson mixtures", 1995): a term weighs more by
  the square root of how often it is in the passages that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .analyser import is_wordlike
from .blocks import Numbers
from .sorting import sort_terms

Scores = npt.NDArray[np.float32]

ReadLists: TypeAlias = Callable[[Sequence[str]], Mapping[str, tuple[Numbers, Numbers]]]
"""Gives the lists, rows and counts, of some terms; none of a term of which nothing is known."""

# How soon more occurrences of a word, or of a stretch, stop counting; how much long passages are
# held against it; chosen over all sets of benchmarks/quality together, like the two below.
K1_WORDS, K1_STRETCHES, B = 2.0, 0.9, 0.75
_POWER = 1.25  # of rarity, relative to that of a term that nothing has
_GATHERING, _DOUBT = 0.5, 5.0  # power; passages that count as if they had a term once
# Row numbers are looked up in a table as long as it has so many times the live rows at most.
_SPARSE = 8
# Lists that are read, and added up, in one go: a question has as many terms as it has letters.
_TOGETHER = 1 << 12


@dataclass(frozen=True, eq=False)
class LexicalRanking:
    """What the lexical index found for one query, best first.

    Attributes:
        rows: ``(n,)`` int64; every allowed row that shares a term with the query, or as many as
            were wanted and those that tie with the last.
        scores: ``(n,)`` float32 BM25 scores, above 0, descending.
        ideal: the score that a passage of average length approaches that repeats every term of
            the query; scores divided by it say how much of the query was found.
    """

    rows: Numbers
    scores: Scores
    ideal: float

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Scored:
    """What every live passage has of one query.

    Attributes:
        scores: ``(live,)`` float32 BM25, 0 where no term is shared.
        shares: ``(live,)`` float32 which part of the query's terms it has, each counted alike
            however rare it is, 0..1.
        ideal: see :class:`LexicalRanking`.
    """

    scores: Scores
    shares: Scores
    ideal: float


class Bm25:
    """The live passages of one generation, as BM25 sees them.

    Statistics are those of the live passages only, so that scores do not depend on what was
    deleted, nor on the order in which passages came.

    Args:
        live: ``(n,)`` int64 ascending live rows.
        lengths: rows and their numbers of terms, of all live rows at least.

    Example:
        >>> index = Bm25(np.array([4, 9]), (np.array([4, 9]), np.array([3, 5])))
        >>> lists = {"fox": (np.array([9]), np.array([2]))}
        >>> found = index.search(lambda terms: lists, {"fox": 1}, 10)
        >>> found.rows.tolist()
        [9]
    """

    def __init__(self, live: Numbers, lengths: tuple[Numbers, Numbers]) -> None:
        self.rows = live
        self._table = _table(live)
        places, known = self._places(lengths[0])
        self._sizes = np.zeros(len(live), dtype=np.float32)
        self._sizes[places] = lengths[1][known]
        mean = float(self._sizes.mean()) if len(live) else 0.0
        self._norms = (1 - B + B * self._sizes / (mean or 1.0)).astype(np.float32)

    @property
    def last(self) -> int:
        """The last live row, -1 where there is none."""
        return int(self.rows[-1]) if len(self.rows) else -1

    def later(self, live: Numbers, lengths: tuple[Numbers, Numbers]) -> Bm25:
        """Return the same for a later generation, whose new rows lie above the last of this one.

        Args:
            live: ``(n,)`` int64 its ascending live rows.
            lengths: rows and their numbers of terms, of those above :attr:`last` at least.
        """
        new = lengths[0] > self.last
        rows = np.concatenate((self.rows, lengths[0][new]))
        return Bm25(live, (rows, np.concatenate((self._sizes, lengths[1][new]))))

    def search(
        self,
        read: ReadLists,
        query: Mapping[str, float],
        k: int,
        rows: Numbers | None = None,
    ) -> LexicalRanking:
        """Rank live passages.

        Args:
            read: gives the lists of the query's terms, some terms at a time.
            query: the query's terms and how much each counts, as ``analyser.weigh`` gives them.
            k: how many rows are wanted.
            rows: see :meth:`best`.
        """
        return self.best(self.score(read, query), k, rows)

    def best(self, scored: Scored, k: int, rows: Numbers | None = None) -> LexicalRanking:
        """Rank what was scored.

        Args:
            scored: what :meth:`score` gave.
            k: how many rows are wanted.
            rows: ascending rows to which the search is limited; None for all. The statistics
                remain those of all live passages.
        """
        scores = scored.scores
        if rows is not None:
            allowed = self._places(rows)[0]
            scores = np.zeros_like(scores)
            scores[allowed] = scored.scores[allowed]
        found = np.flatnonzero(scores)
        if len(found) > k:
            least = np.partition(scores[found], len(found) - k)[len(found) - k]
            found = found[scores[found] >= least]
        order = found[np.argsort(-scores[found], kind="stable")]
        return LexicalRanking(self.rows[order], scores[order], scored.ideal)

    def of(self, scored: Scored, rows: Numbers) -> tuple[Scores, Scores]:
        """Return scores and shares of live rows."""
        places = self._places(rows)[0]
        return scored.scores[places], scored.shares[places]

    def score(self, read: ReadLists, query: Mapping[str, float]) -> Scored:
        """Score every live passage; see :meth:`search`."""
        # One order, so that equal passages get equal scores.
        terms = sort_terms(list(query))
        scores = np.zeros(len(self.rows), dtype=np.float32)
        held = np.zeros(len(self.rows), dtype=np.float32)
        ideal = 0.0
        for start in range(0, len(terms), _TOGETHER):
            some = terms[start : start + _TOGETHER]
            lists = read(some)
            counts = np.array([query[term] for term in some], dtype=np.float64)
            weights = self._add(some, [lists.get(term) for term in some], counts, scores, held)
            ideal = sum(weights.tolist(), ideal)
        whole = np.float32(sum(query.values()) or 1.0)
        return Scored(scores, np.minimum(held / whole, np.float32(1)), ideal)

    def _add(
        self,
        terms: Sequence[str],
        lists: Sequence[tuple[Numbers, Numbers] | None],
        counts: npt.NDArray[np.float64],
        scores: Scores,
        held: Scores,
    ) -> Scores:
        """Add what terms give to scores, and their counts to ``held``; returns what they weigh.

        All lists at once, since there are a hundred of them for a sentence, and most are short.
        """
        k1 = np.where([is_wordlike(term) for term in terms], K1_WORDS, K1_STRETCHES)
        owners, places, often = self._entries(lists)
        holding = np.bincount(owners, minlength=len(terms))
        occurrences = np.bincount(owners, often, minlength=len(terms))
        rarity = weights_of(len(self.rows), holding, occurrences)
        weights = (counts * rarity * (k1 + 1)).astype(np.float32)
        norms = k1.astype(np.float32)[owners] * self._norms[places]
        np.add.at(scores, places, weights[owners] * often / (often + norms))
        np.add.at(held, places, counts.astype(np.float32)[owners])
        return weights

    def _entries(
        self, lists: Sequence[tuple[Numbers, Numbers] | None]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Scores]:
        """Return the live entries of lists, end to end: which list, which place, and the count."""
        known = [entries for entries in lists if entries is not None]
        if not known:
            return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32)
        sizes = [0 if entries is None else len(entries[0]) for entries in lists]
        places, live = self._places(np.concatenate([rows for rows, _ in known]))
        counts = np.concatenate([counts for _, counts in known])[live]
        return np.repeat(np.arange(len(lists)), sizes)[live], places, counts.astype(np.float32)

    def _places(self, rows: Numbers) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Return the places of those rows that are live, and which of the rows these are."""
        if not len(self.rows):
            return np.empty(0, np.intp), np.zeros(len(rows), np.bool_)
        offsets = rows - self.rows[0]
        if self._table is None:
            places = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
            known = self.rows[places] == rows
            return places[known], known
        inside = (offsets >= 0) & (offsets < len(self._table))
        places = np.where(inside, self._table[np.where(inside, offsets, 0)], -1)
        known = places >= 0
        return places[known].astype(np.intp), known


def weights_of(
    passages: int, holding: npt.ArrayLike, occurrences: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return what terms weigh: how rare each is, and how it gathers; see above.

    Args:
        passages: number of live passages.
        holding: ``(n,)`` how many of them have each term.
        occurrences: ``(n,)`` how often these have it, together.

    Example:
        >>> evenly, gathered, common = weights_of(99, [4, 4, 9], [4, 20, 9])
        >>> gathered > evenly > common > 0
        np.True_
    """
    holding = np.asarray(holding, dtype=np.float64)
    rarity = np.log1p((passages - holding + 0.5) / (holding + 0.5))
    rarest = np.log1p((passages + 0.5) / 0.5)
    gathering = (np.asarray(occurrences, dtype=np.float64) + _DOUBT) / (holding + _DOUBT)
    return np.asarray(rarity * (rarity / rarest) ** (_POWER - 1) * gathering**_GATHERING)


def _table(live: Numbers) -> npt.NDArray[np.int32] | None:
    """Return the place of each row, counted from the first, -1 for dead ones; None if too long."""
    span = int(live[-1] - live[0]) + 1 if len(live) else 0
    if not span or span > _SPARSE * len(live) + 1024:
        return None
    table = np.full(span, -1, dtype=np.int32)
    table[live - live[0]] = np.arange(len(live), dtype=np.int32)
    return table
