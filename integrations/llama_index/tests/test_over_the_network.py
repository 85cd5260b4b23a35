"""What works with an index works with one on a server."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.types import VectorStoreQuery
from llama_index.retrievers.lfm2_colbert import (
    LFM2ColBERTIndex,
    LFM2ColBERTPlaceholder,
    LFM2ColBERTRerank,
    LFM2ColBERTRetriever,
    LFM2ColBERTVectorStore,
    create_search_tool,
)

from lfm2_colbert_rag import Client
from lfm2_colbert_rag.errors import ConfigError, InputError, ServerUnavailableError

QUESTION = "How do I reset the password?"
ROUTER = MetadataFilters(filters=[MetadataFilter(key="product", value="router")])


@pytest.fixture
def client(server):
    with server.connect() as made:
        yield made


@pytest.fixture(scope="session")
def remote(server, unchanging):
    made = LFM2ColBERTRetriever.connect(server.url, server.key, index=server.make())
    made.insert_nodes([one.node for one in unchanging.retrieve(QUESTION)])
    yield made.retriever
    made.retriever.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"similarity_top_k": 1},
        {"filters": ROUTER},
        {"where": {"details.draft": True}},
        {"doc_ids": ["router-manual"]},
        {"node_ids": ["guest", "warranty"]},
        {"similarity_cutoff": 0.4},
        {"vector_store_query_mode": "text_search"},
        {"vector_store_query_mode": "mmr", "evidence": True},
        {"evidence": True},
    ],
    ids=str,
)
async def test_answers(remote, unchanging, options):
    there, here = (
        LFM2ColBERTRetriever(one, **{"similarity_top_k": 4, **options})
        for one in (remote, unchanging.retriever)
    )
    expected = told(await here.aretrieve(QUESTION))
    assert expected
    assert told(await there.aretrieve(QUESTION)) == expected


def told(found: list[NodeWithScore]) -> list[object]:
    return [(one.score, one.node.to_dict()) for one in found]


async def test_a_loop_that_waits_for_the_server_is_free(remote, ticks_during):
    assert await ticks_during(LFM2ColBERTRetriever(remote).aretrieve(QUESTION), pause=0) > 10


def test_nodes_come_back_as_they_were_added(client, nodes):
    store = LFM2ColBERTVectorStore(client)
    assert store.add(nodes) == [node.node_id for node in nodes]
    assert store.get_nodes() == nodes
    query = VectorStoreQuery(query_str=QUESTION, similarity_top_k=4, filters=ROUTER)
    assert store.query(query).nodes == nodes[:2]
    store.delete("router-manual")
    assert store.get_nodes() == nodes[2:]
    store.delete_nodes(["descale"])
    store.clear()
    assert len(client) == 0
    store.persist("nowhere")  # the server keeps it


def test_pipelines_and_indexes_of_llama_index(server):
    store = LFM2ColBERTVectorStore.connect(server.url, server.key, index=server.make())
    documents = [Document(id_="pool", text="The pool closes at noon.")]
    IngestionPipeline(transformations=[LFM2ColBERTPlaceholder()], vector_store=store).run(
        documents=documents
    )
    embedding = MockEmbedding(embed_dim=1)
    over = VectorStoreIndex.from_vector_store(store, embed_model=embedding)
    over.insert_nodes([TextNode(id_="sauna", text="The sauna is hot.")])
    found = over.as_retriever(similarity_top_k=1).retrieve("When does the pool close?")
    assert [one.node.get_content() for one in found] == ["The pool closes at noon."]
    context = StorageContext.from_defaults(vector_store=store)
    assert context.vector_store.client is store.client
    store.client.close()


def test_index(client, tmp_path):
    documents = [
        Document(id_="pool", text="The pool closes at noon."),
        Document(id_="sauna", text="The sauna is hot."),
    ]
    index = LFM2ColBERTIndex.from_documents(documents, retriever=client)
    assert set(index.ref_doc_info) == {"pool", "sauna"}
    changed = [Document(id_="pool", text="The pool closes at one."), documents[1]]
    assert index.refresh_ref_docs(changed) == [True, False]
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("When does the pool close?")
    assert found.node.get_content() == "The pool closes at one."
    index.delete_ref_doc("pool")
    assert len(client) == 1
    for keep in (index.storage_context.persist, index.save):
        with pytest.raises(ConfigError, match="on a server"):
            keep(str(tmp_path / "kept"))
    assert not (tmp_path / "kept").exists()


def test_reranker(remote, nodes):
    given = [NodeWithScore(node=node) for node in nodes]
    here = LFM2ColBERTRerank(model="hash", evidence=True)
    there = LFM2ColBERTRerank(retriever=remote, evidence=True)
    expected = [one.node.node_id for one in here.postprocess_nodes(given, query_str=QUESTION)]
    ranked = there.postprocess_nodes(given, query_str=QUESTION)
    assert [one.node.node_id for one in ranked] == expected
    assert ranked[0].node.metadata["evidence"]


def test_tool(remote, unchanging):
    there, here = (
        create_search_tool(LFM2ColBERTRetriever(one, 4), "rules", "House rules.")
        for one in (remote, unchanging.retriever)
    )
    call = {"query": QUESTION, "k": 2}
    assert there.call(**call).content == here.call(**call).content
    assert there.call(query=QUESTION, k=0).content == here.call(query=QUESTION, k=0).content


def test_more_than_a_server_takes_at_once_is_added_in_parts(client, nodes, monkeypatch):
    monkeypatch.setattr(Client, "most_passages", 3)
    store = LFM2ColBERTVectorStore(client)
    assert store.add(nodes) == [node.node_id for node in nodes]
    assert store.get_nodes() == nodes


def test_copies_share_the_client_and_keys_do_not_travel(server, remote, monkeypatch):
    store = LFM2ColBERTVectorStore(remote)
    assert copy.deepcopy(store).client is remote
    for one in (store, LFM2ColBERTRerank(retriever=remote)):
        with pytest.raises(InputError, match="LFM2_COLBERT_API_KEY"):
            pickle.dumps(one)
    monkeypatch.setenv("LFM2_COLBERT_API_KEY", server.key)
    with LFM2ColBERTVectorStore.connect(server.url, index=remote.index).client as made:
        data = pickle.dumps(LFM2ColBERTRerank(retriever=made))
    again = pickle.loads(data)
    assert again.postprocess_nodes([NodeWithScore(node=TextNode(text="a"))], query_str="a")
    again._retriever.close()


def test_options_are_those_of_both():
    made = LFM2ColBERTRetriever.connect(
        "https://localhost:9", "lcb_k", index="a", similarity_top_k=7, timeout=1.0, retries=0
    )
    assert made.similarity_top_k == 7
    with pytest.raises(ServerUnavailableError):
        made.retrieve(QUESTION)
    with pytest.raises(TypeError, match="top_k"):
        LFM2ColBERTRetriever.connect("https://localhost:9", "lcb_k", top_k=9)
    with pytest.raises(ConfigError, match="https://"):
        LFM2ColBERTRetriever.connect("http://search.example.org", "lcb_k")


def test_the_page_about_clients(server, client, monkeypatch, capsys):
    page = (Path(__file__).parents[3] / "docs" / "client.md").read_text("utf-8")
    (block,) = re.findall(r'title="llama_index.py"\n(.*?)^```', page, re.DOTALL | re.MULTILINE)
    client.add(["Hold the reset key.", "The library opens at nine."], ids=["reset", "library"])
    block = block.replace("http://127.0.0.1:7707", server.url)
    monkeypatch.setenv("LFM2_COLBERT_API_KEY", server.key)
    names: dict[str, Any] = {}
    exec(block.replace('index="support"', f'index="{client.index}"'), names)
    assert capsys.readouterr().out.splitlines() == re.findall(r"print.*# > (.*)$", block, re.M)
    names["retriever"].retriever.close()
