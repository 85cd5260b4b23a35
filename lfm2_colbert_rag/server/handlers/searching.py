"""Questions, and passages read back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...errors import LFM2ColBERTError
from ...retriever.fields import describe_fields
from ...types import Passage
from ..answers import (
    CountAnswer,
    FieldAnswer,
    HitsAnswer,
    IndexAnswer,
    IndexesAnswer,
    IndexName,
    PassagesAnswer,
    RankAnswer,
    SearchAnswer,
    explanation_answer,
    hit_answer,
    passage_answer,
)
from ..bodies import (
    Candidate,
    CountBody,
    ExplainBody,
    GetBody,
    ListBody,
    PlanBody,
    RankBody,
    RerankBody,
    SearchBody,
)
from ..problems import Problem, problem_of
from ..reading import until_gone
from ..request import NDJSON, Answer, Request, encode
from ..reranking import rank as rank_candidates

if TYPE_CHECKING:
    from ...retriever.view import View
    from ...types import Hit

_LINES = 200  # passages that a list reads at once
_DEEPEST = 8  # of a filter, for the names of its fields


async def search(request: Request) -> Answer:
    """Answer questions by hits."""
    body: SearchBody = request.body
    queries = _queries(body)
    _note(request, body.where, body.k)
    began = time.monotonic()

    def work(view: View) -> bytes:
        found = [_hits(view, query, body) for query in queries]
        request.facts.hits = sum(map(len, found))
        results = [
            HitsAnswer(
                [
                    hit_answer(hit, query, evidence=body.evidence, excerpts=body.excerpts)
                    for hit in hits
                ]
            )
            for query, hits in zip(queries, found, strict=True)
        ]
        took = round((time.monotonic() - began) * 1000, 3)
        return encode(SearchAnswer(results, took))

    return Answer(await request.ask(work))


async def rank(request: Request) -> Answer:
    """Answer questions by ids and scores alone."""
    body: RankBody = request.body
    _note(request, body.where, body.k)

    def work(view: View) -> bytes:
        found = view.rank_many(
            body.queries,
            body.k,
            where=body.where,
            mode=body.mode,
            query_adapter=body.query_adapter,
        )
        request.facts.hits = sum(map(len, found))
        return encode(RankAnswer(found))

    return Answer(await request.ask(work))


async def rerank(request: Request) -> Answer:
    """Order the client's own texts."""
    body: RerankBody = request.body
    given = [
        Passage(one.id, one.text, one.metadata) if isinstance(one, Candidate) else one
        for one in body.candidates
    ]

    def work(view: View) -> bytes:
        found = rank_candidates(
            *(request, view, body.query, given),
            most_tokens=body.max_tokens,
            k=body.k,
            strict=body.strict,
            query_adapter=body.query_adapter,
        )
        request.facts.hits = len(found)
        hits = [hit_answer(hit, body.query, evidence=body.evidence) for hit in found]
        return encode(HitsAnswer(hits))

    return Answer(await request.ask(work))


async def explain(request: Request) -> Answer:
    """Show which words of a passage answered a question."""
    body: ExplainBody = request.body
    request.facts.ids = 1

    def work(view: View) -> bytes:
        found = view.explain(body.query, body.id, query_adapter=body.query_adapter)
        return encode(explanation_answer(found))

    return Answer(await request.ask(work))


async def plan(request: Request) -> Answer:
    """Show how a question is answered."""
    body: PlanBody = request.body
    _note(request, body.where, body.k)

    def work(view: View) -> bytes:
        found = view.plan(
            body.query,
            k=body.k,
            where=body.where,
            mode=body.mode,
            query_adapter=body.query_adapter,
        )
        return encode(asdict(found))

    return Answer(await request.ask(work))


async def count(request: Request) -> Answer:
    """Count passages."""
    body: CountBody = request.body
    _note(request, body.where)
    return Answer(await request.ask(lambda view: encode(CountAnswer(view.count(body.where)))))


