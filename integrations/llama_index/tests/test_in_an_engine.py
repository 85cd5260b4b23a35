"""What works with an index in a folder works with one in an engine."""

from __future__ import annotations

import pytest
from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.types import VectorStoreQuery
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRetriever, LFM2ColBERTVectorStore

pytest.importorskip("qdrant_client", reason="needs the core's extra 'qdrant'")

QUESTION = "How do I reset the password?"


@pytest.fixture
def store(nodes, tmp_path):
    made = LFM2ColBERTVectorStore.open(f"qdrant+file://{tmp_path}/engine/docs", model="hash")
    made.add(nodes)
    yield made
    made.client.close()


@pytest.fixture
def other(nodes):
    made = LFM2ColBERTVectorStore.open_in_memory("hash")
    made.add(nodes)
    return made


@pytest.mark.parametrize("mode", ["default", "text_search", "hybrid"])
def test_queries_find_what_those_of_a_folder_do(store, other, mode):
    for filters in (
        None,
        MetadataFilters(filters=[MetadataFilter(key="product", value="router")]),
    ):
        query = VectorStoreQuery(query_str=QUESTION, similarity_top_k=3, mode=mode, filters=filters)
        found, wanted = store.query(query), other.query(query)
        assert found.ids == wanted.ids
        assert found.nodes == wanted.nodes


def test_nodes_come_back_and_go(store, nodes):
    """In the order of hashes of their ids, as an engine has them."""
    ids = [node.node_id for node in nodes]
    assert by_id(store.get_nodes(ids)) == by_id(nodes)
    store.delete_nodes(ids[:1])
    assert by_id(store.get_nodes(ids)) == by_id(nodes[1:])


def by_id(nodes):
    return sorted(nodes, key=lambda node: node.node_id)


def test_an_index_of_llama_index_stands_over_it(store, nodes):
    index = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(1))
    assert index.as_retriever(similarity_top_k=1).retrieve(QUESTION)
    assert StorageContext.from_defaults(vector_store=store)
    retriever = LFM2ColBERTRetriever(store.client, similarity_top_k=2)
    assert len(retriever.retrieve(QUESTION)) == 2
