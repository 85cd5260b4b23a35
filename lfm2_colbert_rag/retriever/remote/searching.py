"""The read path of an index in an engine: questions answered by meaning, by terms, or by both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from ..._support.characters import is_blank
from ...cluster.plan import FoundPoint, Plan, Selection
from ...cluster.points import Sparse
from ...cluster.terms import asked_terms, shares
from ...encoder.documents import ENCODED
from ...encoder.queries import asking_for
from ...errors import ConfigError, PassageNotFoundError
from ...index.base import Ranking
from ...index.lexical.bm25 import LexicalRanking
from ...storage.row_languages import is_mixed
from ...storage.tunings import Fusion
from ..ingest.languages import tell_languages
from ..search.adapting import Adapting, adapted
from ..search.chance import chance_of
from ..search.diversity import diversify
from ..search.found import TermsFound, VectorsFound, windows_asked, windows_to_rank
from ..search.hits import blank_hits, explain_answer, matching_hits, reranked_hits
from ..search.late import Answer, Query, best_windows, joined
from ..search.mixed_languages import MIXED
from ..search.plan import SearchPlan
from ..search.questions import Question, read_questions
from ..search.reranking import encoded_windows
from .asking import LatePlans, ask
from .both import BothLegs
from .knowledge import Knowledge, Known
from .reading import RemoteReader
from .rows import FoundRows, HeldWindows

if TYPE_CHECKING:
    from ...encoder import Encoder
    from ...encoder.query_adapter import QueryAdapter
    from ...types import Hit, Leg, Match, Mode, Passage
    from ..search.adapting import QueryAdapterLike
    from ..search.asked import Asked
    from ..search.explanation import Explanation
    from ..search.found import Found, Ranked
    from .home import RemoteHome

_TIES = 8  # passages that may tie with the last that is wanted


class RemoteSearcher:
    """Ranks the passages of a part of an index in an engine.

    Args:
        home: the index.
        reader: reads the part's passages.
        query_adapter: see :class:`~lfm2_colbert_rag.retriever.search.adapting.Adapting`.
        party: whose part it is, see :func:`~lfm2_colbert_rag.encoder.queries.asking_for`.

    Attributes:
        knowledge: what is known of the part.
        exact: rank every window, rather than candidates.
    """

    def __init__(
        self,
        home: RemoteHome,
        reader: RemoteReader,
        query_adapter: QueryAdapterLike | None = None,
        *,
        party: str | None = None,
        exact: bool = False,
    ) -> None:
        self._home, self._reader, self._party = home, reader, party
        self._adapting = Adapting(query_adapter)
        self.knowledge = Knowledge(home, reader.all)
        self.exact = exact

    def mode(self, asked: Asked) -> Mode:
        """Return how something is answered."""
        if asked.mode is not None:
            return asked.mode
        return "hybrid" if self._home.settings.lexical else "late"

    def search_many(self, texts: Sequence[str], asked: Asked) -> list[list[Hit]]:
        """Answer checked queries; what is blank asks for whatever matches the filter."""
        written = [text for text in texts if not is_blank(text)]
        answers = iter(self._found(written, asked).hits(asked.k) if written else [])
        return [self._matching(asked) if is_blank(text) else next(answers) for text in texts]

    def rank_many(self, texts: Sequence[str], asked: Asked) -> list[Ranked]:
        """Do what :meth:`search_many` does, but give ids and scores alone."""
        written = [text for text in texts if not is_blank(text)]
        answers = iter(self._found(written, asked).ranks(asked.k) if written else [])
        return [
            [(hit.id, hit.score) for hit in self._matching(asked)]
            if is_blank(text)
            else next(answers)
            for text in texts
        ]

    def search_diverse(self, text: str, asked: Asked, *, weight: float, fetch_k: int) -> list[Hit]:
        """Answer a query with passages that do not repeat one another (MMR)."""
        if is_blank(text):
            return self._matching(asked)
        (hits,) = self.search_many([text], replace(asked, k=max(asked.k, fetch_k)))
        windows = self._reader.vectors_of([hit.id for hit in hits])
        hits = [hit for hit in hits if hit.id in windows]
        vectors = [np.concatenate(windows[hit.id]) for hit in hits]
        # By rank: a hybrid search is not ordered by relevance, which is that of the late leg.
        relevance = sorted((hit.relevance for hit in hits), reverse=True)
        return [hits[i] for i in diversify(relevance, vectors, asked.k, weight)]

    def rerank(
        self,
        text: str,
        candidates: Sequence[Passage],
        k: int,
        adapter: QueryAdapterLike | None,
        most_tokens: int | None = None,
    ) -> list[Hit]:
        """Order somebody else's checked texts; blank ones come last.

        Raises:
            TooManyTokensError: they have more than ``most_tokens`` that must be encoded.
        """
        written = [one for one in candidates if not is_blank(one.text)]
        blank = [one for one in candidates if is_blank(one.text)]
        ranked = self._reranked(text, written, k, adapter, most_tokens) if written else []
        return [*ranked, *blank_hits(blank, [hit.score for hit in ranked])][:k]

    def explain(self, text: str, id: str, adapter: QueryAdapterLike | None) -> Explanation:
        """Say which words of a passage answered a checked query.

        Raises:
            PassageNotFoundError: no passage has this id.
        """
        found = self._reader.get([id])
        if not found:
            raise PassageNotFoundError(f"no passage has the id {id!r}.")
        held = HeldWindows(self._reader.windows([id])[0])
        (question,) = self._questions([text], adapter)
        query = windows_asked(question, self.knowledge.now().chance)
        return explain_answer(query, held.answer(query), held, found[0])

    def plan(self, text: str, asked: Asked) -> SearchPlan:
        """Say how a checked query is answered, and how much is looked at."""
        known = self.knowledge.now()
        selection = self._reader.selection(asked.where)
        windows = known.windows if asked.where is None else self._home.backend.count(selection)
        vectors = round(known.vectors * windows / max(1, known.windows))
        if is_blank(text):
            return SearchPlan("filter", windows, vectors)
        (question,) = self._questions([text], asked.query_adapter)
        queries = windows_to_rank(question, known.chance)
        plans = [
            self._plans(known).plan(one.encoded.vectors, asked.k, selection) for one in queries
        ]
        candidates = [sum(one.limit for one in plan.candidates) for plan in plans]
        scored = sum(min(windows, most) if most else windows for most in candidates)
        adapter = self.adapter(asked.query_adapter)
        fused = None
        if self.mode(asked) == "hybrid":
            rows = self._rows()
            (both,) = self._both(known, rows).candidates([queries], asked.k, selection)
            fused = both.plan(self._fusion())
        return SearchPlan(
            "candidates" if any(candidates) else "exact",
            windows,
            vectors,
            scored=scored,
            fusion=fused,
            asked=len(queries),
            unread=question.unread,
            query_adapter=None if adapter is None else adapter.summary,
        )

    def _found(self, texts: Sequence[str], asked: Asked) -> Found:
        selection = self._reader.selection(asked.where)
        mode = self.mode(asked)
        if mode != "late" and not self._home.settings.lexical:
            raise ConfigError(
                f'{self._home.name} keeps no terms of its passages; search it with mode="late".'
            )
        if mode == "lexical":
            return self._terms(texts, asked, selection)
        questions, known = self._questions(texts, asked.query_adapter), self.knowledge.now()
        queries = [windows_to_rank(question, known.chance) for question in questions]
        rows = self._rows()
        legs: Sequence[Mapping[int, Mapping[str, Leg]] | None] = [None for _ in queries]
        if mode == "hybrid":
            candidates = self._both(known, rows).candidates(queries, asked.k, selection)
            answers = [one.fused(self._fusion()) for one in candidates]
            legs = [one.legs for one in candidates]
        else:
            answers = self._late(queries, asked.k, selection, known, rows)
        passages = rows.passages(row for answer in answers for row in answer.ranking.rows.tolist())
        answers = [_only(answer, passages) for answer in answers]
        return VectorsFound(questions, queries, answers, legs, passages, rows, known.chance)

    def _late(
        self,
        queries: Sequence[Sequence[Query]],
        k: int,
        selection: Selection,
        known: Known,
        rows: FoundRows,
    ) -> list[Answer]:
        plans = self._plans(known)
        asked = [
            plans.plan(window.encoded.vectors, k, selection)
            for windows in queries
            for window in windows
        ]
        found = iter(ask(self._home.backend, asked, k))
        return [
            best_windows(windows, [rows.ranking(next(found)) for _ in windows], k)
            for windows in queries
        ]

    def _terms(self, texts: Sequence[str], asked: Asked, selection: Selection) -> TermsFound:
        """Answer by BM25 alone; the model is loaded only if somebody asks for evidence."""
        rows, heads = self._rows(), replace(selection, heads=True)
        queries = [asked_terms(text) for text in texts]
        plans = [
            Plan("words", query, asked.k + _TIES, selection=heads, fetch=("words",))
            for query in queries
            if len(query.ids)
        ]
        found = iter(ask(self._home.backend, plans, asked.k))
        rankings = [
            _lexical(rows, query, next(found)) if len(query.ids) else _no_terms()
            for query in queries
        ]
        passages = rows.passages(row for one in rankings for row in one.rows.tolist())
        read = lru_cache(len(texts))(partial(self._question, asked.query_adapter))
        return TermsFound(texts, rankings, passages, partial(self._evidence, rows, passages, read))

    def _evidence(
        self,
        rows: FoundRows,
        passages: Mapping[int, Passage],
        read: Callable[[str], Question],
        text: str,
        row: int,
    ) -> tuple[Match, ...]:
        """Explain a hit of BM25."""
        query = [joined(windows_asked(read(text)))]
        held = HeldWindows(self._reader.windows([passages[row].id])[0])
        return explain_answer(query, held.answer(query), held, passages[row]).matches

    def _reranked(
        self,
        text: str,
        candidates: Sequence[Passage],
        k: int,
        adapter: QueryAdapterLike | None,
        most_tokens: int | None,
    ) -> list[Hit]:
        settings, encoder = self._home.settings.index, self._home.encoder()
        windows = encoded_windows(ENCODED, self._party, settings, encoder, candidates, most_tokens)
        mixed = partial(_are_mixed, candidates)
        chosen = self._adapting.adapter(mixed, lambda: encoder, None, adapter)
        (question,) = adapted(self._read([text]), chosen)
        known = self.knowledge.now()
        chance = known.chance
        if not known.windows:  # then their own length and languages say more
            vectors = [one.encoded.vectors for _, one in windows if len(one.encoded)]
            chance = chance_of(vectors, 0, self.knowledge.background)
        return reranked_hits(windows_asked(question, chance), candidates, windows, k)

    def _matching(self, asked: Asked) -> list[Hit]:
        return matching_hits(self._reader.passages(asked.where, asked.k))

    def _plans(self, known: Known) -> LatePlans:
        return LatePlans(self._home.settings, self._home.codebook(), known, self.exact)

    def _both(self, known: Known, rows: FoundRows) -> BothLegs:
        return BothLegs(self._home.backend, self._plans(known), known, rows)

    def _rows(self) -> FoundRows:
        get = partial(self._home.backend.get, vectors=("colbert",), tokens=True)
        return FoundRows(get, self._reader.shown)

    def _fusion(self) -> Fusion:
        return Fusion.from_dict(self._home.settings.index.fusion)

    def adapter(self, asked: QueryAdapterLike | None) -> QueryAdapter | None:
        """Return the query adapter that questions go by; None for none."""
        return self._adapting.adapter(
            lambda: self.knowledge.now().is_mixed, self._home.encoder, None, asked
        )

    def _questions(self, texts: Sequence[str], adapter: QueryAdapterLike | None) -> list[Question]:
        return adapted(self._read(texts), self.adapter(adapter))

    def _question(self, adapter: QueryAdapterLike | None, text: str) -> Question:
        return self._questions([text], adapter)[0]

    def _read(self, texts: Sequence[str]) -> list[Question]:
        with asking_for(self._party):
            encoder: Encoder = self._home.encoder()
            return read_questions(encoder, texts, self._home.settings.index.dim)


def _lexical(rows: FoundRows, query: Sparse, found: Sequence[FoundPoint]) -> LexicalRanking:
    """Rank what words have found.

    How rare terms are only the engine knows, so what the best that there could be would score is
    told by the shares of terms that were found: a passage that has half of them has half of it.
    """
    ranking = rows.ranking(found)
    best = shares(query, [one.point.vectors.words for one in found])
    scored = [(one.score, share) for one, share in zip(found, best, strict=True) if share > 0]
    ideal = max((score / share for score, share in scored), default=1.0)
    return LexicalRanking(ranking.rows, ranking.scores, ideal)


def _no_terms() -> LexicalRanking:
    none = np.empty(0, np.int64)
    return LexicalRanking(none, none.astype(np.float32), 1.0)


def _only(answer: Answer, passages: Mapping[int, Passage]) -> Answer:
    """Return an answer without passages that were deleted meanwhile."""
    kept = np.isin(answer.ranking.rows, list(passages))
    if kept.all():
        return answer
    one = answer.ranking
    ranking = Ranking(one.rows[kept], one.scores[kept], one.windows[kept])
    return Answer(ranking, answer.asked[kept])


def _are_mixed(candidates: Sequence[Passage]) -> bool:
    return is_mixed(Counter(tell_languages(one.text for one in candidates)), MIXED)
