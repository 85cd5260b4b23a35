"""Hybrid search in an engine: two requests, in which both legs score what either has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...cluster.plan import FoundPoint, Plan, Selection
from ...cluster.terms import asked_terms, shares
from ..search.hybrid import CANDIDATES, FusionCandidates
from ..search.late import Answer, best_windows
from ..search.relevance import MIN_SPREAD
from .asking import ask

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...cluster.backend import Backend
    from ...cluster.points import Sparse
    from ..search.late import Query
    from .asking import LatePlans
    from .knowledge import Known
    from .rows import FoundRows


@dataclass(frozen=True, eq=False)
class BothLegs:
    """Lets both legs bring candidates, and score all of them.

    Attributes:
        backend: the engine.
        plans: makes the plans of the late leg.
        known: what is known of the part that is asked.
        rows: takes what is found.
    """

    backend: Backend
    plans: LatePlans
    known: Known
    rows: FoundRows

    def candidates(
        self, queries: Sequence[Sequence[Query]], k: int, selection: Selection
    ) -> list[FusionCandidates]:
        """Let each leg bring its best passages for each query, and score all of them by both.

        Args:
            queries: the windows of each.
            k: how many passages are wanted in the end.
            selection: among which windows.
        """
        limit = max(CANDIDATES, 3 * k)
        terms = [asked_terms(query[0].text) for query in queries]
        late = [
            self.plans.plan(window.encoded.vectors, limit, selection)
            for query in queries
            for window in query
        ]
        heads = replace(selection, heads=True)
        words = [Plan("words", asked, limit, selection=heads) for asked in terms if len(asked.ids)]
        found = ask(self.backend, [*late, *words], limit)
        answers, by_words = iter(found[: len(late)]), iter(found[len(late) :])
        return [
            self._scored_by_both(
                query,
                [next(answers) for _ in query],
                next(by_words) if len(asked.ids) else [],
                asked,
                k,
            )
            for query, asked in zip(queries, terms, strict=True)
        ]

    def _scored_by_both(
        self,
        query: Sequence[Query],
        late: Sequence[Sequence[FoundPoint]],
        lexical: Sequence[FoundPoint],
        terms: Sparse,
        k: int,
    ) -> FusionCandidates:
        limit = max(CANDIDATES, 3 * k)
        answer = best_windows(query, [self.rows.ranking(one) for one in late], limit)
        words = self.rows.ranking(lexical)
        ranks = {
            "late": _ranks(answer.ranking.rows, answer.ranking.scores),
            "lexical": _ranks(words.rows, words.scores),
        }
        missing = np.setdiff1d(words.rows, answer.ranking.rows)
        more, held = self._complete(query, missing, answer.ranking.rows, terms)
        if len(missing):
            rankings = [self.rows.ranking(one) for one in more]
            answer = Answer.joined([answer, best_windows(query, rankings, len(missing))])
        ranked = answer.ranking
        bm25, has = self._by_words(ranked.rows, held, terms)
        cosines = answer.cosines(query)
        spread = self._spread(cosines)
        # Deviations of windows are in units of what they score by chance already.
        distances = ranked.scores if len(query) > 1 else cosines / np.float32(spread)
        return FusionCandidates(
            k,
            ranked,
            answer.asked,
            distances,
            float(cosines.max(initial=0.0)),
            bm25,
            has,
            spread,
            self._languages(ranked.rows),
            ranks,
        )

    def _complete(
        self,
        query: Sequence[Query],
        missing: npt.NDArray[np.int64],
        late: npt.NDArray[np.int64],
        terms: Sparse,
    ) -> tuple[list[list[FoundPoint]], list[FoundPoint]]:
        """Ask each leg for what only the other has found, in one request.

        Returns:
            The windows of ``missing`` for each window of the query, and the heads of both that
            share a term with it, with their terms.
        """
        lacking = self._ids(missing)
        plans: list[Plan] = []
        if lacking:
            windows = self.known.windows / max(1, self.known.passages)
            limit = round(len(lacking) * max(1.0, windows)) + CANDIDATES
            only = Selection(ids=lacking)
            plans = [Plan("colbert", one.encoded.vectors, limit, selection=only) for one in query]
        ids = self._ids(np.union1d(missing, late))
        if len(terms.ids) and ids:
            only = Selection(ids=ids, heads=True)
            plans.append(Plan("words", terms, len(ids), selection=only, fetch=("words",)))
        found = self.backend.search(plans) if plans else []
        count = len(query) if lacking else 0
        return found[:count], (found[count] if len(found) > count else [])

    def _by_words(
        self, rows: npt.NDArray[np.int64], held: Sequence[FoundPoint], terms: Sparse
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return BM25 of rows, and which part of the query's terms each of them has."""
        has = shares(terms, [one.point.vectors.words for one in held])
        scored = {
            self.rows.keep(one.point): (one.score, share)
            for one, share in zip(held, has, strict=True)
        }
        both = np.array([scored.get(row, (0.0, 0.0)) for row in rows.tolist()], np.float32)
        columns = both.reshape(len(rows), 2)
        return columns[:, 0].copy(), columns[:, 1].copy()

    def _ids(self, rows: npt.NDArray[np.int64]) -> tuple[str, ...]:
        return tuple([self.rows.id(row) for row in rows.tolist()])

    def _languages(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int16] | None:
        """Return a number for the language of each row; None where the part has one."""
        if not self.known.is_mixed:
            return None
        numbers: dict[str, int] = {}
        named = [self.rows.language(row) for row in rows.tolist()]
        return np.array([numbers.setdefault(one, len(numbers)) for one in named], np.int16)

    def _spread(self, cosines: npt.NDArray[np.floating]) -> float:
        """Return the spread of the part; that of the candidates where it has few passages."""
        own = self.known.chance.own
        if own is not None:
            return own.spread
        return max(float(cosines.std()) if len(cosines) else 0.0, MIN_SPREAD)


def _ranks(rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]) -> dict[int, int]:
    """Return the rank of each row, 1 for the best; those that tie share theirs."""
    ranks = 1 + np.searchsorted(-scores, -scores)
    return dict(zip(rows.tolist(), ranks.tolist(), strict=True))
