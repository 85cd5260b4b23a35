"""Whole LlamaIndex applications around the retriever, with a model that echoes its prompt."""

from __future__ import annotations

import pytest
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor import (
    MetadataReplacementPostProcessor,
    SimilarityPostprocessor,
)
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import TextNode
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRetriever

QUESTION = "How do I reset the password?"


class TestQueryEngine:
    @pytest.fixture
    def best_only(self, retriever):
        retriever.similarity_top_k = 1
        return retriever

    def check(self, answer: str) -> None:
        assert "hold the red button" in answer
        assert "vinegar" not in answer

    def test_the_right_node_reaches_the_model(self, best_only):
        response = RetrieverQueryEngine.from_args(best_only, llm=MockLLM()).query(QUESTION)
        self.check(str(response))
        assert [one.node.node_id for one in response.source_nodes] == ["reset"]

    async def test_and_async(self, best_only):
        engine = RetrieverQueryEngine.from_args(best_only, llm=MockLLM())
        self.check(str(await engine.aquery(QUESTION)))

    def test_streaming(self, best_only):
        engine = RetrieverQueryEngine.from_args(best_only, llm=MockLLM(), streaming=True)
        chunks = list(engine.query(QUESTION).response_gen)
        assert len(chunks) > 1
        self.check("".join(chunks))

    def test_similarity_cut_off(self, retriever):
        found = retriever.retrieve(QUESTION)
        cutoff = (found[0].score + found[1].score) / 2
        engine = RetrieverQueryEngine.from_args(
            retriever,
            llm=MockLLM(),
            node_postprocessors=[SimilarityPostprocessor(similarity_cutoff=cutoff)],
        )
        response = engine.query(QUESTION)
        assert [one.node.node_id for one in response.source_nodes] == ["reset"]


@pytest.mark.parametrize("mode", ["simple", "reciprocal_rerank", "relative_score"])
@pytest.mark.parametrize("use_async", [False, True])
def test_fusion(retriever, nodes, mode, use_async):
    routers_only = LFM2ColBERTRetriever(retriever.retriever, where={"product": "router"})
    fusion = QueryFusionRetriever(
        [retriever, routers_only],
        llm=MockLLM(),
        num_queries=1,
        mode=mode,
        use_async=use_async,
        similarity_top_k=2,
    )
    assert [one.node.node_id for one in fusion.retrieve(QUESTION)] == ["reset", "guest"]


async def test_fusion_async(retriever):
    fusion = QueryFusionRetriever(
        [retriever, retriever], llm=MockLLM(), num_queries=1, similarity_top_k=1
    )
    assert (await fusion.aretrieve(QUESTION))[0].node.node_id == "reset"


async def test_replacing_the_text_of_a_found_node_does_not_change_the_index(ask):
    node = TextNode(
        text="Hold the red button.",
        metadata={"window": "Before. Hold the red button. After."},
        excluded_embed_metadata_keys=["window"],
    )
    retriever = LFM2ColBERTRetriever.from_nodes([node], model="hash")
    replace = MetadataReplacementPostProcessor(target_metadata_key="window")
    for _ in range(2):
        found = await ask(retriever, "red button")
        assert found[0].node.get_content() == "Hold the red button."
        (replaced,) = replace.postprocess_nodes(found)
        assert replaced.node.get_content() == "Before. Hold the red button. After."
