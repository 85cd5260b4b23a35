"""The two legs of a search, and both together, over one snapshot of an index."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..._support.progress import ProgressLike, reporting
from ...errors import ConfigError
from ...index import Ranking
from ...index.lexical.analyser import weigh
from ...index.lexical.bm25 import Bm25, LexicalRanking
from ...index.lexical.postings import LENGTHS, Numbers, Postings
from ...storage.store import Snapshot, Store
from ...types import Leg, TokenMatrix
from .fusion import Fusion, fuse
from .plan import FusionPlan
from .relevance import LEAST_SPREAD, Backgrounds

# Candidates that each leg brings to a fused ranking: so many, or thrice the hits wanted.
CANDIDATES = 50
# Passages filled into the lexical index in one transaction.
_FILLED = 1000


@dataclass(frozen=True, eq=False)
class Candidates:
    """What both legs say of the candidates of one query.

    Attributes:
        late: the candidates as the late leg scores them.
        lexical: ``(n,)`` BM25 of the same rows, in that order.
        shares: ``(n,)`` which part of the query's terms each of them has, 0..1.
        length: number of query vectors.
        spread: of mean cosines, see :attr:`~.relevance.Background.spread`.
        legs: the same for hits, by row.
    """

    late: Ranking
    lexical: npt.NDArray[np.float32]
    shares: npt.NDArray[np.float32]
    length: int
    spread: float
    legs: Mapping[int, Mapping[str, Leg]]

    @property
    def cosines(self) -> npt.NDArray[np.float32]:
        """``(n,)`` the mean cosine of the query's tokens and what answered them best."""
        return self.late.scores / np.float32(max(1, self.length))

    @property
    def distances(self) -> npt.NDArray[np.float32]:
        """``(n,)`` the same in units of :attr:`spread`."""
        return self.cosines / np.float32(self.spread)

    @property
    def share(self) -> float:
        """The greatest of :attr:`shares`."""
        return float(self.shares.max(initial=0.0))

    def plan(self, fusion: Fusion) -> FusionPlan:
        """Return what each leg brought, for people."""
        brought = {
            name: {row for row, legs in self.legs.items() if legs[name].rank is not None}
            for name in ("late", "lexical")
        }
        return FusionPlan(
            late=len(brought["late"]),
            lexical=len(brought["lexical"]),
            both=len(brought["late"] & brought["lexical"]),
            cosine=float(self.cosines.max(initial=0.0)),
            spread=self.spread,
            share=self.share,
            method=fusion.method,
            trust=fusion.trust(self.share),
            weight=fusion.weight,
        )


