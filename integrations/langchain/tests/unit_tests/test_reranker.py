"""The reranker: order, copies, and what it does with odd documents."""

from __future__ import annotations

import threading

import pytest
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_lfm2_colbert import LFM2ColBERTReranker
from pydantic import ValidationError

from lfm2_colbert_rag import Retriever

QUESTION = "How do I reset the password?"


@pytest.fixture(params=["compress_documents", "acompress_documents"])
def rerank(request: pytest.FixtureRequest):
    async def call(reranker, documents, query=QUESTION):
        if request.param == "compress_documents":
            return reranker.compress_documents(documents, query)
        return await reranker.acompress_documents(documents, query)

    return call


@pytest.fixture
def reranker() -> LFM2ColBERTReranker:
    return LFM2ColBERTReranker.from_model("hash")


def ids(documents) -> list[str]:
    return [document.id for document in documents]


class TestOrder:
    async def test_best_first_and_no_more_than_top_n(self, reranker, documents, rerank):
        assert ids(await rerank(reranker, documents[::-1]))[:2] == ["reset", "guest"]
        assert len(await rerank(reranker, documents)) == 3
        one = LFM2ColBERTReranker.from_model("hash", top_n=1)
        assert ids(await rerank(one, documents)) == ["reset"]
        everything = LFM2ColBERTReranker.from_model("hash", top_n=None)
        assert len(await rerank(everything, documents)) == 4

    async def test_is_that_of_the_retriever(self, retriever, documents, rerank):
        reranker = LFM2ColBERTReranker(retriever=retriever.retriever, top_n=None)
        found = retriever.retriever.search(QUESTION)
        reranked = await rerank(reranker, documents)
        assert ids(reranked) == ids(found)
        for one, other in zip(reranked, found, strict=True):
            expected = pytest.approx(other.relevance, abs=1e-3)
            assert one.metadata["relevance_score"] == expected

    async def test_equal_documents_keep_their_order(self, reranker, rerank):
        twins = [Document("the same", id=id) for id in ("b", "a")]
        assert ids(await rerank(reranker, twins)) == ["b", "a"]

    async def test_threshold(self, documents, rerank):
        everything = LFM2ColBERTReranker.from_model("hash", top_n=None)
        best, second, *_ = (
            d.metadata["relevance_score"] for d in await rerank(everything, documents)
        )
        strict = LFM2ColBERTReranker.from_model("hash", score_threshold=(best + second) / 2)
        assert ids(await rerank(strict, documents)) == ["reset"]


class TestDocuments:
    async def test_are_copies(self, reranker, documents, rerank):
        before = [document.model_copy(deep=True) for document in documents]
        for document in await rerank(reranker, documents):
            document.page_content = "changed"
            document.metadata.setdefault("tags", []).append("changed")
        assert documents == before

    async def test_keep_id_and_metadata(self, documents, rerank):
        plain = LFM2ColBERTReranker.from_model("hash", score_key=None, top_n=1)
        assert await rerank(plain, documents) == [documents[0]]

    async def test_evidence(self, documents, rerank):
        telling = LFM2ColBERTReranker.from_model("hash", evidence=True, top_n=1)
        (best,) = await rerank(telling, documents, "vinegar")
        assert best.metadata["evidence"][0]["words"] == ["vinegar", "vinegar"]

    async def test_without_text_come_last(self, documents, rerank):
        everything = LFM2ColBERTReranker.from_model("hash", top_n=None)
        found = await rerank(everything, [Document(" \n", id="blank"), *documents])
        assert found[-1].id == "blank"
        assert found[-1].metadata["relevance_score"] == 0.0
        assert ids(await rerank(everything, [Document("", id="blank")])) == ["blank"]

    async def test_none_are_none(self, reranker, rerank):
        assert await rerank(reranker, []) == []

    async def test_from_an_iterator(self, reranker, documents, rerank):
        assert await rerank(reranker, iter(documents)) == await rerank(reranker, documents)


@pytest.mark.parametrize("option", [{"top_n": 0}, {"top_k": 3}, {"score_threshold": 2}])
def test_unusable_options_are_refused(option):
    with pytest.raises(ValidationError, match=next(iter(option))):
        LFM2ColBERTReranker.from_model("hash", **option)


async def test_the_event_loop_keeps_turning(slow_encoder, documents, ticks_during):
    reranker = LFM2ColBERTReranker.from_model(slow_encoder)
    assert await ticks_during(reranker.acompress_documents(documents, QUESTION)) > 10
    assert threading.main_thread() not in slow_encoder.threads


class Everything(BaseRetriever):
    documents: list[Document]

    def _get_relevant_documents(self, query, *, run_manager):
        return self.documents


async def test_in_contextual_compression(documents):
    compression = ContextualCompressionRetriever(
        base_compressor=LFM2ColBERTReranker(retriever=Retriever.from_texts([], model="hash")),
        base_retriever=Everything(documents=documents[::-1]),
    )
    assert ids(compression.invoke(QUESTION))[:2] == ["reset", "guest"]
    assert ids(await compression.ainvoke(QUESTION))[:2] == ["reset", "guest"]
