"""What works with an index works with one on a server."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_lfm2_colbert import (
    LFM2ColBERTReranker,
    LFM2ColBERTRetriever,
    LFM2ColBERTVectorStore,
    create_search_tool,
)
from pydantic import ValidationError

from lfm2_colbert_rag import Client
from lfm2_colbert_rag.errors import ConfigError, InputError, ServerUnavailableError

QUESTION = "How do I reset the password?"


@pytest.fixture
def remote(server, documents) -> Iterator[LFM2ColBERTRetriever]:
    made = LFM2ColBERTRetriever.connect(server.url, server.key, index=server.make(), k=3)
    made.add_documents(documents)
    yield made
    made.retriever.close()


@pytest.fixture
def client(server) -> Iterator[Client]:
    with server.connect() as made:
        yield made


@pytest.fixture
def local(documents) -> LFM2ColBERTRetriever:
    return LFM2ColBERTRetriever.from_documents(documents, model="hash", k=3)


OPTIONS = [
    {},
    {"k": 1},
    {"where": {"year": {"$gte": 2024}}},
    {"score_threshold": 0.4},
    {"mode": "lexical"},
    {"evidence": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
async def test_answers(remote, local, options):
    expected = local.invoke(QUESTION, **options)
    assert remote.invoke(QUESTION, **options) == expected
    assert await remote.ainvoke(QUESTION, **options) == expected


async def test_batches(remote, local):
    questions, options = (
        [QUESTION, "coffee", " "],
        {"k": [1, 2, 3], "evidence": [True, False, True]},
    )
    expected = local.batch(questions, **options)
    assert remote.batch(questions, **options) == expected
    assert await remote.abatch(questions, **options) == expected


async def test_a_loop_that_waits_for_the_server_is_free(remote, ticks_during):
    assert await ticks_during(remote.ainvoke(QUESTION), pause=0) > 10


def test_store(server, documents):
    there = LFM2ColBERTVectorStore.connect(server.url, server.key, index=server.make())
    here = LFM2ColBERTVectorStore.from_documents(documents, model="hash")
    assert there.add_documents(documents) == [one.id for one in documents]
    for ask in (
        lambda one: one.similarity_search_with_score(QUESTION, k=2),
        lambda one: one.similarity_search_with_relevance_scores(QUESTION, filter={"year": 2025}),
        lambda one: one.max_marginal_relevance_search(QUESTION, k=2, lambda_mult=0.3),
        lambda one: one.similarity_search(QUESTION, filter=lambda doc: doc.id == "guest"),
        lambda one: one.get_by_ids(["guest", "nope", "reset"]),
        lambda one: one.as_retriever(search_kwargs={"k": 1}).invoke(QUESTION),
        lambda one: one.delete(filter={"product": "router"}),
        lambda one: one.similarity_search(QUESTION),
    ):
        assert ask(there) == ask(here)
    there.retriever.close()


def test_reranker(remote, documents):
    here = LFM2ColBERTReranker.from_model("hash", evidence=True)
    there = LFM2ColBERTReranker(retriever=remote.retriever, evidence=True)
    ranked = there.compress_documents(documents, QUESTION)
    assert [one.id for one in ranked] == [
        one.id for one in here.compress_documents(documents, QUESTION)
    ]
    assert ranked[0].metadata["evidence"]
    assert there.compress_documents(documents, " ")


def test_tool(remote, local):
    call = {"query": "x", "k": 1, "where": {"product": "toaster"}}
    fields = {"product": "what it is"}
    there, here = (create_search_tool(one, "m", "M.", fields=fields) for one in (remote, local))
    assert there.invoke(call) == here.invoke(call)
    assert "'product' holds texts" in there.invoke(call)


def test_more_than_a_server_takes_at_once_is_added_in_parts(server, monkeypatch):
    monkeypatch.setattr(Client, "most_passages", 2)
    store = LFM2ColBERTVectorStore.connect(server.url, server.key, index=server.make())
    texts = [f"page {number}" for number in range(5)]
    metadatas, ids = [{"n": number} for number in range(5)], [None, "1", "2", None, "4"]
    added = store.add_texts(texts, metadatas, ids=ids)
    here = LFM2ColBERTVectorStore.from_texts([], model="hash")
    assert added == here.add_texts(texts, metadatas, ids=ids)
    assert store.get_by_ids(added) == here.get_by_ids(added)
    with pytest.raises(InputError, match="4 ids for 5 texts"):
        store.add_texts(texts, ids=["a"] * 4)
    store.retriever.close()


def test_indexing(server, documents):
    store = LFM2ColBERTVectorStore.connect(server.url, server.key, index=server.make())
    records = InMemoryRecordManager(namespace="remote")
    records.create_schema()
    options = {"cleanup": "full", "source_id_key": "product", "key_encoder": "sha256"}
    assert index(documents, records, store, **options)["num_added"] == 4
    assert index(documents[:3], records, store, **options) == {
        "num_added": 0,
        "num_updated": 0,
        "num_skipped": 3,
        "num_deleted": 1,
    }
    assert store.retriever.count() == 3
    store.retriever.close()


def test_copies_share_the_client(remote):
    assert copy.deepcopy(remote).retriever is remote.retriever
    assert remote.with_config(tags=["a"]).invoke(QUESTION) == remote.invoke(QUESTION)


def test_other_processes_have_the_key_of_their_own(server, remote, monkeypatch):
    with pytest.raises(InputError, match="LFM2_COLBERT_API_KEY"):
        pickle.dumps(remote)
    monkeypatch.setenv("LFM2_COLBERT_API_KEY", server.key)
    made = LFM2ColBERTRetriever.connect(server.url, index=remote.retriever.index, k=1)
    again = pickle.loads(pickle.dumps(made))
    assert again.invoke(QUESTION) == remote.invoke(QUESTION, k=1)
    again.retriever.close()
    made.retriever.close()


def test_options_are_those_of_both():
    made = LFM2ColBERTRetriever.connect(
        "https://localhost:9", "lcb_k", index="a", k=7, timeout=1.0, retries=0, tags=["t"]
    )
    assert (made.k, made.tags) == (7, ["t"])
    assert "lcb_k" not in repr(made)
    with pytest.raises(ServerUnavailableError):
        made.invoke(QUESTION)
    with pytest.raises(ValidationError, match="top_k"):
        LFM2ColBERTRetriever.connect("https://localhost:9", "lcb_k", top_k=9)
    with pytest.raises(ConfigError, match="https://"):
        LFM2ColBERTRetriever.connect("http://search.example.org", "lcb_k")
    with pytest.raises(TypeError, match="k"):
        LFM2ColBERTVectorStore.connect("https://localhost:9", "lcb_k", k=9)


def test_metadata_arrive_as_an_index_keeps_them(remote):
    on = datetime(2024, 1, 5, tzinfo=UTC)
    (id,) = remote.add_documents([Document("A dated page.", metadata={"on": on})])
    assert remote.retriever.get([id])[0].metadata == {"on": "2024-01-05T00:00:00+00:00"}


def test_the_page_about_clients(server, client, monkeypatch, capsys):
    page = (Path(__file__).parents[4] / "docs" / "client.md").read_text("utf-8")
    (block,) = re.findall(r'title="langchain.py"\n(.*?)^```', page, re.DOTALL | re.MULTILINE)
    client.add(["Hold the reset key.", "The library opens at nine."], ids=["reset", "library"])
    block = block.replace("http://127.0.0.1:7707", server.url)
    monkeypatch.setenv("LFM2_COLBERT_API_KEY", server.key)
    names: dict[str, Any] = {}
    exec(block.replace('index="support"', f'index="{client.index}"'), names)
    assert capsys.readouterr().out.splitlines() == re.findall(r"print.*# > (.*)$", block, re.M)
    names["retriever"].retriever.close()