class Legs:
    """The ways to search one index.

    Args:
        store: the index.
        backgrounds: what is known of it by chance.
    """

    def __init__(self, store: Store, backgrounds: Backgrounds) -> None:
        self._store, self._backgrounds = store, backgrounds
        self._making = threading.Lock()
        self._made: tuple[int, Bm25] | None = None

    def prepare(self, progress: ProgressLike = None) -> None:
        """Fill the lexical index with what it lacks; nothing happens where it is complete.

        Raises:
            ConfigError: the index was made without one.
            IndexLockedError: another writer held the index for too long; what is filled stays.
            StorageFullError: the disk is full; what is filled stays.
        """
        lists = self._store.catalog.postings
        state = lists.state()
        if state is None:
            raise ConfigError(
                "this index was made without a lexical index. Open it with lexical=True to have "
                'one, or search with mode="late".'
            )
        if state.is_complete:
            return
        with reporting(progress, state.last - state.next + 1, "indexing words") as report:
            while not (state := lists.state() or state).is_complete:
                texts = lists.pending(_FILLED)
                postings = Postings.of([text for _, text in texts])
                with self._store.locks.writing():
                    lists.fill([row for row, _ in texts], postings)
                report(len(texts))

    def lexical(
        self, snapshot: Snapshot, query: str, k: int, rows: Numbers | None = None
    ) -> LexicalRanking:
        """Rank passages by the words that they share with a query."""
        terms = weigh(query)
        return self._bm25(snapshot).search(self._postings(list(terms)), terms, k, rows)

    def candidates(
        self,
        snapshot: Snapshot,
        questions: Sequence[tuple[str, TokenMatrix]],
        k: int,
        rows: Numbers | None = None,
    ) -> list[Candidates]:
        """Let each leg bring its best passages for each question, and score all of them by both.

        Args:
            snapshot: what to search.
            questions: texts and their vectors.
            k: how many passages are wanted in the end.
            rows: rows to which the search is limited; None for all.
        """
        most = max(CANDIDATES, 3 * k)
        found = snapshot.index.search([vectors for _, vectors in questions], most, rows=rows)
        return [
            self._scored_by_both(snapshot, question, late, most, rows)
            for question, late in zip(questions, found, strict=True)
        ]

    def _scored_by_both(
        self,
        snapshot: Snapshot,
        question: tuple[str, TokenMatrix],
        late: Ranking,
        most: int,
        rows: Numbers | None,
    ) -> Candidates:
        query, vectors = question
        terms = weigh(query)
        postings = self._postings(list(terms))
        bm25 = self._bm25(snapshot)
        scored = bm25.score(postings, terms)
        words = bm25.best(scored, most, rows)
        ranks = _ranks(late.rows, late.scores), _ranks(words.rows, words.scores)
        missing = np.setdiff1d(words.rows, late.rows)
        if len(missing):
            more = snapshot.index.search([vectors], len(missing), rows=missing)[0]
            late = _joined(late, more)
        lexical, shares = bm25.of(scored, late.rows)
        legs = {
            row: {
                "late": Leg(ranks[0].get(row), score),
                "lexical": Leg(ranks[1].get(row), word_score),
            }
            for row, score, word_score in zip(
                late.rows.tolist(), late.scores.tolist(), lexical.tolist(), strict=True
            )
        }
        spread = self._spread(snapshot, late.scores / max(1, len(vectors)))
        return Candidates(late, lexical, shares, len(vectors), spread, legs)

    def _spread(self, snapshot: Snapshot, cosines: npt.NDArray[np.floating]) -> float:
        """Return the spread of the index; that of the candidates where there are few passages."""
        background = self._backgrounds.of(snapshot.generation, snapshot.segments)
        if background is not None:
            return background.spread
        return max(float(cosines.std()) if len(cosines) else 0.0, LEAST_SPREAD)

    def fusion(self) -> Fusion:
        """Return how this index fuses: as it was tuned, or the default."""
        return Fusion.from_dict(self._store.catalog.settings().get("fusion"))

    def _postings(self, terms: list[str]) -> dict[str, tuple[Numbers, Numbers]]:
        while not (found := self._store.catalog.postings.read(terms)).is_complete:
            self.prepare()  # passages came without lists meanwhile
        return found.lists

    def _bm25(self, snapshot: Snapshot) -> Bm25:
        with self._making:
            if self._made is None or self._made[0] != snapshot.generation:
                none = np.empty(0, dtype=np.int64)
                lengths = self._postings([LENGTHS]).get(LENGTHS, (none, none))
                self._made = snapshot.generation, Bm25(_live_rows(snapshot), lengths)
            return self._made[1]


def fused(candidates: Candidates, fusion: Fusion) -> Ranking:
    """Rank candidates by both legs."""
    late = candidates.late
    exact = fuse(candidates.distances, candidates.lexical, candidates.share, fusion)
    scores = exact.astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    return replace(late, rows=late.rows[order], scores=scores[order], windows=late.windows[order])


def _live_rows(snapshot: Snapshot) -> Numbers:
    rows = [live.rows for live in snapshot.segments]
    return np.unique(np.concatenate(rows)) if rows else np.empty(0, dtype=np.int64)


def _ranks(rows: Numbers, scores: npt.NDArray[np.float32]) -> dict[int, int]:
    """Return the rank of each row, 1 for the best; those that tie share theirs."""
    ranks = 1 + np.searchsorted(-scores, -scores)
    return dict(zip(rows.tolist(), ranks.tolist(), strict=True))


def _joined(one: Ranking, other: Ranking) -> Ranking:
    return Ranking(
        np.concatenate((one.rows, other.rows)),
        np.concatenate((one.scores, other.scores)),
        np.concatenate((one.windows, other.windows)),
    )
