"""What the library keeps beside a passage for itself is shown to nobody else."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document
from langchain_core.prompts import PromptTemplate
from langchain_lfm2_colbert import (
    LFM2ColBERTReranker,
    LFM2ColBERTRetriever,
    LFM2ColBERTVectorStore,
    create_search_tool,
)

from lfm2_colbert_rag import Retriever

OWN = {"year": 2025}
KEPT = OWN | {"_llama_index": {"_node_content": "{...}"}, "_file": {"name": "guest.md"}}


@pytest.fixture
def core() -> Retriever:
    """An index that other tools filled."""
    return Retriever.from_texts(["Guest network"], ids=["guest"], metadata=[KEPT], model="hash")


def test_retriever(core):
    retriever = LFM2ColBERTRetriever(retriever=core)
    assert retriever.invoke("guest") == [Document("Guest network", id="guest", metadata=OWN)]
    assert retriever.batch(["guest", " "], where=OWN) == [retriever.invoke("guest")] * 2


def test_store(core):
    store = LFM2ColBERTVectorStore(core)
    expected = Document("Guest network", id="guest", metadata=OWN)
    assert store.get_by_ids(["guest"]) == [expected]
    assert store.similarity_search("guest") == [expected]
    assert store.similarity_search_with_score("guest")[0][0] == expected
    assert store.similarity_search_with_relevance_scores("guest")[0][0] == expected
    assert store.max_marginal_relevance_search("guest") == [expected]
    seen: list[Document] = []
    store.similarity_search("guest", filter=lambda document: not seen.append(document))
    assert seen == [expected]


def test_search_tool(core):
    prompt = PromptTemplate.from_template("{page_content}")
    retriever = LFM2ColBERTRetriever(retriever=core)
    tool = create_search_tool(retriever, "manuals", "Search.", document_prompt=prompt)
    call = {"name": "manuals", "args": {"query": "guest"}, "id": "1", "type": "tool_call"}
    message = tool.invoke(call)
    assert message.artifact[0].metadata == OWN
    assert "_llama_index" not in message.content


def test_reranker(core):
    (found,) = LFM2ColBERTRetriever(retriever=core).invoke("guest")
    reranker = LFM2ColBERTReranker(retriever=core)
    assert reranker.compress_documents([found], "guest")[0].metadata.keys() == {
        "year",
        "relevance_score",
    }


def test_a_document_added_again_is_another(core):
    """It replaces the passage, and whatever was kept beside it."""
    store = LFM2ColBERTVectorStore(core)
    store.add_documents(store.get_by_ids(["guest"]))
    assert [passage.metadata for passage in core.passages()] == [OWN]
