"""Copies share the index; other processes open it by its path."""

from __future__ import annotations

import copy
import pickle

import pytest
from langchain_core.documents import Document
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_lfm2_colbert import (
    LFM2ColBERTReranker,
    LFM2ColBERTRetriever,
    LFM2ColBERTTranslator,
    LFM2ColBERTVectorStore,
    create_search_tool,
)

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import InputError

QUESTION = "How do I reset the password?"


def first_text(documents) -> str:
    return documents[0].page_content


def chain(core: Retriever):
    return LFM2ColBERTRetriever(retriever=core, k=1) | RunnableLambda(first_text)


def tool(core: Retriever):
    prompt = PromptTemplate.from_template("{passage_id}: {year}")
    return create_search_tool(
        LFM2ColBERTRetriever(retriever=core, k=1, where={"product": "router"}),
        "manuals",
        "Search the manuals.",
        fields={"year": "of the manual"},
        max_k=2,
        document_prompt=prompt,
    )


KINDS = {
    "retriever": (
        lambda core: LFM2ColBERTRetriever(retriever=core, k=1, score_threshold=0.1),
        lambda one: one.invoke(QUESTION),
    ),
    "store": (LFM2ColBERTVectorStore, lambda one: one.similarity_search(QUESTION, k=1)),
    "store's retriever": (
        lambda core: LFM2ColBERTVectorStore(core).as_retriever(search_kwargs={"k": 1}),
        lambda one: one.invoke(QUESTION),
    ),
    "reranker": (
        lambda core: LFM2ColBERTReranker(retriever=core, top_n=1),
        lambda one: one.compress_documents([Document("vinegar"), Document("reset")], "reset"),
    ),
    "tool": (
        tool,
        lambda one: (one.invoke({"query": QUESTION, "where": {"year": 2023}}), one.args),
    ),
    "chain": (chain, lambda one: one.invoke(QUESTION)),
    "translator": (lambda core: LFM2ColBERTTranslator(), lambda one: one.allowed_comparators),
}


@pytest.fixture
def core(documents, tmp_path):
    with Retriever.open(tmp_path / "index", model="hash") as opened:
        LFM2ColBERTVectorStore(opened).add_documents(documents)
        yield opened


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_do_the_same(core, kind, again):
    make, use = KINDS[kind]
    original = make(core)
    assert use(again(original)) == use(original)


def test_deep_copies_share_the_index(core):
    retriever = LFM2ColBERTRetriever(retriever=core)
    assert copy.deepcopy(retriever).retriever is core
    assert copy.deepcopy(LFM2ColBERTVectorStore(core)).retriever is core
    assert retriever.model_copy(deep=True).retriever is core


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"translator"}))
def test_in_memory_say_how_to_travel(documents, kind):
    core = LFM2ColBERTRetriever.from_documents(documents, model="hash").retriever
    make, use = KINDS[kind]
    original = make(core)
    assert use(copy.deepcopy(original)) == use(original)
    with pytest.raises(InputError, match=r"backup\(\)"):
        pickle.dumps(original)
