"""What a node may say on request: the words that matched, the part of a long text, the mode."""

from __future__ import annotations

import copy

import pytest
from llama_index.core.schema import Document, MetadataMode, QueryBundle, TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRetriever, LFM2ColBERTVectorStore

from lfm2_colbert_rag import Retriever


async def test_evidence_names_the_words_that_matched(nodes, ask):
    retriever = LFM2ColBERTRetriever.from_nodes(nodes, model="hash", evidence=True)
    found = (await ask(retriever, "Vinegar"))[0].node
    (match,) = found.metadata["evidence"]
    assert found.get_content()[slice(*match["passage"])] == "vinegar"
    assert match["query"] == [0, 7]
    assert match["words"] == ["Vinegar", "vinegar"]
    assert match["strength"] > 0.99


async def test_evidence_belongs_to_the_question_that_found_it(nodes, ask):
    retriever = LFM2ColBERTRetriever.from_nodes(
        nodes, model="hash", evidence=True, similarity_top_k=1
    )
    bundle = QueryBundle("?", custom_embedding_strs=["something else", "the vinegar"])
    (match, *_) = (await ask(retriever, bundle))[0].node.metadata["evidence"]
    assert match["words"][0] in ("the", "vinegar")


async def test_no_model_reads_the_evidence(nodes, ask):
    retriever = LFM2ColBERTRetriever.from_nodes(nodes, model="hash", evidence=True)
    found = (await ask(retriever, "vinegar"))[0].node
    for mode in (MetadataMode.LLM, MetadataMode.EMBED):
        assert "strength" not in found.get_content(metadata_mode=mode)
    again = LFM2ColBERTRetriever(retriever.retriever)
    assert (await ask(again, "vinegar"))[0].node == nodes[2]


async def test_facts_are_read_like_other_metadata_but_are_no_part_of_what_a_node_is(nodes, ask):
    plain = LFM2ColBERTRetriever.from_nodes(nodes, model="hash", similarity_top_k=1)
    telling = LFM2ColBERTRetriever(plain.retriever, 1, evidence=True, window_key="window")
    first, again, other = [
        (await ask(one, question))[0].node
        for one, question in ((telling, "vinegar"), (telling, "tank"), (plain, "vinegar"))
    ]
    assert first.metadata["evidence"] != again.metadata["evidence"]
    assert "evidence" in first.metadata
    assert first.metadata.get("evidence")
    assert first.hash == again.hash == other.hash
    for duplicate in (first.model_copy(), first.model_copy(deep=True), copy.deepcopy(first)):
        assert duplicate.metadata["evidence"] == first.metadata["evidence"]
        assert duplicate.hash == other.hash
    assert first.model_dump()["metadata"] == dict(first.metadata)


def test_of_whole_documents_too():
    plain = Document(id_="a", text="vinegar", metadata={"n": 1})
    core = LFM2ColBERTRetriever.from_nodes([plain], model="hash").retriever
    (found,) = LFM2ColBERTRetriever(core, evidence=True).retrieve("vinegar")
    assert found.node.metadata["evidence"]
    assert found.node.hash == plain.hash


def test_are_not_stored_where_a_found_node_is_inserted():
    first = LFM2ColBERTRetriever.from_nodes([TextNode(id_="a", text="vinegar")], model="hash")
    found = LFM2ColBERTRetriever(first.retriever, evidence=True).retrieve("vinegar")
    second = LFM2ColBERTRetriever.from_nodes([one.node for one in found], model="hash")
    (again,) = second.retrieve("vinegar")
    assert again.node.metadata == {}


async def test_window_says_which_part_of_a_long_text_was_found(ask):
    long = " ".join(f"word{n}." for n in range(900)) + " The pool closes at noon."
    nodes = [TextNode(text=long, id_="long"), TextNode(text="short", id_="short")]
    retriever = LFM2ColBERTRetriever.from_nodes(nodes, model="hash", window_key="window")
    found = {one.node.node_id: one.node for one in await ask(retriever, "pool closes at noon")}
    start, end = found["long"].metadata["window"]
    assert "The pool closes at noon." in long[start:end]
    assert start > 0
    assert "window" not in found["short"].metadata


class Modal(Retriever):
    """Notes which mode it was asked for; None leaves it to the core."""

    asked: list[object]

    def search(self, query, k=10, *, mode=None, **options):
        self.asked.append(mode)
        return super().search(query, k, **options)

    def search_many(self, queries, k=10, *, mode=None, **options):
        self.asked.append(mode)
        return super().search_many(queries, k, **options)


@pytest.fixture
def core() -> Modal:
    core = Modal.from_texts(["one", "two"], model="hash")
    core.asked = []
    return core


async def test_mode_is_passed_on_and_left_to_the_core_when_not_set(core, ask):
    await ask(LFM2ColBERTRetriever(core), "one")
    await ask(LFM2ColBERTRetriever(core, mode="hybrid"), "one")
    assert core.asked == [None, "hybrid"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("DEFAULT", None), ("TEXT_SEARCH", "lexical"), ("SPARSE", "lexical"), ("HYBRID", "hybrid")],
)
def test_mode_of_the_vector_store(core, mode, expected):
    query = VectorStoreQuery(
        query_str="one", mode=VectorStoreQueryMode[mode], similarity_top_k=1, hybrid_top_k=2
    )
    found = LFM2ColBERTVectorStore(core).query(query)
    assert core.asked == [expected]
    assert len(found.ids) == (2 if mode == "HYBRID" else 1)
