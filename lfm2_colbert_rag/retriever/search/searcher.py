"""The read path: queries answered by meaning, by terms, or by both."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..._support.characters import is_blank
from ..._support.system_errors import system_errors
from ...encoder.background import Background, encode_background
from ...encoder.queries import asking_for
from ...errors import ConfigError, IndexBusyError, PassageNotFoundError
from ...index.compressed.search import CompressedIndex
from ...index.trace import exact_trace
from ...storage.tunings import Fusion
from .adapting import Adapting, adapted
from .asked import Asked
from .chance import Chances, chance_of
from .diversity import diversify
from .found import Found, Ranked, TermsFound, VectorsFound, windows_asked, windows_to_rank
from .hits import blank_hits, explain_row, matching_hits, reranked_hits
from .hybrid import Legs
from .index_cache import IndexCache
from .late import Query, ask, joined
from .mixed_languages import Languages
from .own_chances import OwnChances
from .plan import SearchPlan
from .questions import Question, read_questions
from .remembered import Remembered
from .reranking import CandidateWindows

if TYPE_CHECKING:
    from ...encoder import Encoder
    from ...encoder.by_space import Encoders
    from ...encoder.lazy import LazyEncoder
    from ...encoder.query_adapter import QueryAdapter
    from ...filters import Filter
    from ...index.base import Index, Ranking
    from ...index.lexical.bm25 import LexicalRanking
    from ...storage.home import Snapshot
    from ...storage.readable import ReadableStore
    from ...types import Hit, Leg, Match, Mode, Passage
    from .adapting import QueryAdapterLike
    from .explanation import Explanation
    from .own_chances import RowKeys

logger = logging.getLogger(__name__)

# Users' own queries, in memory only, that recall and migrations are measured on.
REMEMBERED = 256
# A search that met passages which were forgotten meanwhile is repeated so often.
_TRIES = 3


class Searcher:
    """Ranks the passages of one index, or of a tenant's part of it, for queries.

    Args:
        store: the index.
        encoders: of its spaces.
        query_adapter: see :class:`~.adapting.Adapting`.
        party: whose part it is, see :func:`~lfm2_colbert_rag.encoder.queries.asking_for`.
        row_keys: of a part, see :class:`~.own_chances.OwnChances`; None for a whole index.

    Attributes:
        remembered: the last queries; none of those to a part.
        indexes: the search index of the newest generation.
    """

    def __init__(
        self,
        store: ReadableStore,
        encoders: Encoders,
        query_adapter: QueryAdapterLike | None = None,
        *,
        party: str | None = None,
        row_keys: RowKeys | None = None,
    ) -> None:
        self._store = store
        self._encoders = encoders
        self._party = party
        self._chances = (
            Chances(self._background)
            if row_keys is None
            else OwnChances(self._background, row_keys)
        )
        self._languages = Languages(store)
        self._adapting = Adapting(query_adapter)
        self._was_asked = False
        self.remembered = Remembered(REMEMBERED if party is None else 0)
        self.indexes = IndexCache()
        self._candidates = CandidateWindows(store, party)
        self.legs = Legs(store, self.indexes, self._chances, self._languages)

    def prepare(self) -> None:
        """Do beforehand, after a commit, what the next question would wait for.

        Who adds again and again and asks nothing in between pays once. Nothing that goes wrong
        fails the caller, whose commit stands: the question will say it.
        """
        try:
            snapshot = self._store.snapshot()
            self._chances.prepare(snapshot)
            if self._was_asked:
                self._was_asked = False
                self.indexes.get(snapshot).prepare()
                self.legs.prepare(snapshot)
        except Exception as error:
            logger.debug("nothing was prepared for questions to %s: %s", self._store.folder, error)

    def encode(self, snapshot: Snapshot, queries: Sequence[str]) -> list[Question]:
        """Encode queries of any length, as the model gives them: no adapter maps them yet.

        Args:
            snapshot: the generation that they are put to.
            queries: the queries.

        Raises:
            ModelNotFoundError: the model is no longer where it was.
            ModelError: the encoder gave vectors that cannot be compared.
        """
        with asking_for(self._party):
            encoder = self._encoders.get(snapshot.settings)
            return read_questions(encoder, queries, snapshot.settings.dim)

    def questions(
        self, snapshot: Snapshot, texts: Sequence[str], adapter: QueryAdapterLike | None = None
    ) -> list[Question]:
        """Encode queries as they are put to a generation; errors as in :meth:`encode`.

        Args:
            snapshot: the generation.
            texts: the queries.
            adapter: see :meth:`~.adapting.Adapting.adapter`, errors too.
        """
        return adapted(self.encode(snapshot, texts), self.adapter(snapshot, adapter))

    def adapter(
        self, snapshot: Snapshot, asked: QueryAdapterLike | None = None
    ) -> QueryAdapter | None:
        """Return the query adapter that questions to a generation go by.

        Args:
            snapshot: the generation.
            asked: see :meth:`~.adapting.Adapting.adapter`, errors too.
        """
        mixed = partial(self._languages.are_mixed, snapshot)
        return self._adapting.adapter(mixed, self._model(snapshot), snapshot.adapter, asked)

    def _model(self, snapshot: Snapshot) -> Callable[[], Encoder]:
        """Return what gives the model of a generation."""
        return partial(self._encoders.get, snapshot.settings)

    def mode(self, asked: Asked) -> Mode:
        """Return how something is answered."""
        return self.legs.default() if asked.mode is None else asked.mode

    def queries(self, snapshot: Snapshot, texts: Sequence[str]) -> list[list[Query]]:
        """Encode queries, and say of each of their windows what it scores by chance."""
        questions, chance = self.questions(snapshot, texts), self._chances.of(snapshot)
        return [windows_asked(question, chance) for question in questions]

    def search_many(self, texts: Sequence[str], asked: Asked) -> list[list[Hit]]:
        """Answer checked queries in one pass over the index; see ``Retriever.search``.

        What is blank asks for whatever matches the filter.
        """
        written = [text for text in texts if not is_blank(text)]
        answers = iter(self._answer(written, asked)[1] if written else [])
        return [self._matching(asked) if is_blank(text) else next(answers) for text in texts]

    def rank_many(self, texts: Sequence[str], asked: Asked) -> list[Ranked]:
        """Do what :meth:`search_many` does, but give ids and scores alone."""
        written = [text for text in texts if not is_blank(text)]
        with system_errors(self._store.folder):
            found = self._found(written, asked)[1].ranks(asked.k) if written else []
        answers = iter(found)
        return [
            [(hit.id, hit.score) for hit in self._matching(asked)]
            if is_blank(text)
            else next(answers)
            for text in texts
        ]

    def search_diverse(self, text: str, asked: Asked, *, weight: float, fetch_k: int) -> list[Hit]:
        """Answer a query with passages that do not repeat one another (MMR).

        Args:
            text: the query.
            asked: see :meth:`search_many`.
            weight: what diversity counts beside relevance, 0 to 1.
            fetch_k: among so many of the best hits they are chosen.
        """
        if is_blank(text):
            return self._matching(asked)
        more = replace(asked, k=max(asked.k, fetch_k))
        snapshot, (hits,) = self._answer([text], more)
        rows = self._store.catalog.rows_by_id([hit.id for hit in hits], snapshot.generation)
        hits = [hit for hit in hits if hit.id in rows]
        vectors = [
            np.concatenate([one.encoded.vectors for one in snapshot.segments.windows(rows[hit.id])])
            for hit in hits
        ]
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
        """Order somebody else's checked texts by how well they answer a checked query.

        Blank ones come last: they have no vectors.

        Args:
            text: the query.
            candidates: the texts.
            k: how many to keep.
            adapter: see :meth:`~.adapting.Adapting.adapter`.
            most_tokens: of texts that must be encoded; None for any number.

        Raises:
            TooManyTokensError: there are more.
        """
        written = [one for one in candidates if not is_blank(one.text)]
        blank = [one for one in candidates if is_blank(one.text)]
        ranked = self._reranked(text, written, k, adapter, most_tokens)
        return [*ranked, *blank_hits(blank, [hit.score for hit in ranked])][:k]

    def _reranked(
        self,
        text: str,
        candidates: Sequence[Passage],
        k: int,
        adapter: QueryAdapterLike | None,
        most_tokens: int | None,
    ) -> list[Hit]:
        if not candidates:
            return []
        snapshot = self._store.snapshot()
        model = self._model(snapshot)
        found = self._candidates.of(snapshot, model(), candidates, most_tokens)
        mixed = partial(self._candidates.are_mixed, candidates, found.rows)
        chosen = self._adapting.adapter(mixed, model, snapshot.adapter, adapter)
        (question,) = adapted(self.encode(snapshot, [text]), chosen)
        chance = self._chances.of(snapshot)
        if not snapshot.segments.passages:  # then their own length and languages say more
            vectors = [one.encoded.vectors for _, one in found.windows if len(one.encoded)]
            chance = chance_of(vectors, 0, partial(self._background, snapshot))
        return reranked_hits(windows_asked(question, chance), candidates, found.windows, k)

    def explain(self, text: str, id: str, adapter: QueryAdapterLike | None) -> Explanation:
        """Say which words of a passage answered a checked query.

        Raises:
            PassageNotFoundError: no live passage has this id.
        """
        snapshot = self._store.snapshot()
        rows = self._store.catalog.rows_by_id([id], snapshot.generation)
        if id not in rows:
            raise PassageNotFoundError(f"no passage has the id {id!r}.")
        passage = self._store.catalog.passages([rows[id]])[rows[id]]
        query = windows_asked(
            self.questions(snapshot, [text], adapter)[0], self._chances.of(snapshot)
        )
        return explain_row(query, rows[id], passage, self.indexes.get(snapshot))

    def plan(self, text: str, asked: Asked) -> SearchPlan:
        """Say how a checked query is answered, and how much is looked at."""
        snapshot = self._store.snapshot()
        rows, index = self._allowed(snapshot, asked.where), self.indexes.get(snapshot)
        exact = exact_trace(snapshot.segments, rows)
        if is_blank(text):
            return SearchPlan("filter", exact.windows, exact.vectors)
        adapter = self.adapter(snapshot, asked.query_adapter)
        (question,) = adapted(self.encode(snapshot, [text]), adapter)
        vectors = [window.encoded.vectors for window in question.windows]
        traces = [exact for _ in vectors]
        if isinstance(index, CompressedIndex):
            traces = [one for _, one in index.search_with_traces(vectors, asked.k, rows=rows)]
        fused = None
        if self.mode(asked) == "hybrid":
            query = windows_asked(question, self._chances.of(snapshot))
            (found,) = self.legs.candidates(snapshot, [query], asked.k, rows)
            fused = found.plan(self.fusion(snapshot))
        return SearchPlan.of(
            traces,
            fused,
            unread=question.unread,
            query_adapter=None if adapter is None else adapter.summary,
        )

    @staticmethod
    def fusion(snapshot: Snapshot) -> Fusion:
        """Return how an index fuses: as it was tuned, or the default."""
        return Fusion.from_dict(snapshot.settings.fusion)

    def _answer(self, texts: Sequence[str], asked: Asked) -> tuple[Snapshot, list[list[Hit]]]:
        """Answer queries, and say in which generation."""
        with system_errors(self._store.folder):
            snapshot, found = self._found(texts, asked)
            return snapshot, found.hits(asked.k)

    def _matching(self, asked: Asked) -> list[Hit]:
        """Return what matches a filter, in the order in which it was added."""
        with system_errors(self._store.folder):
            snapshot = self._store.snapshot()
            rows = self._allowed(snapshot, asked.where)
            first = (snapshot.segments.rows if rows is None else rows)[: asked.k].tolist()
            passages = self._store.catalog.passages(first)
            return matching_hits(passages[row] for row in first if row in passages)

    def _background(self, snapshot: Snapshot) -> Background:
        return encode_background(self._encoders.get(snapshot.settings))

    def _found(self, texts: Sequence[str], asked: Asked) -> tuple[Snapshot, Found]:
        """Find what answers queries, and say in which generation.

        Raises:
            IndexBusyError: what was found was forgotten meanwhile, several times in a row.
            IndexUnavailableError: there was not enough memory for so many hits, or too many files
                are open.
        """
        self._was_asked = True
        # The generation first: another model may serve by the time that questions are encoded, and
        # an answer is to be of one.
        for _ in range(_TRIES):
            snapshot = self._store.snapshot()
            rows = self._allowed(snapshot, asked.where)
            found: Found | None
            if asked.mode == "lexical":
                found = self._search_terms(snapshot, texts, asked, rows)
            else:
                questions = self.questions(snapshot, texts, asked.query_adapter)
                found = self._search_vectors(snapshot, questions, asked, rows)
            if found is not None:
                return snapshot, found
        raise IndexBusyError(
            f"passages that this search found in {self._store.folder} were deleted and forgotten "
            f"before they could be read, {_TRIES} times in a row. Search again, or let optimize() "
            "forget passages later (forget_after)."
        )

    def _allowed(self, snapshot: Snapshot, where: Filter | None) -> npt.NDArray[np.int64] | None:
        return None if where is None else self._store.catalog.select(where, snapshot.generation)

    def _search_vectors(
        self,
        snapshot: Snapshot,
        questions: Sequence[Question],
        asked: Asked,
        rows: npt.NDArray[np.int64] | None,
    ) -> VectorsFound | None:
        """Answer by late interaction, alone or with BM25; None if a passage is gone meanwhile.

        None also where the index had terms that were dropped meanwhile, and nobody asked for them.
        """
        self.remembered.add(snapshot, questions)
        index, chance = self.indexes.get(snapshot), self._chances.of(snapshot)
        queries = [windows_to_rank(question, chance) for question in questions]
        legs: Sequence[Mapping[int, Mapping[str, Leg]] | None]
        if self.mode(asked) == "hybrid":
            try:
                candidates = self.legs.candidates(snapshot, queries, asked.k, rows)
            except ConfigError:
                if asked.mode is None:
                    return None
                raise
            fusion = self.fusion(snapshot)
            answers, legs = (
                [one.fused(fusion) for one in candidates],
                [one.legs for one in candidates],
            )
        else:
            answers = ask(index, queries, asked.k, rows)
            legs = [None for _ in answers]
        passages = self._passages(answer.ranking for answer in answers)
        if passages is None:
            return None
        return VectorsFound(questions, queries, answers, legs, passages, index.segments, chance)

    def _search_terms(
        self,
        snapshot: Snapshot,
        texts: Sequence[str],
        asked: Asked,
        rows: npt.NDArray[np.int64] | None,
    ) -> TermsFound | None:
        """Answer by BM25 alone; the model is loaded only if somebody asks for evidence."""
        rankings = [self.legs.lexical(snapshot, text, asked.k, rows) for text in texts]
        passages = self._passages(rankings)
        if passages is None:
            return None
        # None of this knows the store: kept hits are to keep no connections open.
        mixed = self._languages.are_mixed(snapshot)
        encoder = self._encoders.of(snapshot.settings)
        choose = partial(
            self._adapting.adapter,
            *(lambda: mixed, encoder.get, snapshot.adapter, asked.query_adapter),
        )
        # A long question is not read anew for each of its hits.
        one = partial(_read, encoder, snapshot.settings.dim, choose, self._party)
        read = lru_cache(len(texts))(one)
        find_evidence = partial(_find_evidence, passages, self.indexes.get(snapshot), read)
        return TermsFound(texts, rankings, passages, find_evidence)

    def _passages(self, rankings: Iterable[Ranking | LexicalRanking]) -> dict[int, Passage] | None:
        """Return the ranked passages; None if some were deleted, and forgotten, meanwhile."""
        rows = sorted({row for ranking in rankings for row in ranking.rows.tolist()})
        passages = self._store.catalog.passages(rows)
        return passages if len(passages) == len(rows) else None


def _read(
    encoder: LazyEncoder,
    dim: int,
    choose: Callable[[], QueryAdapter | None],
    party: str | None,
    text: str,
) -> Question:
    """Encode a question as a search by meaning would put it."""
    with asking_for(party):
        return adapted(read_questions(encoder.get(), [text], dim), choose())[0]


def _find_evidence(
    passages: Mapping[int, Passage],
    index: Index,
    read: Callable[[str], Question],
    text: str,
    row: int,
) -> tuple[Match, ...]:
    """Explain a hit of BM25."""
    question = read(text)
    return explain_row([joined(windows_asked(question))], row, passages[row], index).matches
