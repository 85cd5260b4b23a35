"""The part of the facade that answers questions: by meaning, by words, or by both."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from ..._support.validation import check_k, check_query
from ...errors import InputError
from ...filters import Filter, parse_where
from ...index import Ranking
from ...index.lexical.bm25 import LexicalRanking
from ...storage.store import Snapshot, Store
from ...types import Hit, Leg, Match, Passage, TokenMatrix, TokenVectors, Where
from .fusion import check_mode
from .hits import Question, explain_row, lexical_hits, ranked_hits
from .hybrid import Legs, fused
from .relevance import Backgrounds

# A search that met passages which were forgotten meanwhile is repeated so often.
_TRIES = 3


class Searching:
    """The part of :class:`~lfm2_colbert_rag.Retriever` that ranks passages for questions."""

    _store: Store
    _legs: Legs
    _mode: str
    _asked: deque[TokenMatrix]
    _backgrounds: Backgrounds

    def _encode(self, queries: list[str]) -> list[TokenVectors]:
        raise NotImplementedError

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        where: Where | None = None,
        mode: str | None = None,
    ) -> list[Hit]:
        """Find the passages that answer a question best.

        Args:
            query: the question, in any language of the model.
            k: how many passages at most; fewer come back only when fewer match ``where``.
            where: metadata filter, applied before ranking, for example
                ``{"product": "router", "year": {"$gte": 2024}}``.
            mode: ``"late"``: by the meaning of words, in any language. ``"lexical"``: by the words
                themselves (BM25), which needs no model; only passages that share some come back.
                ``"hybrid"``: both together. None: as the retriever was opened.

        Returns:
            Hits, best first; equal scores are ordered by id. Empty for an empty index.

        Raises:
            InputError: a blank query, or a k below 1.
            FilterError: the filter is malformed.
            ConfigError: an unknown mode, or one that asks for words that the index does not keep.
        """
        return self.search_many([query], k, where=where, mode=mode)[0]

    def search_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        where: Where | None = None,
        mode: str | None = None,
    ) -> list[list[Hit]]:
        """Answer several questions in one pass over the index; see :meth:`search`."""
        if isinstance(queries, str) or not isinstance(queries, Sequence):
            raise InputError("queries must be a list of strings; for a single one use search().")
        texts = [check_query(query) for query in queries]
        check_k(k)
        condition = None if where is None else parse_condition(where)
        mode = check_mode(mode, self._mode)
        if mode != "late":
            self._legs.prepare()
        if not texts:
            return []
        if mode == "lexical":
            return self._search_words(texts, k, condition)
        encoded = self._encode(texts)
        self._asked.extend(one.vectors for one in encoded)
        questions = self._questions(texts, encoded, self._store.snapshot())
        for _ in range(_TRIES):
            snapshot = self._store.snapshot()
            if mode == "late":
                rankings, legs = self._rank(snapshot, encoded, k, condition), None
            else:
                rankings, legs = self._rank_by_both(snapshot, questions, k, condition)
            passages = self._passages(rankings)
            if passages is not None:
                break
        return [
            ranked_hits(
                question, ranking, snapshot.index, passages or {}, k, legs[place] if legs else None
            )
            for place, (question, ranking) in enumerate(zip(questions, rankings, strict=True))
        ]

    async def asearch(
        self,
        query: str,
        k: int = 10,
        *,
        where: Where | None = None,
        mode: str | None = None,
    ) -> list[Hit]:
        """Do what :meth:`search` does without blocking the event loop."""
        return await asyncio.to_thread(self.search, query, k, where=where, mode=mode)

    def _questions(
        self, texts: Sequence[str], encoded: Sequence[TokenVectors], snapshot: Snapshot
    ) -> list[Question]:
        background = self._backgrounds.of(snapshot.generation, snapshot.segments)
        return [
            Question(text, one, None if background is None else background.chance(one.vectors))
            for text, one in zip(texts, encoded, strict=True)
        ]

    def _allowed(self, snapshot: Snapshot, where: Filter | None) -> npt.NDArray[np.int64] | None:
        return None if where is None else self._store.catalog.select(where, snapshot.generation)

    def _rank(
        self, snapshot: Snapshot, encoded: Sequence[TokenVectors], k: int, where: Filter | None
    ) -> list[Ranking]:
        rows = self._allowed(snapshot, where)
        return snapshot.index.search([one.vectors for one in encoded], k, rows=rows)

    def _rank_by_both(
        self, snapshot: Snapshot, questions: Sequence[Question], k: int, where: Filter | None
    ) -> tuple[list[Ranking], list[Mapping[int, Mapping[str, Leg]]]]:
        rows, fusion = self._allowed(snapshot, where), self._legs.fusion()
        asked = [(one.text, one.encoded.vectors) for one in questions]
        found = self._legs.candidates(snapshot, asked, k, rows)
        return [fused(one, fusion) for one in found], [one.legs for one in found]

    def _search_words(self, texts: Sequence[str], k: int, where: Filter | None) -> list[list[Hit]]:
        """Answer by words alone; the model is loaded only if somebody asks for evidence."""
        for _ in range(_TRIES):
            snapshot = self._store.snapshot()
            rows = self._allowed(snapshot, where)
            rankings = [self._legs.lexical(snapshot, text, k, rows) for text in texts]
            passages = self._passages(rankings)
            if passages is not None:
                break
        known = passages or {}

        def find_evidence(text: str, row: int) -> tuple[Match, ...]:
            question = Question(text, self._encode([text])[0])
            return explain_row(question, row, known[row], snapshot.index).matches

        return [
            lexical_hits(ranking, known, k, partial(find_evidence, text))
            for text, ranking in zip(texts, rankings, strict=True)
        ]

    def _passages(self, rankings: Sequence[Ranking | LexicalRanking]) -> dict[int, Passage] | None:
        """Return the ranked passages; None if some were deleted, and forgotten, meanwhile."""
        rows = np.unique(np.concatenate([ranking.rows for ranking in rankings]))
        passages = self._store.catalog.passages(rows.tolist())
        return passages if len(passages) == len(rows) else None


def parse_condition(where: Where | None) -> Filter:
    """Return a filter that was given, or one that everything matches."""
    return parse_where({} if where is None else where)
