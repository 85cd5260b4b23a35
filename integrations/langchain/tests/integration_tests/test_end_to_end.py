"""Whole LangChain applications around the retriever, with models that only play their part."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_classic.retrievers import ContextualCompressionRetriever, EnsembleRetriever
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_core.tools import create_retriever_tool
from langchain_lfm2_colbert import LFM2ColBERTRetriever
from langgraph.graph import END, START, StateGraph
from pydantic import PrivateAttr
from typing_extensions import TypedDict

QUESTION = "How do I reset the password?"
ANSWER = "Hold the red button for ten seconds."


class RecordingChatModel(FakeListChatModel):
    """Gives a fixed answer and remembers what it was asked."""

    _prompts: list[str] = PrivateAttr(default_factory=list)

    def _call(self, messages, *args, **kwargs):
        self._prompts.append("\n".join(str(message.content) for message in messages))
        return super()._call(messages, *args, **kwargs)


class KeepMentions(BaseDocumentCompressor):
    """Keeps the documents that mention a word."""

    word: str

    def compress_documents(self, documents, query, callbacks=None):
        return [document for document in documents if self.word in document.page_content]


class FakeToolModel(GenericFakeChatModel):
    def bind_tools(self, tools, **_):
        return self


def join(documents: list[Document]) -> str:
    return "\n".join(document.page_content for document in documents)


def rag_chain(retriever: Runnable, model: Runnable) -> Runnable:
    prompt = ChatPromptTemplate.from_template("Context:\n{context}\n\nQuestion: {question}")
    inputs = {"context": retriever | join, "question": RunnablePassthrough()}
    return inputs | prompt | model | StrOutputParser()


class TestChain:
    @pytest.fixture
    def model(self) -> RecordingChatModel:
        return RecordingChatModel(responses=[ANSWER])

    def test_the_right_passage_reaches_the_model(self, retriever, model):
        assert rag_chain(retriever.bind(k=1), model).invoke(QUESTION) == ANSWER
        (prompt,) = model._prompts
        assert "hold the red button" in prompt
        assert "vinegar" not in prompt

    async def test_and_async(self, retriever, model):
        assert await rag_chain(retriever.bind(k=1), model).ainvoke(QUESTION) == ANSWER
        (prompt,) = model._prompts
        assert "hold the red button" in prompt
        assert "vinegar" not in prompt

    async def test_streams_the_answer(self, retriever):
        model = GenericFakeChatModel(messages=iter([AIMessage(ANSWER)]))
        chunks = [chunk async for chunk in rag_chain(retriever, model).astream(QUESTION)]
        assert len(chunks) > 1
        assert "".join(chunks) == ANSWER

    async def test_documents_are_announced_before_the_answer(self, retriever):
        model = GenericFakeChatModel(messages=iter([AIMessage(ANSWER)]))
        stream = rag_chain(retriever, model).astream_events(QUESTION, version="v2")
        kinds = [event["event"] async for event in stream]
        assert kinds.index("on_retriever_end") < kinds.index("on_chat_model_stream")


class TestAgent:
    @pytest.fixture
    def tool(self, documents):
        retriever = LFM2ColBERTRetriever.from_documents(documents, model="hash", k=2)
        return create_retriever_tool(
            retriever, "manuals", "Search the manuals.", response_format="content_and_artifact"
        )

    @pytest.fixture
    def agent(self, tool):
        call = {"name": "manuals", "args": {"query": QUESTION}, "id": "1", "type": "tool_call"}
        messages = [AIMessage("", tool_calls=[call]), AIMessage(ANSWER)]
        return create_agent(FakeToolModel(messages=iter(messages)), [tool])

    def check(self, state: dict[str, Any]) -> None:
        (found,) = (m for m in state["messages"] if isinstance(m, ToolMessage))
        assert [document.id for document in found.artifact] == ["reset", "guest"]
        assert "hold the red button" in found.content
        assert state["messages"][-1].content == ANSWER

    def test_searches_through_the_tool(self, agent):
        self.check(agent.invoke({"messages": [("user", QUESTION)]}))

    async def test_and_async(self, agent):
        self.check(await agent.ainvoke({"messages": [("user", QUESTION)]}))


async def test_graph_of_two_steps(retriever):
    class State(TypedDict, total=False):
        question: str
        documents: list[Document]
        answer: str

    async def retrieve(state: State) -> State:
        return {"documents": await retriever.ainvoke(state["question"], k=1)}

    def answer(state: State) -> State:
        return {"answer": state["documents"][0].page_content}

    graph = StateGraph(State)
    graph.add_node("retrieve", retrieve)
    graph.add_node("answer", answer)
    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", "answer")
    graph.add_edge("answer", END)
    state = await graph.compile().ainvoke({"question": QUESTION})
    assert "hold the red button" in state["answer"]


class TestCombinations:
    def test_ensemble_merges_by_the_copied_id(self, documents):
        members = [
            LFM2ColBERTRetriever.from_documents(documents, model="hash", k=k, id_key="doc_id")
            for k in (1, 2)
        ]
        ensemble = EnsembleRetriever(retrievers=members, weights=[0.5, 0.5], id_key="doc_id")
        assert [document.id for document in ensemble.invoke(QUESTION)] == ["reset", "guest"]

    def test_compression_forwards_the_options_of_a_call(self, retriever):
        compressed = ContextualCompressionRetriever(
            base_compressor=KeepMentions(word="label"), base_retriever=retriever
        )
        assert [document.id for document in compressed.invoke(QUESTION, k=2)] == ["guest"]
        assert compressed.invoke(QUESTION, k=1) == []
