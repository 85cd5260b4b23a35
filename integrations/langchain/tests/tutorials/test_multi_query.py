"""LangChain's tutorials on several queries and retrievers: each document comes back once."""

from __future__ import annotations

import pytest
from langchain_classic.retrievers import (
    ContextualCompressionRetriever,
    EnsembleRetriever,
    MergerRetriever,
    MultiQueryRetriever,
)
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import BaseOutputParser
from langchain_core.prompts import PromptTemplate
from langchain_lfm2_colbert import (
    LFM2ColBERTReranker,
    LFM2ColBERTRetriever,
    LFM2ColBERTVectorStore,
)

QUESTION = "What are the approaches to task decomposition?"
CHUNKS = [
    "Task decomposition can be done by simple prompting.",
    "Task decomposition can be done by task-specific instructions.",
    "Memory keeps what an agent has seen.",
    "Tools let an agent act.",
]
REWORDED = [
    "How can task decomposition be done?",
    "task decomposition by prompting or instructions",
    "Ways of task decomposition",
]
TWO = set(CHUNKS[:2])


class Lines(BaseOutputParser[list[str]]):
    def parse(self, text: str) -> list[str]:
        return list(filter(None, text.strip().split("\n")))


def model(*lines: str) -> FakeListChatModel:
    return FakeListChatModel(responses=["\n".join(lines)])


@pytest.fixture(params=["retriever", "store"])
def retriever(request: pytest.FixtureRequest):
    if request.param == "retriever":
        return LFM2ColBERTRetriever.from_texts(CHUNKS, model="hash", k=2)
    store = LFM2ColBERTVectorStore.from_texts(CHUNKS, model="hash")
    return store.as_retriever(search_kwargs={"k": 2})


@pytest.fixture(params=["invoke", "ainvoke"])
def ask(request: pytest.FixtureRequest):
    async def call(retriever, question=QUESTION) -> list[Document]:
        if request.param == "invoke":
            return retriever.invoke(question)
        return await retriever.ainvoke(question)

    return call


def texts(documents: list[Document]) -> set[str]:
    return {document.page_content for document in documents}


class TestMultiQuery:
    async def test_unique_documents(self, retriever, ask):
        multi = MultiQueryRetriever.from_llm(retriever, model(*REWORDED), include_original=True)
        found = await ask(multi)
        assert len(found) == 2
        assert texts(found) == TWO

    async def test_own_prompt_and_parser(self, retriever, ask):
        prompt = PromptTemplate.from_template("Five versions of {question}")
        multi = MultiQueryRetriever(
            retriever=retriever, llm_chain=prompt | model(*REWORDED) | Lines(), parser_key="lines"
        )
        assert len(await ask(multi)) == 2

    async def test_a_blank_line_among_the_queries_finds_nothing_more(self, retriever, ask):
        multi = MultiQueryRetriever.from_llm(retriever, model(REWORDED[0], " ", REWORDED[1]))
        assert texts(await ask(multi)) == TWO

    async def test_scores_on_request_tell_the_questions_apart(self, ask):
        """What a document says of one question makes it another document."""
        scored = LFM2ColBERTRetriever.from_texts(
            CHUNKS, model="hash", k=2, score_key="relevance_score"
        )
        assert len(await ask(MultiQueryRetriever.from_llm(scored, model(*REWORDED)))) > 2


class TestSeveralRetrievers:
    async def test_ensemble(self, ask):
        """Documents are the same by their texts, or by the id that both carry."""
        members = [
            LFM2ColBERTRetriever.from_texts(CHUNKS, model="hash", k=2, mode=mode, id_key="id")
            for mode in ("late", "lexical")
        ]
        for id_key in (None, "id"):
            ensemble = EnsembleRetriever(retrievers=members, weights=[0.5, 0.5], id_key=id_key)
            found = await ask(ensemble)
            assert len(found) == 2
            assert texts(found) == TWO

    async def test_merger(self, ask):
        members = [
            LFM2ColBERTRetriever.from_texts(CHUNKS, model="hash", k=2, mode=mode)
            for mode in ("late", "lexical")
        ]
        found = await ask(MergerRetriever(retrievers=members))
        unique = [one for place, one in enumerate(found) if one not in found[:place]]
        assert len(found) == 4
        assert len(unique) == 2

    async def test_reranked_afterwards(self, retriever, ask):
        multi = MultiQueryRetriever.from_llm(retriever, model(*REWORDED))
        reranked = ContextualCompressionRetriever(
            base_compressor=LFM2ColBERTReranker.from_model("hash", top_n=1), base_retriever=multi
        )
        (best,) = await ask(reranked, "simple prompting")
        assert best.page_content == CHUNKS[0]
