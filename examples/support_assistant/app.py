"""The back end of a chat page: ``uvicorn app:app``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from assistant import Assistant, Turn
from langchain_core.documents import Document
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lfm2_colbert_rag.errors import LFM2ColBERTError, ServerUnavailableError

MOST = 200_000  # bytes of a request


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """A message of the conversation so far."""

    by: Literal["user", "assistant"]
    text: Annotated[str, msgspec.Meta(max_length=8000)]


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """A question, and what was said before it; the server keeps no conversations."""

    question: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    history: Annotated[list[Said], msgspec.Meta(max_length=20)] = []


async def chat(request: Request) -> Response:
    """Answer a question as a stream of events (text/event-stream)."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST:
            return JSONResponse({"error": "The conversation is too long."}, 413)
    try:
        asked = msgspec.json.decode(body, type=Asked)
    except msgspec.DecodeError as error:
        return JSONResponse({"error": f"The request cannot be read: {error}"}, 400)
    history = [Turn(one.by, one.text) for one in asked.history]
    assistant: Assistant = request.app.state.assistant
    try:
        sources = await assistant.sources(asked.question, history)
    except ServerUnavailableError as error:
        return JSONResponse({"error": error.public}, 503, headers={"retry-after": "2"})
    except LFM2ColBERTError as error:
        return JSONResponse({"error": error.public}, 502)
    stream = _events(assistant, asked.question, history, sources)
    return StreamingResponse(
        stream, headers={"cache-control": "no-store"}, media_type="text/event-stream"
    )


async def _events(
    assistant: Assistant, question: str, history: list[Turn], sources: list[Document]
) -> AsyncIterator[bytes]:
    try:
        async for event in assistant.answer(question, history, sources):
            yield _line(event.name, event.data)
    except Exception:  # of any chat model: the page is told, and the log says what
        yield _line("error", "The answer broke off.")
        raise


def _line(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


async def page(request: Request) -> Response:
    """Show the chat page."""
    return FileResponse(Path(__file__).parent / "page.html")


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.assistant = Assistant.connect()
    yield


app = Starlette(
    routes=[Route("/", page), Route("/chat", chat, methods=["POST"])], lifespan=_lifespan
)
