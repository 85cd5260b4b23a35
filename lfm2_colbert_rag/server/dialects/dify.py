"""An index as external knowledge of Dify."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...types import public_metadata
from ..problems import Problem
from ..request import Answer, Request, encode
from .dify_bodies import Record, RetrievalAnswer, RetrievalBody
from .dify_filters import where_of
from .shaping import title_of

if TYPE_CHECKING:
    from ...retriever.view import View
    from ...types import Hit

_SECONDS = 3.0
"""For an answer: Dify waits for about five, three times over, and then fails the whole chat."""


async def retrieve(request: Request) -> Answer:
    """Answer a question."""
    body: RetrievalBody = request.body
    setting, where = body.retrieval_setting, where_of(body.metadata_condition)
    index = request.index_named(body.knowledge_id)
    request.facts.k = setting.top_k
    least = setting.score_threshold or 0.0

    def work(view: View) -> bytes:
        hits = view.search(body.query, setting.top_k, where=where)
        records = [_record(hit) for hit in hits if hit.relevance >= least]
        request.facts.hits = len(records)
        return encode(RetrievalAnswer(records))

    try:
        async with asyncio.timeout(_SECONDS):
            return Answer(await request.ask(work, index=index))
    except TimeoutError:
        raise Problem("overloaded") from None


def _record(hit: Hit) -> Record:
    """Return the part of a passage that answers: what a chat has room for."""
    metadata = public_metadata(hit.metadata) | {"passage_id": hit.id}
    return Record(hit.excerpt, hit.relevance, title_of(hit), metadata)
