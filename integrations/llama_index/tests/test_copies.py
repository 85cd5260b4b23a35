"""Copies share the index; pickles open it again where it lies, or say why they cannot."""

from __future__ import annotations

import copy
import pickle

import pytest
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document
from llama_index.core.vector_stores.types import VectorStoreQuery
from llama_index.retrievers.lfm2_colbert import (
    LFM2ColBERTIndex,
    LFM2ColBERTRerank,
    LFM2ColBERTVectorStore,
    create_search_tool,
)

from lfm2_colbert_rag.errors import InputError

QUESTION = "When does the pool close?"
DOCUMENTS = [
    Document(id_="pool", text="The pool closes at noon."),
    Document(id_="sauna", text="The sauna is hot."),
]


def through(engine) -> list[str]:
    return [one.node.ref_doc_id for one in engine.query(QUESTION).source_nodes]


# What is made of an index, and what it answers.
PARTS = {
    "index": (
        lambda index: index,
        lambda index: [one.node.ref_doc_id for one in index.as_retriever().retrieve(QUESTION)],
    ),
    "retriever": (
        lambda index: index.as_retriever(similarity_top_k=1, similarity_cutoff=0.01),
        lambda retriever: [one.node.ref_doc_id for one in retriever.retrieve(QUESTION)],
    ),
    "store": (
        lambda index: LFM2ColBERTVectorStore(index.retriever),
        lambda store: store.query(VectorStoreQuery(query_str=QUESTION, similarity_top_k=2)).ids,
    ),
    "tool": (
        lambda index: create_search_tool(index.as_retriever(), "rules", "Search.", max_k=1),
        lambda tool: [tool.call(query=QUESTION, k=1).content, tool.call(query="x", k=2).content],
    ),
    "query engine": (
        lambda index: index.as_query_engine(
            llm=MockLLM(), node_postprocessors=[LFM2ColBERTRerank(1, retriever=index.retriever)]
        ),
        through,
    ),
}


@pytest.fixture(params=PARTS)
def part(request: pytest.FixtureRequest):
    return PARTS[request.param]


def pickled(part):
    return pickle.loads(pickle.dumps(part))


@pytest.fixture
def on_disk(tmp_path):
    index = LFM2ColBERTIndex.from_documents(DOCUMENTS, path=tmp_path / "index", model="hash")
    yield index
    index.retriever.close()


@pytest.fixture
def in_memory():
    return LFM2ColBERTIndex.from_documents(DOCUMENTS, model="hash")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies_share_the_index(in_memory, part, duplicate):
    make, ask = part
    made = make(in_memory)
    assert ask(duplicate(made)) == ask(made) != []


def test_pickles_open_the_folder_again(on_disk, part):
    make, ask = part
    made = make(on_disk)
    assert ask(pickled(made)) == ask(made) != []


def test_pickles_of_what_is_in_memory_say_what_to_do(in_memory, part):
    make, _ = part
    with pytest.raises(InputError, match=r"in memory.*backup"):
        pickle.dumps(make(in_memory))


def test_a_pickled_index_takes_documents(on_disk):
    index = pickled(on_disk)
    index.insert(Document(id_="library", text="The library opens at nine."))
    assert set(on_disk.ref_doc_info) == {"pool", "sauna", "library"}
    assert isinstance(index._transformations[0], SentenceSplitter)
    index.retriever.close()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_rerankers_of_a_model_load_it_again(in_memory, duplicate):
    reranker = LFM2ColBERTRerank(1, "hash", similarity_cutoff=0.01, keep_retrieval_score=True)
    found = in_memory.as_retriever().retrieve(QUESTION)
    expected = reranker.postprocess_nodes(found, query_str=QUESTION)
    assert duplicate(reranker).postprocess_nodes(found, query_str=QUESTION) == expected