async def get_one(request: Request) -> Answer:
    """Return a passage by its id."""
    wanted = request.params["id"]
    request.facts.ids = 1

    def work(view: View) -> bytes:
        found = view.get([wanted])
        if not found:
            raise Problem("passage-not-found", "No passage has this id.")
        return encode(passage_answer(found[0]))

    return Answer(await request.ask(work))


async def get_many(request: Request) -> Answer:
    """Return passages by their ids."""
    body: GetBody = request.body
    request.facts.ids = len(body.ids)

    def work(view: View) -> bytes:
        return encode(PassagesAnswer([passage_answer(one) for one in view.get(body.ids)]))

    return Answer(await request.ask(work))


async def list_passages(request: Request) -> Answer:
    """Send all passages that match, a line for each, as of one moment."""
    body: ListBody = request.body
    _note(request, body.where)
    found: Iterator[Passage] = await request.ask(
        lambda view: view.passages(body.where, limit=body.limit, after=body.after)
    )
    return Answer(_lines(request, found), media=NDJSON)


async def _lines(request: Request, found: Iterator[Passage]) -> AsyncIterator[bytes]:
    """Read a part at a time, each in a turn of its own, as fast as the client takes them."""

    def work(view: View) -> list[bytes]:
        return [encode(passage_answer(one)) for one in islice(found, _LINES)]

    gone = asyncio.ensure_future(until_gone(request.receive))
    try:
        while not gone.done() and (lines := await request.ask(work, watched=False)):
            yield b"\n".join([*lines, b""])
        yield b'{"end":true}\n'
    except (Problem, LFM2ColBERTError) as error:
        problem = error if isinstance(error, Problem) else problem_of(error)
        yield encode({"problem": problem.body(request.id)}) + b"\n"
    finally:
        gone.cancel()


async def list_indexes(request: Request) -> Answer:
    """Name the indexes that the caller may see."""
    sees = request.known_caller.sees
    found = [IndexName(name) for name in request.services.names() if sees(name)]
    return Answer(encode(IndexesAnswer(found)))


async def describe(request: Request) -> Answer:
    """Say what the caller's part of an index holds."""
    name, model = request.index, request.services.model

    def work(view: View) -> bytes:
        found = view.stats()
        fields = [
            FieldAnswer(one.name, list(one.kinds), list(one.examples))
            for one in describe_fields(view)
        ]
        return encode(
            IndexAnswer(
                name,
                found.passages,
                found.windows,
                found.vectors,
                found.dim,
                found.languages,
                model(name),
                view.mode,
                fields,
            )
        )

    return Answer(await request.ask(work))


def _queries(body: SearchBody) -> list[str]:
    if (body.query is None) == (body.queries is None):
        raise Problem("invalid", errors=(("$", "Expected one of `query` and `queries`"),))
    if body.queries is not None and (body.diversity is not None or body.fetch_k is not None):
        said = "Expected `query`: `diversity` and `fetch_k` are for one question"
        raise Problem("invalid", errors=(("$", said),))
    return [body.query] if body.query is not None else body.queries or []


def _hits(view: View, query: str, body: SearchBody) -> list[Hit]:
    found = view.search(
        query,
        body.k,
        where=body.where,
        mode=body.mode,
        diversity=body.diversity,
        fetch_k=body.fetch_k,
        query_adapter=body.query_adapter,
    )
    least = 0.0 if body.threshold is None else body.threshold
    return [hit for hit in found if hit.relevance >= least]


def _note(request: Request, where: dict[str, Any] | None, k: int | None = None) -> None:
    """Remember what the audit log may hold of a request."""
    request.facts.k = k
    request.facts.filtered = tuple(sorted(set(_names(where, 0))))


def _names(where: Any, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(where, list):
        for one in where:
            yield from _names(one, depth + 1)
    elif isinstance(where, dict):
        for key, value in where.items():
            if key in ("$and", "$or", "$not"):
                yield from _names(value, depth + 1)
            else:
                yield key
