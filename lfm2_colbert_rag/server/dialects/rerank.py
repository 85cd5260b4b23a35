"""One handler for the rerank calls of Cohere, Jina, vLLM, Infinity and TEI; another for scores."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from ...types import Hit
from ..bodies import LONGEST_QUERY, MOST_QUERIES
from ..problems import Problem
from ..request import Answer, Request, encode
from ..reranking import rank
from .rerank_bodies import (
    DocumentsBody,
    OneOrMore,
    RankedDocument,
    RankedText,
    RerankAnswer,
    ScoreAnswer,
    ScoreBody,
    ScoredText,
    SpanAnswer,
    WantedSpans,
)
from .spans import spans_of

if TYPE_CHECKING:
    from ...retriever.view import View

INFINITY = "/infinity/rerank"
"""Where documents come back as texts; what is asked is the same as clients of vLLM ask."""

_THRESHOLD = 0.1  # of spans, as Cohere documents it


async def rerank(request: Request) -> Answer:
    """Order documents for a query, in the words of whoever asks."""
    body: DocumentsBody = request.body
    if (body.documents is None) == (body.texts is None):
        raise Problem("invalid", errors=(("$", "Expected one of `documents` and `texts`"),))
    texts = _texts(body)
    most = len(texts) if body.top_n is None else body.top_n
    index = request.some_index(body.model)
    model = request.services.model

    def work(view: View) -> bytes:
        hits = rank(request, view, body.query, texts)[:most]
        request.facts.hits = len(hits)
        if body.texts is not None:
            return encode(_bare(body, hits))
        return encode(_answer(request, body, hits, model(index)))

    return Answer(await request.ask(work, index=index))


async def score(request: Request) -> Answer:
    """Score texts for a query, or for one each, in their order."""
    body: ScoreBody = request.body
    index = request.some_index(body.model)
    model = request.services.model
    by_query: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for place, (query, text) in enumerate(_pairs(body)):
        by_query[query].append((place, text))
    _check_queries(list(by_query))
    # What a request may have encoded, shared among its queries.
    most = request.services.settings.capacity.rerank_tokens // max(1, len(by_query))

    def work(view: View) -> bytes:
        scores: dict[int, float] = {}
        for query, asked in by_query.items():
            texts = [text for _, text in asked]
            for hit in rank(request, view, query, texts, most_tokens=most):
                scores[asked[int(hit.id)][0]] = hit.relevance
        data = [ScoredText(place, scores[place]) for place in sorted(scores)]
        return encode(ScoreAnswer(request.id, int(time.time()), model(index), data))

    return Answer(await request.ask(work, index=index))


def _texts(body: DocumentsBody) -> list[str]:
    if body.texts is not None:
        return body.texts
    return [
        _text(one, body.rank_fields, f"$.documents[{place}]")
        for place, one in enumerate(body.documents or [])
    ]


def _text(document: str | dict[str, Any], fields: Sequence[str] | None, where: str) -> str:
    """Return what is to be read of a document: its text, or the fields that were named."""
    if isinstance(document, str):
        return document
    if fields:
        return "\n".join(str(document[name]) for name in fields if document.get(name) is not None)
    text = document.get("text")
    if not isinstance(text, str):
        raise Problem("invalid", errors=((where, "Expected a text, or an object with a `text`"),))
    return text


def _bare(body: DocumentsBody, hits: Sequence[Hit]) -> list[RankedText]:
    """Answer as TEI does."""
    return [
        RankedText(
            int(hit.id),
            hit.score if body.raw_scores else hit.relevance,
            hit.text if body.return_text else UNSET,
        )
        for hit in hits
    ]


def _answer(request: Request, body: DocumentsBody, hits: Sequence[Hit], model: str) -> RerankAnswer:
    """Answer as Cohere, Jina, vLLM and Infinity do."""
    documents = body.documents or []
    results = [
        RankedDocument(
            int(hit.id),
            hit.relevance,
            _shown(request, documents[int(hit.id)], hit) if body.return_documents else UNSET,
            _spans(hit, body.relevant_spans),
        )
        for hit in hits
    ]
    version = "1" if request.path.startswith("/v1") else "2"
    meta = {"api_version": {"version": version}, "billed_units": {"search_units": 0}}
    return RerankAnswer(request.id, int(time.time()), model, results, meta)


def _shown(request: Request, document: str | dict[str, Any], hit: Hit) -> str | dict[str, Any]:
    """Return a document as the client takes it: one of Infinity's takes a text and nothing else."""
    if request.path == INFINITY:
        return hit.text
    return {"text": document} if isinstance(document, str) else document


def _spans(hit: Hit, wanted: WantedSpans | None) -> Any:
    if wanted is None or wanted.mode == "disabled":
        return UNSET
    least = _THRESHOLD if wanted.threshold is None else wanted.threshold
    found = spans_of(hit, least, wanted.max_spans)
    return [SpanAnswer(one.start, one.end, one.score) for one in found] or UNSET


def _pairs(body: ScoreBody) -> list[tuple[str, str]]:
    """Return each query with its text: one query for all texts, or one for each."""
    given = [
        (first, second)
        for first, second in (
            (body.text_1, body.text_2),
            (body.queries, body.documents),
            (body.data_1, body.data_2),
        )
        if first is not None or second is not None
    ]
    if len(given) != 1 or None in given[0]:
        said = "Expected `text_1` and `text_2`, or `queries` and `documents`"
        raise Problem("invalid", errors=(("$", said),))
    queries, texts = (_listed(one) for one in given[0])
    if len(queries) == 1:
        queries *= len(texts)
    if len(queries) != len(texts):
        said = "Expected one query, or as many as there are texts"
        raise Problem("invalid", errors=(("$", said),))
    return list(zip(queries, texts, strict=True))


def _listed(given: OneOrMore | None) -> list[str]:
    return [given] if isinstance(given, str) else list(given or [])


def _check_queries(queries: Sequence[str]) -> None:
    if len(queries) > MOST_QUERIES:
        raise Problem("invalid", errors=(("$", f"Expected at most {MOST_QUERIES} queries"),))
    if any(len(one) > LONGEST_QUERY for one in queries):
        said = f"Expected queries of at most {LONGEST_QUERY} characters"
        raise Problem("invalid", errors=(("$", said),))
