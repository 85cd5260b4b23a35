"""LangChain's tutorial on memories that fade: dates go into metadata, and are reckoned with."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from langchain_classic.retrievers import TimeWeightedVectorStoreRetriever
from langchain_core.documents import Document
from langchain_core.utils import mock_now
from langchain_lfm2_colbert import LFM2ColBERTVectorStore


@pytest.fixture
def store() -> LFM2ColBERTVectorStore:
    return LFM2ColBERTVectorStore.from_texts([], model="hash")


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest):
    async def call(retriever, method, *args, **options):
        if request.param == "sync":
            return getattr(retriever, method)(*args, **options)
        return await getattr(retriever, f"a{method}")(*args, **options)

    return call


async def remember(retriever, call) -> None:
    yesterday = datetime.now() - timedelta(days=1)
    await call(
        retriever,
        "add_documents",
        [Document("hello world", metadata={"last_accessed_at": yesterday})],
    )
    await call(retriever, "add_documents", [Document("hello foo")])


@pytest.mark.parametrize(
    ("decay_rate", "best"),
    [(1e-25, "hello world"), (0.999, "hello foo")],
    ids=["low: what is alike", "high: what is new"],
)
async def test_decay(store, call, decay_rate, best):
    retriever = TimeWeightedVectorStoreRetriever(vectorstore=store, decay_rate=decay_rate, k=1)
    await remember(retriever, call)
    found = await call(retriever, "invoke", "hello world")
    assert [document.page_content for document in found] == [best]


async def test_virtual_time(store, call):
    """What is found counts as seen now."""
    retriever = TimeWeightedVectorStoreRetriever(vectorstore=store, decay_rate=0.01, k=1)
    await remember(retriever, call)
    with mock_now(datetime(2031, 2, 3, 10, 11)):
        (found,) = await call(retriever, "invoke", "hello world")
    assert found.metadata["last_accessed_at"] == datetime(2031, 2, 3, 10, 11)
    assert await call(retriever, "invoke", "hello world") == [found]


async def test_the_time_of_a_memory_is_passed_on(store, call):
    retriever = TimeWeightedVectorStoreRetriever(vectorstore=store, k=1)
    then = datetime(2024, 5, 6)
    await call(retriever, "add_documents", [Document("hello")], current_time=then)
    (passage,) = store.retriever.passages()
    assert passage.metadata["created_at"] == "2024-05-06T00:00:00"


def test_memories_outlive_the_process(tmp_path):
    """The store keeps dates as ISO 8601; the retriever reckons with datetimes."""
    store = LFM2ColBERTVectorStore.open(tmp_path / "memories", model="hash")
    retriever = TimeWeightedVectorStoreRetriever(vectorstore=store, k=2)
    retriever.add_documents([Document("hello world"), Document("hello foo")])
    store.retriever.close()

    store = LFM2ColBERTVectorStore.open(tmp_path / "memories")
    stream = [
        Document(
            one.text,
            id=one.id,
            metadata=one.metadata
            | {
                key: datetime.fromisoformat(one.metadata[key])
                for key in ("created_at", "last_accessed_at")
            },
        )
        for one in sorted(store.retriever.passages(), key=lambda one: one.metadata["buffer_idx"])
    ]
    reopened = TimeWeightedVectorStoreRetriever(vectorstore=store, memory_stream=stream, k=2)
    found = reopened.invoke("hello foo")
    assert {document.page_content for document in found} == {"hello world", "hello foo"}
    store.retriever.close()
