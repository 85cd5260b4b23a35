"""A stand-in for a chat model, so that the example runs without one: it quotes the best passage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

PASSAGE = re.compile(r"^\[(.+?)\] (.+)$", re.MULTILINE)


class OfflineModel(BaseChatModel):
    """Reads the prompt as a real model would, and quotes the first passage that is new in it."""

    @property
    def _llm_type(self) -> str:
        return "offline"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(_quoted(messages)))])

    def _stream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> Iterator[ChatGenerationChunk]:
        # Words, or single characters where a script has no blanks.
        for piece in re.findall(r"[\u3040-\u9fff]|\S+\s*|\s+", _quoted(messages)):
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))


def _quoted(messages: list[BaseMessage]) -> str:
    said = " ".join(str(message.content) for message in messages[1:])
    for name, text in PASSAGE.findall(str(messages[0].content)):
        if f"[{name}]" not in said:  # something new, if the question follows another
            return f"{text} [{name}]"
    return "—"
