"""Passages added and deleted: what comes is handed on to the process that writes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from ..answers import AddAnswer, DeleteAnswer, StreamAnswer
from ..problems import Problem
from ..reading import blocks_of_lines
from ..request import NDJSON, Answer, Request, encode
from ..writing.errands import Errand

_LINES = 256  # of a commit at most
_BYTES = 1 << 20  # of a commit, about


async def add(request: Request) -> Answer:
    """Add or replace passages in one commit."""
    errand = Errand(0, "add", index=request.index, part=request.part, body=request.raw)
    result = await _written(request, errand)
    request.facts.ids = len(result["ids"])
    request.services.metrics.added.inc(len(result["ids"]) - len(result["left_out"]))
    return Answer(encode(AddAnswer(result["ids"], result["left_out"])))


async def delete(request: Request) -> Answer:
    """Delete passages in one commit."""
    errand = Errand(0, "delete", index=request.index, part=request.part, body=request.raw)
    result = await _written(request, errand)
    request.facts.ids = result["deleted"]
    return Answer(encode(DeleteAnswer(result["deleted"])))


async def add_stream(request: Request) -> Answer:
    """Add passages line by line, in a commit a block."""
    accepted = dict(request.headers).get(b"accept", b"")
    if NDJSON.encode() in accepted:
        return Answer(_progress(request), media=NDJSON)
    totals = StreamAnswer(0, 0, 0)
    async for _ in _commits(request, totals):
        pass
    return Answer(encode(totals))


async def _progress(request: Request) -> AsyncIterator[bytes]:
    """Tell of every commit, and at the end of all."""
    totals = StreamAnswer(0, 0, 0)
    try:
        async for committed in _commits(request, totals):
            yield encode({"committed": committed, "through_line": totals.lines}) + b"\n"
        yield encode({"end": True, "added": totals.added, "lines": totals.lines}) + b"\n"
    except Problem as problem:
        yield encode({"problem": problem.body(request.id)}) + b"\n"


async def _commits(request: Request, totals: StreamAnswer) -> AsyncIterator[int]:
    index, part = request.index, request.part
    async for first, lines in blocks_of_lines(request.receive, _LINES, _BYTES):
        errand = Errand(0, "add_lines", index=index, part=part, lines=lines, first=first)
        result = await _written(request, errand)
        totals.added += result["added"]
        totals.commits += 1
        totals.lines = first + len(lines) - 1
        request.facts.ids = totals.added
        request.services.metrics.added.inc(result["added"])
        yield result["added"]


async def _written(request: Request, errand: Errand) -> dict[str, Any]:
    if request.services.settings.read_only:
        raise Problem("read-only-server")
    began = time.monotonic()
    result = await request.write(errand)
    request.services.metrics.commits.observe(time.monotonic() - began)
    return result
