"""How it behaves inside a running application: instrumentation, threads, the event loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.retrieval import RetrievalEndEvent, RetrievalStartEvent
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.schema import QueryBundle
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRetriever

QUESTION = "How do I reset the password?"


class Recorder(BaseEventHandler):
    seen: list = []  # noqa: RUF012 - a pydantic field

    def handle(self, event, **_):
        self.seen.append(event)


class TestInstrumentation:
    @pytest.fixture
    def dispatcher(self):
        root = get_dispatcher()
        events, spans = list(root.event_handlers), list(root.span_handlers)
        yield root
        root.event_handlers, root.span_handlers = events, spans

    async def test_events(self, retriever, dispatcher, ask):
        recorder = Recorder(seen=[])
        dispatcher.add_event_handler(recorder)
        found = await ask(retriever)
        start, end = (
            event
            for event in recorder.seen
            if isinstance(event, RetrievalStartEvent | RetrievalEndEvent)
        )
        assert start.str_or_query_bundle == QUESTION
        assert end.nodes == found

    async def test_spans(self, retriever, dispatcher, ask):
        spans = SimpleSpanHandler()
        dispatcher.add_span_handler(spans)
        await ask(retriever)
        names = {span.id_.split("-")[0] for span in spans.completed_spans}
        assert names & {"LFM2ColBERTRetriever._retrieve", "LFM2ColBERTRetriever._aretrieve"}

    async def test_legacy_callbacks(self, nodes, ask):
        handler = LlamaDebugHandler(print_trace_on_end=False)
        retriever = LFM2ColBERTRetriever.from_nodes(
            nodes, model="hash", callback_manager=CallbackManager([handler])
        )
        found = await ask(retriever)
        ((start, end),) = handler.get_event_pairs(CBEventType.RETRIEVE)
        assert start.payload["query_str"] == QUESTION
        assert end.payload["nodes"] == found


def test_threads_agree(retriever):
    expected = retriever.retrieve(QUESTION)

    def ask_often(_: int) -> bool:
        return all(retriever.retrieve(QUESTION) == expected for _ in range(20))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask_often, range(4)))


class TestEventLoop:
    @pytest.fixture
    def retriever(self, slow_encoder, nodes):
        adapter = LFM2ColBERTRetriever.from_nodes(nodes, model=slow_encoder)
        slow_encoder.threads.clear()
        return adapter

    @pytest.mark.parametrize(
        "query", [QUESTION, QueryBundle("?", custom_embedding_strs=[QUESTION, "password"])]
    )
    async def test_keeps_turning_while_a_query_is_encoded(
        self, retriever, slow_encoder, query, ticks_during
    ):
        assert await ticks_during(retriever.aretrieve(query)) > 10
        assert threading.main_thread() not in slow_encoder.threads

    async def test_concurrent_questions(self, retriever):
        found = await asyncio.gather(*(retriever.aretrieve(QUESTION) for _ in range(5)))
        assert all(one == found[0] for one in found)
