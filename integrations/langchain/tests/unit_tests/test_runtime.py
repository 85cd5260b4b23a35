"""How it behaves inside a running application: callbacks, threads, the event loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_lfm2_colbert import LFM2ColBERTRetriever

from lfm2_colbert_rag import Retriever

QUESTION = "How do I reset the password?"


class Recorder(BaseCallbackHandler):
    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.metadata: dict[str, Any] = {}

    def on_retriever_start(self, serialized, query, *, metadata=None, **_):
        self.events.append(("start", query))
        self.metadata = metadata or {}

    def on_retriever_end(self, documents, **_):
        self.events.append(("end", [document.id for document in documents]))

    def on_retriever_error(self, error, **_):
        self.events.append(("error", type(error)))


class AsyncRecorder(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.events: list[str] = []

    async def on_retriever_start(self, *_, **__):
        self.events.append("start")

    async def on_retriever_end(self, *_, **__):
        self.events.append("end")


class TestCallbacks:
    def test_start_and_end(self, retriever):
        recorder = Recorder()
        retriever.invoke(QUESTION, {"callbacks": [recorder]}, k=2)
        assert recorder.events == [("start", QUESTION), ("end", ["reset", "guest"])]
        assert recorder.metadata["ls_embedding_model"] == retriever.retriever.model

    async def test_start_and_end_async(self, retriever):
        recorder, async_recorder = Recorder(), AsyncRecorder()
        await retriever.ainvoke(QUESTION, {"callbacks": [recorder, async_recorder]}, k=2)
        assert recorder.events == [("start", QUESTION), ("end", ["reset", "guest"])]
        assert async_recorder.events == ["start", "end"]

    def test_error_is_reported_and_raised(self, retriever):
        recorder = Recorder()
        with pytest.raises(TypeError, match="top_k"):
            retriever.invoke(QUESTION, {"callbacks": [recorder]}, top_k=2)
        assert recorder.events == [("start", QUESTION), ("error", TypeError)]

    async def test_error_is_reported_and_raised_async(self, retriever):
        recorder = Recorder()
        with pytest.raises(TypeError, match="top_k"):
            await retriever.ainvoke(QUESTION, {"callbacks": [recorder]}, top_k=2)
        assert recorder.events == [("start", QUESTION), ("error", TypeError)]

    def test_tags_and_metadata_of_the_retriever(self, documents):
        recorder = Recorder()
        retriever = LFM2ColBERTRetriever.from_documents(
            documents, model="hash", tags=["faq"], metadata={"team": "support"}
        )
        retriever.invoke(QUESTION, {"callbacks": [recorder]})
        assert recorder.metadata["team"] == "support"

    async def test_astream_events(self, retriever):
        events = [event async for event in retriever.astream_events(QUESTION, version="v2", k=1)]
        assert events[0]["event"] == "on_retriever_start"
        assert events[-1]["event"] == "on_retriever_end"
        assert [document.id for document in events[-1]["data"]["output"]] == ["reset"]


class TestRunnable:
    QUESTIONS = (QUESTION, "descale the coffee machine", "warranty for broken parts")
    BEST = ("reset", "descale", "warranty")

    def test_batch_keeps_the_order(self, retriever):
        found = retriever.batch(list(self.QUESTIONS), k=1)
        assert tuple(documents[0].id for documents in found) == self.BEST

    async def test_abatch_keeps_the_order(self, retriever):
        found = await retriever.abatch(list(self.QUESTIONS), k=1)
        assert tuple(documents[0].id for documents in found) == self.BEST

    def test_batch_reports_every_query(self, retriever):
        recorder = Recorder()
        retriever.batch(list(self.QUESTIONS), {"callbacks": [recorder]})
        assert {value for kind, value in recorder.events if kind == "start"} == set(self.QUESTIONS)

    async def test_streams_one_chunk(self, retriever):
        assert len(list(retriever.stream(QUESTION, k=1))) == 1
        assert len([chunk async for chunk in retriever.astream(QUESTION, k=1)]) == 1

    def test_threads_agree(self, retriever):
        expected = retriever.invoke(QUESTION)

        def ask_often(_: int) -> bool:
            return all(retriever.invoke(QUESTION) == expected for _ in range(20))

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(ask_often, range(4)))


class TestEventLoop:
    @pytest.fixture
    def retriever(self, slow_encoder):
        adapter = LFM2ColBERTRetriever(retriever=Retriever.from_texts(["text"], model=slow_encoder))
        slow_encoder.threads.clear()
        return adapter

    async def test_keeps_turning_while_a_query_is_encoded(
        self, retriever, slow_encoder, ticks_during
    ):
        assert await ticks_during(retriever.ainvoke(QUESTION)) > 10
        assert threading.main_thread() not in slow_encoder.threads

    async def test_keeps_turning_during_a_batch(self, retriever, slow_encoder, ticks_during):
        assert await ticks_during(retriever.abatch([QUESTION, "password"])) > 10
        assert threading.main_thread() not in slow_encoder.threads

    async def test_concurrent_questions(self, retriever):
        found = await asyncio.gather(*(retriever.ainvoke(QUESTION) for _ in range(5)))
        assert all(documents == found[0] for documents in found)
