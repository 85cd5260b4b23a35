"""The legs of a search, late interaction and BM25, and both together, over one snapshot."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..._support.forking import renew_in_child
from ...errors import ConfigError
from ...index.base import Ranking
from ...index.lexical.analyser import weigh
from ...index.lexical.blocks import Numbers
from ...index.lexical.bm25 import Bm25, LexicalRanking, ReadLists
from ...index.lexical.postings import LENGTHS
from ...storage.tunings import Fusion
from ...types import Leg, Mode
from .fusion import fuse
from .language_fusion import Standout, fuse_languages
from .late import Answer, Query, ask
from .plan import FusionPlan
from .relevance import MIN_SPREAD

if TYPE_CHECKING:
    from ...storage.folder import IndexFolder
    from ...storage.home import Snapshot
    from ...storage.posting_lists import FoundPostings
    from ...storage.posting_sql import LexicalState
    from ...storage.readable import ReadableStore
    from .chance import Chances
    from .index_cache import IndexCache
    from .mixed_languages import Languages
    from .own_chances import OwnChances

# Candidates that each leg brings to a fused ranking: so many, or thrice the hits wanted.
CANDIDATES = 50


@dataclass(frozen=True, eq=False)
class FusionCandidates:
    """What both legs say of the candidates of one query.

    Attributes:
        wanted: how many passages are wanted in the end.
        late: the candidates as the late leg scores them.
        asked: ``(n,)`` int64 which window of the query gave each of these scores.
        distances: ``(n,)`` the same scores as :func:`~.fusion.fuse` takes them.
        cosine: the greatest mean cosine of the query's tokens and what answered them best.
        bm25: ``(n,)`` BM25 of the same rows, in that order.
        shares: ``(n,)`` which part of the query's terms each of them has, 0..1.
        spread: of mean cosines, see :attr:`~.relevance.BaselineSample.spread`.
        languages: ``(n,)`` a number for the language of each; None where the index has one.
        ranks: of each leg, by row, of the candidates that it brought.
    """

    wanted: int
    late: Ranking
    asked: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float32]
    cosine: float
    bm25: npt.NDArray[np.float32]
    shares: npt.NDArray[np.float32]
    spread: float
    languages: npt.NDArray[np.int16] | None
    ranks: Mapping[str, Mapping[int, int]]

    @property
    def legs(self) -> LegsByRow:
        """What each leg says of each candidate, for hits."""
        return LegsByRow(self)

    @property
    def share(self) -> float:
        """The greatest of :attr:`shares`."""
        return float(self.shares.max(initial=0.0))

    def scores(self, fusion: Fusion) -> npt.NDArray[np.float64]:
        """Return ``(n,)`` the fused scores of the candidates."""
        if self.languages is None:
            return fuse(self.distances, self.bm25, self.share, fusion)
        return fuse_languages(self.distances, self.bm25, self.shares, self.languages, fusion)

    def fused(self, fusion: Fusion) -> Answer:
        """Rank the candidates by both legs: as many as are wanted, and those that tie."""
        scores = self.scores(fusion).astype(np.float32)
        order = np.argsort(-scores, kind="stable")
        late = self.late
        ranking = Ranking(late.rows[order], scores[order], late.windows[order])
        return Answer(ranking, self.asked[order]).cut(self.wanted)

    def plan(self, fusion: Fusion) -> FusionPlan:
        """Return what each leg brought, for people."""
        late, lexical = self.ranks["late"].keys(), self.ranks["lexical"].keys()
        return FusionPlan(
            late=len(late),
            lexical=len(lexical),
            both=len(late & lexical),
            cosine=self.cosine,
            spread=self.spread,
            share=self.share,
            trust=fusion.trust(self.share),
            weight=fusion.weight,
            between=None if self.languages is None else Standout().trust(self.shares),
        )


class LegsByRow(Mapping[int, Mapping[str, Leg]]):
    """What each leg says of candidates, by row; made when it is asked for, as of few it is.

    Args:
        candidates: the candidates.
    """

    def __init__(self, candidates: FusionCandidates) -> None:
        self._candidates = candidates
        self._places = {row: place for place, row in enumerate(candidates.late.rows.tolist())}

    def __len__(self) -> int:
        """Return the number of candidates."""
        return len(self._places)

    def __iter__(self) -> Iterator[int]:
        """Yield their rows."""
        return iter(self._places)

    def __getitem__(self, row: int) -> Mapping[str, Leg]:
        """Return what each leg says of a row."""
        place, found = self._places[row], self._candidates
        scores = {"late": found.late.scores, "lexical": found.bm25}
        return {
            name: Leg(found.ranks[name].get(row), float(column[place]))
            for name, column in scores.items()
        }


class Legs:
    """The ways to search one index.

    Args:
        store: the index.
        indexes: searches its vectors.
        chances: what is known of scores by chance.
        languages: in which its passages are.
    """

    def __init__(
        self,
        store: ReadableStore,
        indexes: IndexCache,
        chances: Chances | OwnChances,
        languages: Languages,
    ) -> None:
        self._store, self._indexes, self._chances = store, indexes, chances
        self._languages = languages
        self._making = threading.Lock()
        # Of which folder and generation: a snapshot would keep the files of segments mapped.
        self._made: tuple[IndexFolder, int, Bm25] | None = None
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._making = threading.Lock()

    def prepare(self, snapshot: Snapshot) -> None:
        """Work out beforehand what questions by terms need, where there was one."""
        if self._made is not None:
            self._bm25(snapshot)

    def default(self) -> Mode:
        """Return how to search unless told otherwise: by both legs as far as there are terms."""
        state = self._store.catalog.postings.state()
        return "hybrid" if state is not None and state.is_complete else "late"

    def lexical(
        self,
        snapshot: Snapshot,
        query: str,
        k: int,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> LexicalRanking:
        """Rank passages by the terms that they share with a query.

        Raises:
            ConfigError: the index keeps no posting lists, or they are not complete.
        """
        terms, bm25 = weigh(query), self._bm25(snapshot)
        with self._reading() as read:
            return bm25.search(read, terms, k, rows)

    def candidates(
        self,
        snapshot: Snapshot,
        queries: Sequence[Sequence[Query]],
        k: int,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> list[FusionCandidates]:
        """Let each leg bring its best passages for each query, and score all of them by both.

        Args:
            snapshot: what to search.
            queries: the windows of each.
            k: how many passages are wanted in the end.
            rows: ascending rows to which the search is limited; None for all.

        Raises:
            ConfigError: the index keeps no posting lists, or they are not complete.
        """
        limit = max(CANDIDATES, 3 * k)
        found = ask(self._indexes.get(snapshot), queries, limit, rows)
        return [
            self._scored_by_both(snapshot, query, late, k, rows)
            for query, late in zip(queries, found, strict=True)
        ]

    def _scored_by_both(
        self,
        snapshot: Snapshot,
        query: Sequence[Query],
        answer: Answer,
        k: int,
        rows: npt.NDArray[np.int64] | None,
    ) -> FusionCandidates:
        terms, bm25 = weigh(query[0].text), self._bm25(snapshot)
        with self._reading() as read:
            scored = bm25.score(read, terms)
        lexical = bm25.best(scored, max(CANDIDATES, 3 * k), rows)
        late = answer.ranking
        ranks = {
            "late": _ranks(late.rows, late.scores),
            "lexical": _ranks(lexical.rows, lexical.scores),
        }
        missing = np.setdiff1d(lexical.rows, late.rows)
        if len(missing):
            index = self._indexes.get(snapshot)
            (more,) = ask(index, [query], len(missing), missing)
            answer = Answer.joined([answer, more])
            late = answer.ranking
        scores, shares = bm25.of(scored, late.rows)
        cosines = answer.cosines(query)
        spread = self._spread(snapshot, cosines)
        # Deviations of windows are in units of what they score by chance already.
        distances = late.scores if len(query) > 1 else cosines / np.float32(spread)
        cosine = float(cosines.max(initial=0.0))
        mixed = self._languages.mixed(snapshot)
        languages = None if mixed is None else mixed.of(late.rows)
        return FusionCandidates(
            k, late, answer.asked, distances, cosine, scores, shares, spread, languages, ranks
        )

    def _spread(self, snapshot: Snapshot, cosines: npt.NDArray[np.floating]) -> float:
        """Return the spread of the index; that of the candidates where there are few passages."""
        own = self._chances.of(snapshot).own
        if own is not None:
            return own.spread
        return max(float(cosines.std()) if len(cosines) else 0.0, MIN_SPREAD)

    def _postings(self, terms: list[str], above: int = -1) -> Mapping[str, tuple[Numbers, Numbers]]:
        return _complete(self._store.catalog.postings.read(terms, above))

    @contextmanager
    def _reading(self) -> Iterator[ReadLists]:
        """Give what reads lists of terms, all in one state."""
        with self._store.catalog.postings.reading() as read:
            yield lambda terms: _complete(read(terms))

    def _bm25(self, snapshot: Snapshot) -> Bm25:
        with self._making:
            if self._made is None or self._made[:2] != (snapshot.folder, snapshot.generation):
                made = self._make_bm25(snapshot)
                self._made = snapshot.folder, snapshot.generation, made
            return self._made[2]

    def _make_bm25(self, snapshot: Snapshot) -> Bm25:
        """Read how many terms the passages have, or only those that came since the last time."""
        live, none = snapshot.segments.rows, np.empty(0, dtype=np.int64)
        if self._made is not None:
            folder, generation, former = self._made
            if former.rows is live:  # as a part of an index tells in which others wrote
                return former
            if folder is snapshot.folder and generation < snapshot.generation:
                found = self._postings([LENGTHS], former.last)
                return former.later(live, found.get(LENGTHS, (none, none)))
        return Bm25(live, self._postings([LENGTHS]).get(LENGTHS, (none, none)))


def _complete(found: FoundPostings) -> Mapping[str, tuple[Numbers, Numbers]]:
    if not found.is_complete:
        raise _incomplete(found.state)
    return found.lists


def _incomplete(state: LexicalState | None) -> ConfigError:
    """Return the error about an index that cannot be searched by terms now."""
    if state is None:
        return ConfigError(
            "this index keeps no terms of its passages. Open it with lexical=True to have them, "
            'or search with mode="late".'
        )
    return ConfigError(
        f"the terms of {state.last - state.next + 1:,} passages are not filled in yet, since they "
        'are kept only lately. Call optimize(), or search with mode="late".'
    )


def _ranks(rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]) -> dict[int, int]:
    """Return the rank of each row, 1 for the best; those that tie share theirs."""
    ranks = 1 + np.searchsorted(-scores, -scores)
    return dict(zip(rows.tolist(), ranks.tolist(), strict=True))
