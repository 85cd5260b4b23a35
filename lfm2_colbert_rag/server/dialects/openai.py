"""Indexes as vector stores, and as models, of OpenAI's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..problems import Problem
from ..request import Answer, Request, encode
from .openai_bodies import (
    Content,
    FileCounts,
    FoundFile,
    Model,
    ModelList,
    SearchPage,
    StoreList,
    StoreSearchBody,
    VectorStore,
)
from .openai_filters import where_of
from .shaping import flat_metadata, title_of

if TYPE_CHECKING:
    from ...retriever.view import View
    from ...types import Hit

_RESULTS = 10  # unless more or fewer are wanted, as OpenAI documents it


async def search(request: Request) -> Answer:
    """Answer a question, or several as one: the best of what each finds."""
    body: StoreSearchBody = request.body
    queries = [body.query] if isinstance(body.query, str) else body.query
    k, where = body.max_num_results or _RESULTS, where_of(body.filters)
    request.facts.k = k
    ranking = body.ranking_options
    least = (0.0 if ranking is None else ranking.score_threshold) or 0.0

    def work(view: View) -> bytes:
        best: dict[str, Hit] = {}
        for hits in view.search_many(queries, k, where=where):
            for hit in hits:
                if hit.id not in best or hit.relevance > best[hit.id].relevance:
                    best[hit.id] = hit
        found = [hit for hit in best.values() if hit.relevance >= least]
        if len(queries) > 1:  # the hits of one are in its own order, of words as well as meaning
            found.sort(key=lambda hit: -hit.relevance)
        request.facts.hits = len(found[:k])
        return encode(SearchPage(queries, [_file(hit) for hit in found[:k]]))

    return Answer(await request.ask(work))


async def list_stores(request: Request) -> Answer:
    """Name the indexes that the caller may see; how much each holds is told of one alone."""
    stores = [_store(name) for name in _seen(request)]
    first, last = (stores[0].id, stores[-1].id) if stores else (None, None)
    return Answer(encode(StoreList(stores, first, last)))


async def get_store(request: Request) -> Answer:
    """Say what an index holds."""
    name = request.index

    def work(view: View) -> bytes:
        count = len(view)
        return encode(_store(name, FileCounts(count, count)))

    return Answer(await request.ask(work))


async def list_models(request: Request) -> Answer:
    """Name what a rerank call may give as its model."""
    return Answer(encode(ModelList([Model(name) for name in _seen(request)])))


async def get_model(request: Request) -> Answer:
    """Tell whether there is such a model."""
    name = request.params["model"]
    if not request.has(name):
        raise Problem("index-not-found", "There is no such model.")
    return Answer(encode(Model(name)))


def _seen(request: Request) -> list[str]:
    sees = request.known_caller.sees
    return [name for name in request.services.names() if sees(name)]


def _store(name: str, counts: FileCounts | None = None) -> VectorStore:
    return VectorStore(name, name, "vector_store", 0, "completed", 0, {}, counts)


def _file(hit: Hit) -> FoundFile:
    return FoundFile(
        hit.id, title_of(hit), hit.relevance, flat_metadata(hit), [Content(hit.excerpt)]
    )
