"""How questions are asked: modes by LlamaIndex's names, thresholds, sizes, blank questions."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.llms import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.schema import IndexNode, QueryBundle, TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode
from llama_index.retrievers.lfm2_colbert import (
    LFM2ColBERTIndex,
    LFM2ColBERTRerank,
    LFM2ColBERTRetriever,
    LFM2ColBERTVectorStore,
)

from lfm2_colbert_rag.errors import ConfigError

QUESTION = "How do I reset the password?"
MODES = ["default", "text_search", "sparse", "hybrid", "semantic_hybrid", "mmr"]


def ids(found) -> list[str]:
    return [one.node.node_id for one in found]


@pytest.fixture
def index(unchanging) -> LFM2ColBERTIndex:
    return LFM2ColBERTIndex(retriever=unchanging.retriever)


@pytest.fixture(params=["constructor", "as_retriever", "as_query_engine", "as_chat_engine"])
def asker(request: pytest.FixtureRequest, index):
    """Every place at which a retriever's options are given."""

    def make(**options):
        if request.param == "constructor":
            retriever = LFM2ColBERTRetriever(index.retriever, **options)
            return retriever.retrieve
        if request.param == "as_retriever":
            return index.as_retriever(**options).retrieve
        if request.param == "as_query_engine":
            engine = index.as_query_engine(llm=MockLLM(), response_mode="compact", **options)
            return lambda question: engine.query(question).source_nodes
        memory = ChatMemoryBuffer.from_defaults(llm=MockLLM())
        engine = index.as_chat_engine(ChatMode.CONTEXT, MockLLM(), memory=memory, **options)
        return lambda question: engine.chat(question).source_nodes

    return make


class TestModes:
    @pytest.mark.parametrize("mode", MODES)
    def test_are_those_of_the_vector_store(self, index, asker, mode):
        query = VectorStoreQuery(
            query_str=QUESTION, similarity_top_k=3, mode=VectorStoreQueryMode(mode)
        )
        expected = LFM2ColBERTVectorStore(index.retriever).query(query)
        for name in (mode, VectorStoreQueryMode(mode)):
            found = asker(similarity_top_k=3, vector_store_query_mode=name)(QUESTION)
            assert ids(found) == expected.ids
            assert [one.score for one in found] == expected.similarities

    def test_rank_differently(self, asker):
        question = "password reset years"
        late, words = (
            asker(similarity_top_k=9, vector_store_query_mode=mode)(question)
            for mode in ("default", "text_search")
        )
        assert len(late) == 4
        assert "descale" not in ids(words)

    def test_others_are_refused(self, asker):
        for mode in ("hybird", "svm", "", 3):
            with pytest.raises(ConfigError, match=r"there are default,") as error:
                asker(vector_store_query_mode=mode)
            assert "\n" not in str(error.value)

    def test_are_named_once(self, asker):
        with pytest.raises(ConfigError, match="either mode"):
            asker(vector_store_query_mode="hybrid", mode="late")

    def test_diversity(self):
        texts = {"a": "reset the password", "b": "reset the password now", "c": "password lost"}
        nodes = [TextNode(id_=id, text=text) for id, text in texts.items()]
        index = LFM2ColBERTIndex(nodes, model="hash")
        for threshold, expected in (
            (1.0, ["a", "b"]),
            (0.2, ["a", "c"]),
            (np.float32(0.2), ["a", "c"]),
        ):
            retriever = index.as_retriever(
                similarity_top_k=2, vector_store_query_mode="mmr", mmr_threshold=threshold
            )
            assert ids(retriever.retrieve("reset the password")) == expected
        with pytest.raises(ConfigError, match="mmr_threshold"):
            index.as_retriever(vector_store_query_mode="mmr", mmr_threshold=2)

    @pytest.mark.parametrize("mode", ["hybrid", "mmr"])
    def test_rewritten_questions_keep_the_order_of_the_mode(self, index, mode):
        retriever = index.as_retriever(similarity_top_k=4, vector_store_query_mode=mode)
        alone = ids(retriever.retrieve(QUESTION))
        twice = QueryBundle("?", custom_embedding_strs=[QUESTION, QUESTION])
        assert ids(retriever.retrieve(twice)) == alone


