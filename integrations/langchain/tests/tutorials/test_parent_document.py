"""LangChain's tutorial on parent documents: small pieces are found, and their wholes returned."""

from __future__ import annotations

import pytest
from langchain_classic.retrievers import ParentDocumentRetriever
from langchain_core.documents import Document
from langchain_core.stores import InMemoryStore
from langchain_lfm2_colbert import LFM2ColBERTVectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter

QUESTION = "justice breyer"
SPEECH = "\n\n".join(
    [
        "Tonight we honor a man who served this country on the bench for decades. " * 3,
        "Justice Breyer, thank you for your service to the court and to the people.",
        "The roads will be mended, the bridges rebuilt, and the water made clean. " * 3,
    ]
)
ESSAY = "\n\n".join(f"Paragraph {n} is about what programmers make in the evening." for n in "abc")


@pytest.fixture
def documents() -> list[Document]:
    return [
        Document(SPEECH, metadata={"source": "speech.txt"}),
        Document("", metadata={"source": "empty.txt"}),
        Document(ESSAY, metadata={"source": "essay.txt"}),
    ]


@pytest.fixture
def store() -> LFM2ColBERTVectorStore:
    return LFM2ColBERTVectorStore.from_texts([], model="hash")


def splitter(size: int) -> RecursiveCharacterTextSplitter:
    return RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=0)


async def test_full_documents(store, documents):
    retriever = ParentDocumentRetriever(
        vectorstore=store, docstore=InMemoryStore(), child_splitter=splitter(100)
    )
    retriever.add_documents(documents, ids=None)
    assert len(list(retriever.docstore.yield_keys())) == 3
    (piece, *_) = store.similarity_search(QUESTION)
    assert "Breyer" in piece.page_content
    (whole, *_) = await retriever.ainvoke(QUESTION)
    assert whole.page_content == SPEECH
    assert len(piece.page_content) < 100 < len(whole.page_content)


async def test_larger_pieces(store, documents):
    retriever = ParentDocumentRetriever(
        vectorstore=store,
        docstore=InMemoryStore(),
        child_splitter=splitter(80),
        parent_splitter=splitter(400),
    )
    await retriever.aadd_documents(documents)
    (found, *_) = retriever.invoke(QUESTION)
    assert "Breyer" in found.page_content
    assert len(found.page_content) < len(SPEECH)
    assert found.metadata == {"source": "speech.txt"}


def test_run_again_with_ids_of_ones_own(store, documents):
    retriever = ParentDocumentRetriever(
        vectorstore=store, docstore=InMemoryStore(), child_splitter=splitter(100)
    )
    for _ in range(2):
        retriever.add_documents(documents, ids=["speech", "empty", "essay"])
        count = len(store.retriever)
    retriever.add_documents(documents, ids=["speech", "empty", "essay"])
    assert len(store.retriever) == count
    assert len(list(retriever.docstore.yield_keys())) == 3
