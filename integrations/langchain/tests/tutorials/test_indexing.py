"""LangChain's tutorial on its indexing API, in all modes, with a blank page among the others."""

from __future__ import annotations

from datetime import date

import pytest
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.indexing import InMemoryRecordManager, aindex, index
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_lfm2_colbert import LFM2ColBERTVectorStore


def page(text: str, source: str) -> Document:
    return Document(text, metadata={"source": source})


KITTY, DOGGY = page("kitty", "kitty.txt"), page("doggy", "doggy.txt")
SCAN = [page("first page", "scan.pdf"), page(" \n", "scan.pdf"), page("third page", "scan.pdf")]


class Scans(BaseLoader):
    def lazy_load(self):
        yield from SCAN


def counts(done: dict[str, int]) -> tuple[int, ...]:
    return tuple(done[f"num_{what}"] for what in ("added", "updated", "skipped", "deleted"))


@pytest.fixture(params=["index", "aindex"])
def run(request: pytest.FixtureRequest, tmp_path):
    """Index into a store on disk, and say what became of it."""
    store = LFM2ColBERTVectorStore.open(tmp_path / "store", model="hash")
    manager = InMemoryRecordManager("tutorial")
    manager.create_schema()

    async def run(documents, cleanup, **options) -> tuple[int, ...]:
        options = {"source_id_key": "source", "key_encoder": "sha256"} | options
        if request.param == "index":
            done = index(documents, manager, store, cleanup=cleanup, **options)
        else:
            done = await aindex(documents, manager, store, cleanup=cleanup, **options)
        return counts(done)

    run.store = store
    yield run
    store.retriever.close()


def texts(run) -> list[str]:
    return [passage.text for passage in run.store.retriever.passages()]


async def test_none_cleans_nothing_up(run):
    assert await run([KITTY] * 5, None) == (1, 0, 4, 0)
    assert await run([KITTY, DOGGY], None) == (1, 0, 1, 0)
    assert await run([], None) == (0, 0, 0, 0)
    assert texts(run) == ["kitty", "doggy"]


async def test_incremental_replaces_what_changed(run):
    assert await run([KITTY, DOGGY], "incremental") == (2, 0, 0, 0)
    assert await run([KITTY, DOGGY], "incremental") == (0, 0, 2, 0)
    assert await run([], "incremental") == (0, 0, 0, 0)
    assert await run([page("puppy", "doggy.txt")], "incremental") == (1, 0, 0, 1)
    assert texts(run) == ["kitty", "puppy"]


async def test_full_removes_what_is_gone(run):
    assert await run([KITTY, DOGGY], "full") == (2, 0, 0, 0)
    assert await run([DOGGY], "full") == (0, 0, 1, 1)
    assert texts(run) == ["doggy"]
    assert await run([], "full") == (0, 0, 0, 1)
    assert texts(run) == []


async def test_scoped_full_removes_within_its_sources(run):
    await run([KITTY, DOGGY], "scoped_full")
    assert await run([page("puppy", "doggy.txt")], "scoped_full") == (1, 0, 0, 1)
    assert texts(run) == ["kitty", "puppy"]


@pytest.mark.parametrize(
    ("cleanup", "batch_size"), [(None, 1), ("incremental", 1), ("full", 2), ("scoped_full", 100)]
)
async def test_everything_behind_a_blank_page(run, cleanup, batch_size):
    """A blank page stops nothing, and counts as it does in LangChain's own store."""
    other = InMemoryVectorStore(DeterministicFakeEmbedding(size=2))
    manager = InMemoryRecordManager("other")
    options = {"source_id_key": "source", "key_encoder": "sha256", "batch_size": batch_size}
    for again in ({}, {}, {"force_update": True}):
        done = await run(Scans(), cleanup, batch_size=batch_size, **again)
        expected = index(Scans(), manager, other, cleanup=cleanup, **options, **again)
        assert done == counts(expected)
        assert texts(run) == ["first page", "third page"]
    assert cleanup == "incremental" or done == (0, 3, 0, 0)


@pytest.mark.parametrize("cleanup", ["incremental", "full", "scoped_full"])
async def test_a_page_that_becomes_blank_is_gone(run, cleanup):
    await run(SCAN, cleanup)
    revised = [SCAN[0], SCAN[1], page("", "scan.pdf")]
    assert await run(revised, cleanup) == (1, 0, 2, 1)
    assert texts(run) == ["first page"]


async def test_dates_in_metadata_want_keys_of_ones_own(run):
    """LangChain makes its keys of metadata as JSON; what a function makes of them is up to it."""
    dated = Document("today", metadata={"source": "news", "created": date(2024, 1, 5)})
    with pytest.raises(ValueError, match="hash metadata"):
        await run([dated], "full")
    for expected in ((1, 0, 0, 0), (0, 0, 1, 0)):
        assert await run([dated], "full", key_encoder=lambda one: one.page_content) == expected
    (passage,) = run.store.retriever.passages({"created": {"$gte": "2024-01-01"}})
    assert passage.metadata["created"] == "2024-01-05"
