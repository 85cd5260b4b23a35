"""The reranker: order, copies, events, and what it does with odd nodes."""

from __future__ import annotations

import threading

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import IndexNode, NodeWithScore, TextNode
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRerank

from lfm2_colbert_rag.errors import ConfigError, InputError

QUESTION = "How do I reset the password?"


@pytest.fixture(params=["postprocess_nodes", "apostprocess_nodes"])
def rerank(request: pytest.FixtureRequest):
    async def call(reranker, nodes, query_str=QUESTION):
        if request.param == "postprocess_nodes":
            return reranker.postprocess_nodes(nodes, query_str=query_str)
        return await reranker.apostprocess_nodes(nodes, query_str=query_str)

    return call


@pytest.fixture
def found(nodes) -> list[NodeWithScore]:
    """What a poor retriever found."""
    return [NodeWithScore(node=node, score=0.1 * place) for place, node in enumerate(nodes[::-1])]


def ids(nodes) -> list[str]:
    return [one.node.node_id for one in nodes]


class TestOrder:
    async def test_best_first_and_no_more_than_top_n(self, found, rerank):
        assert ids(await rerank(LFM2ColBERTRerank(model="hash"), found)) == ["reset", "guest"]
        assert len(await rerank(LFM2ColBERTRerank(10, "hash"), found)) == 4

    async def test_scores_are_those_of_the_retriever(self, retriever, found, rerank):
        reranker = LFM2ColBERTRerank(4, retriever=retriever.retriever)
        expected = {one.node.node_id: one.score for one in retriever.retrieve(QUESTION)}
        for one in await rerank(reranker, found):
            assert one.score == pytest.approx(expected[one.node.node_id], abs=1e-3)

    async def test_nodes_without_text_come_last(self, found, rerank):
        blank = NodeWithScore(node=TextNode(id_="blank", text=" "), score=9.0)
        ranked = await rerank(LFM2ColBERTRerank(5, "hash"), [blank, *found])
        assert ids(ranked)[-1] == "blank"
        assert ranked[-1].score == 0.0

    async def test_none_are_none(self, rerank):
        assert await rerank(LFM2ColBERTRerank(model="hash"), []) == []


class TestNodes:
    async def test_are_copies(self, found, nodes, rerank):
        before = [one.model_copy(deep=True) for one in found]
        reranker = LFM2ColBERTRerank(4, "hash", keep_retrieval_score=True, evidence=True)
        for one in await rerank(reranker, found):
            one.node.set_content("changed")
            one.node.metadata.setdefault("tags", []).append("changed")
            one.node.relationships.clear()
        assert found == before

    async def test_keep_their_former_score_on_request(self, found, rerank):
        (best,) = await rerank(LFM2ColBERTRerank(1, "hash", keep_retrieval_score=True), found)
        assert best.node.metadata["retrieval_score"] == found[-1].score
        (plain,) = await rerank(LFM2ColBERTRerank(1, "hash"), found)
        assert plain.node == found[-1].node

    async def test_evidence(self, found, rerank):
        (best,) = await rerank(LFM2ColBERTRerank(1, "hash", evidence=True), found, "vinegar")
        assert best.node.metadata["evidence"][0]["words"] == ["vinegar", "vinegar"]

    async def test_keep_the_objects_they_point_to(self, retriever, rerank):
        pointer = NodeWithScore(node=IndexNode(text="red button", index_id="x", obj=retriever))
        (best,) = await rerank(LFM2ColBERTRerank(model="hash"), [pointer])
        assert best.node.obj is retriever


class TestEvents:
    async def test_are_reported(self, found, rerank):
        class Recorder(BaseEventHandler):
            seen: list = []  # noqa: RUF012 - a pydantic field

            def handle(self, event, **_):
                self.seen.append(event)

        root, recorder = get_dispatcher(), Recorder(seen=[])
        before = list(root.event_handlers)
        root.add_event_handler(recorder)
        try:
            ranked = await rerank(LFM2ColBERTRerank(model="hash"), found)
        finally:
            root.event_handlers = before
        start, end = (
            one for one in recorder.seen if isinstance(one, ReRankStartEvent | ReRankEndEvent)
        )
        assert (start.top_n, start.model_name) == (2, "hash")
        assert end.nodes == ranked

    async def test_legacy_callbacks(self, found, rerank):
        handler = LlamaDebugHandler(print_trace_on_end=False)
        reranker = LFM2ColBERTRerank(model="hash")
        reranker.callback_manager = CallbackManager([handler])  # as RetrieverQueryEngine does
        ranked = await rerank(reranker, found)
        ((_, end),) = handler.get_event_pairs(CBEventType.RERANKING)
        assert end.payload[EventPayload.NODES] == ranked


class TestMistakes:
    @pytest.mark.parametrize("top_n", [0, -1, 2.5, None, True])
    def test_unusable_top_n(self, top_n):
        with pytest.raises(ConfigError, match="top_n"):
            LFM2ColBERTRerank(top_n, "hash")

    def test_model_and_retriever(self, retriever):
        with pytest.raises(ConfigError, match="either"):
            LFM2ColBERTRerank(model="hash", retriever=retriever.retriever)

    async def test_no_question(self, found, rerank):
        with pytest.raises(ConfigError, match="question"):
            await rerank(LFM2ColBERTRerank(model="hash"), found, None)
        with pytest.raises(InputError, match="empty"):
            await rerank(LFM2ColBERTRerank(model="hash"), found, " ")


async def test_the_event_loop_keeps_turning(slow_encoder, found, ticks_during):
    reranker = LFM2ColBERTRerank(model=slow_encoder)
    assert await ticks_during(reranker.apostprocess_nodes(found, query_str=QUESTION)) > 10
    assert threading.main_thread() not in slow_encoder.threads


def test_in_a_query_engine(retriever):
    engine = RetrieverQueryEngine.from_args(
        retriever, llm=MockLLM(), node_postprocessors=[LFM2ColBERTRerank(1, "hash")]
    )
    assert ids(engine.query(QUESTION).source_nodes) == ["reset"]