class TestCutoff:
    @pytest.fixture
    def scores(self, index) -> list[float]:
        found = index.as_retriever(similarity_top_k=4).retrieve(QUESTION)
        assert len({one.score for one in found}) == 4
        return [one.score for one in found]

    def test_is_that_of_llama_index(self, index, asker, scores):
        for place, cutoff in enumerate(scores):
            found = asker(similarity_top_k=4, similarity_cutoff=cutoff)(QUESTION)
            plain = index.as_retriever(similarity_top_k=4).retrieve(QUESTION)
            postprocessor = SimilarityPostprocessor(similarity_cutoff=cutoff)
            assert found == postprocessor.postprocess_nodes(plain)
            assert len(found) == place + 1

    def test_is_that_of_the_reranker(self, index, scores):
        found = index.as_retriever(similarity_top_k=4).retrieve(QUESTION)
        ranked = LFM2ColBERTRerank(4, retriever=index.retriever).postprocess_nodes(
            found, query_str=QUESTION
        )
        cutoff = ranked[1].score
        rerank = LFM2ColBERTRerank(4, retriever=index.retriever, similarity_cutoff=cutoff)
        assert rerank.postprocess_nodes(found, query_str=QUESTION) == ranked[:2]

    def test_unusable_ones_are_refused_wherever_they_are_given(self, asker):
        for cutoff in (-0.1, 1.5, float("nan"), "0.5", True, [0.5]):
            for give in (asker, functools.partial(LFM2ColBERTRerank, model="hash")):
                with pytest.raises(ConfigError, match="similarity_cutoff must be a number from 0"):
                    give(similarity_cutoff=cutoff)

    def test_of_numpy_and_at_the_ends(self, asker):
        assert len(asker(similarity_top_k=4, similarity_cutoff=np.float32(0))(QUESTION)) == 4
        assert len(asker(similarity_top_k=4, similarity_cutoff=1)(QUESTION)) <= 4


class TestSize:
    def test_of_numpy(self, asker):
        assert len(asker(similarity_top_k=np.int64(3))(QUESTION)) == 3

    def test_of_numpy_in_the_reranker(self, retriever):
        found = retriever.retrieve(QUESTION)
        rerank = LFM2ColBERTRerank(np.int32(2), "hash")
        assert len(rerank.postprocess_nodes(found, query_str=QUESTION)) == 2


class TestBlankQuestions:
    @pytest.mark.parametrize("question", ["", "\n\t"])
    @pytest.mark.parametrize("mode", ["default", "text_search", "hybrid", "mmr"])
    async def test_find_what_the_constraints_let_through(self, unchanging, ask, question, mode):
        core = unchanging.retriever
        options = {"similarity_top_k": 9, "vector_store_query_mode": mode}
        for constraint, expected in (
            ({"where": {"year": 2025}}, ["guest", "warranty"]),
            ({"doc_ids": ["router-manual"]}, ["reset", "guest"]),
            ({"node_ids": ["warranty", "guest"]}, ["guest", "warranty"]),
        ):
            found = await ask(LFM2ColBERTRetriever(core, **options, **constraint), question)
            assert ids(found) == expected
            assert [one.score for one in found] == [0.0] * len(found)
        assert await ask(LFM2ColBERTRetriever(core, **options), question) == []

    async def test_find_no_more_than_asked_for(self, unchanging, ask):
        retriever = LFM2ColBERTRetriever(unchanging.retriever, 1, where={"year": 2025})
        assert ids(await ask(retriever, " ")) == ["guest"]

    async def test_have_no_evidence(self, unchanging, ask):
        retriever = LFM2ColBERTRetriever(
            unchanging.retriever, where={"year": 2025}, evidence=True, window_key="window"
        )
        assert [one.node.metadata["evidence"] for one in await ask(retriever, " ")] == [[], []]

    async def test_beside_others_change_nothing(self, unchanging, ask):
        bundle = QueryBundle("?", custom_embedding_strs=["", QUESTION])
        retriever = LFM2ColBERTRetriever(unchanging.retriever)
        assert ids(await ask(retriever, bundle)) == ids(await ask(retriever, QUESTION))

    async def test_do_not_make_perfect_matches_of_pointers(self, ask):
        pointer = IndexNode(text="a", index_id="x", obj=TextNode(text="b"), metadata={"n": 1})
        retriever = LFM2ColBERTRetriever.from_nodes([pointer], model="hash", where={"n": 1})
        assert (await ask(retriever, ""))[0].score < 0.01
