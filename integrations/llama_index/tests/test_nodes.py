"""A node survives being stored and found: everything of it, and nothing shared."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import (
    Document,
    ImageDocument,
    ImageNode,
    IndexNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    NodeWithScore,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRetriever
from llama_index.retrievers.lfm2_colbert.nodes import to_node, to_passage

from lfm2_colbert_rag import Hit, Retriever, public_metadata


def stored_and_found(node, **options):
    retriever = LFM2ColBERTRetriever.from_nodes([node], model="hash", **options)
    return retriever.retrieve("anything")[0].node


FULL_NODE = TextNode(
    id_="full",
    text="  Leading blanks, {braces} and tokens: 日本語 🐚.\n",
    metadata={"title": "Shells", "secret": 7, "tags": ["sea"], "nested": {"deep": [1, None]}},
    excluded_embed_metadata_keys=["secret"],
    excluded_llm_metadata_keys=["title"],
    metadata_template="{key} = {value}",
    metadata_seperator=" | ",
    text_template="<<{metadata_str}>> {content}",
    start_char_idx=3,
    end_char_idx=9,
    relationships={
        NodeRelationship.SOURCE: RelatedNodeInfo(node_id="book", metadata={"isbn": "1"}),
        NodeRelationship.PREVIOUS: RelatedNodeInfo(node_id="before"),
        NodeRelationship.CHILD: [RelatedNodeInfo(node_id="a"), RelatedNodeInfo(node_id="b")],
    },
)


class Own(TextNode):
    """A class that LlamaIndex does not know."""


PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8)).decode()


@pytest.mark.parametrize(
    "node",
    [
        FULL_NODE,
        TextNode(text="plain"),
        Node(text_resource=MediaResource(text="a general node"), metadata={"n": 1}),
        Document(text="a whole document", metadata={"n": 1}),
        Document(text=" a document with blanks\n", metadata={"n": 1}),
        Document(text="twice: twice", metadata={"twice": "twice"}),
        ImageNode(text="a picture", image_url="https://example.org/a.png"),
        ImageNode(text="a picture", image=PICTURE, metadata={"n": 1}),
        ImageDocument(text="a dot", image=PICTURE, metadata={"n": 1}),
        ImageDocument(text="a dot", image_resource={"path": "a/dot.png"}),
        Node(
            text_resource=MediaResource(text="a film", url="https://example.org/t.txt"),
            video_resource=MediaResource(data=b"film", mimetype="video/mp4"),
            audio_resource=MediaResource(path="a/film.mp3"),
        ),
        IndexNode(text="a pointer", index_id="elsewhere"),
    ],
    ids=lambda node: node.class_name(),
)
def test_round_trip(node):
    found = stored_and_found(node)
    assert type(found) is type(node)
    assert found == node


def test_a_class_of_one_s_own_comes_back_as_the_nearest_known():
    found = stored_and_found(Own(id_="1", text="a", metadata={"n": 1}))
    assert found == TextNode(id_="1", text="a", metadata={"n": 1})


METADATA = {"file_path": "/docs/manual.pdf", "page_label": "12", "tags": ["a", "b"]}


def stored(node) -> dict:
    core = LFM2ColBERTRetriever.from_nodes([node], model="hash").retriever
    (passage,) = core.passages()
    return dict(passage.metadata)


@pytest.mark.parametrize("kind", [TextNode, Document])
def test_nothing_is_stored_twice(kind):
    text = "This sentence is in no metadata. " * 40
    source = RelatedNodeInfo(node_id="book", metadata=dict(METADATA))
    node = kind(text=text, metadata=dict(METADATA), relationships={NodeRelationship.SOURCE: source})
    written = stored(node)
    beside = json.dumps(written.pop("_llama_index"))
    assert written == METADATA
    assert "sentence" not in beside
    assert "manual" not in beside
    assert len(beside) < 400


def test_others_see_the_user_s_own_metadata_alone():
    node = TextNode(
        id_="1", text="a", metadata=dict(METADATA), relationships=FULL_NODE.relationships
    )
    core = LFM2ColBERTRetriever.from_nodes([node], model="hash").retriever
    (hit,) = core.search("a")
    assert public_metadata(hit.metadata) == METADATA


def test_what_other_tools_keep_for_themselves_is_not_shown():
    metadata = {"lang": "en", "_file": {"name": "faq.md"}}
    core = Retriever.from_texts(["one"], ids=["1"], metadata=[metadata], model="hash")
    (found,) = LFM2ColBERTRetriever(core).retrieve("one")
    assert found.node == TextNode(id_="1", text="one", metadata={"lang": "en"})


def test_a_reserved_key_of_the_user_s_comes_back_too():
    node = TextNode(id_="1", text="a", metadata={"_llama_index": {"kind": "x"}, "n": 1})
    assert stored_and_found(node) == node


texts = st.text(st.sampled_from("ab {}\n\t日🐚"), max_size=6)
values = st.none() | st.booleans() | st.integers(-3, 3) | texts
metadata = st.dictionaries(texts, values | st.lists(values, max_size=2), max_size=3)


@given(
    st.sampled_from([TextNode, Document, ImageNode]),
    texts.filter(str.strip),
    metadata,
    st.sampled_from(["{metadata_str}\n\n{content}", "{content}|{metadata_str}", "no placeholder"]),
    st.sampled_from([": ", "{key}={value}"]),
    st.data(),
)
def test_any_node_comes_back(kind, text, metadata, template, line, data):
    excluded = data.draw(
        st.lists(st.sampled_from(sorted(metadata)), max_size=2) if metadata else st.just([])
    )
    of_others = data.draw(st.just(metadata) | st.just({}) | st.just({"other": [1]}))
    node = kind(
        id_="1",
        text=text,
        metadata=metadata,
        text_template=template,
        metadata_template=line,
        excluded_embed_metadata_keys=excluded,
        relationships={
            NodeRelationship.SOURCE: RelatedNodeInfo(node_id="s", metadata=of_others, hash="h"),
            NodeRelationship.CHILD: [RelatedNodeInfo(node_id="c", metadata=of_others)],
        },
    )
    passage = to_passage(node)
    written = json.loads(json.dumps(passage.metadata))
    found = to_node(Hit(passage.id, 1.0, 1.0, passage.text, written))
    assert found == node
    assert found.get_content(MetadataMode.EMBED) == passage.text


def test_the_model_reads_what_llama_index_would_embed():
    retriever = LFM2ColBERTRetriever.from_nodes([FULL_NODE], model="hash")
    (passage,) = retriever.retriever.get(["full"])
    assert passage.text == FULL_NODE.get_content(metadata_mode=MetadataMode.EMBED)
    assert "Shells" in passage.text
    assert "secret" not in passage.text


def test_metadata_of_the_user_keeps_its_keys():
    metadata = {"doc_id": 42, "ref_doc_id": "mine", "_node_content": "mine", "text": "mine"}
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="book")}
    node = TextNode(text="a", metadata=metadata, relationships=source)
    filters = MetadataFilters(
        filters=[MetadataFilter(key=key, value=value) for key, value in metadata.items()]
    )
    assert stored_and_found(node, filters=filters, doc_ids=["book"]) == node


def test_source_documents_answer_to_llama_index_s_usual_keys(nodes):
    for key in ("doc_id", "document_id", "ref_doc_id"):
        filters = MetadataFilters(filters=[MetadataFilter(key=key, value="coffee-manual")])
        retriever = LFM2ColBERTRetriever.from_nodes(nodes, model="hash", filters=filters)
        assert [found.node.node_id for found in retriever.retrieve("password")] == ["descale"]


def test_embeddings_are_not_stored():
    assert stored_and_found(TextNode(text="a", embedding=[0.1])).embedding is None


def test_inserted_nodes_are_left_alone(nodes):
    before = [node.model_copy(deep=True) for node in nodes]
    LFM2ColBERTRetriever.from_nodes(nodes, model="hash").retrieve("password")
    assert nodes == before


async def test_found_nodes_are_fresh_each_time(retriever, ask):
    first = (await ask(retriever))[0]
    untouched = first.model_copy(deep=True)
    first.node.set_content("changed")
    first.node.metadata["tags"].append("changed")
    first.node.relationships.clear()
    assert (await ask(retriever))[0] == untouched


def test_relationships_share_nothing_with_the_node():
    metadata = {"tags": ["sea"]}
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="book", metadata=metadata)}
    found = stored_and_found(TextNode(text="a", metadata=metadata, relationships=source))
    found.metadata["tags"].append("changed")
    assert found.source_node.metadata == {"tags": ["sea"]}


def test_nodes_of_a_splitter_keep_their_neighbours():
    # All sentences differ: older LlamaIndex takes nodes of the same text for one.
    text = " ".join(f"Pear {n} and apple {n}." for n in range(60))
    document = Document(text=text, id_="fruit")
    nodes = SentenceSplitter(chunk_size=64, chunk_overlap=0).get_nodes_from_documents([document])
    retriever = LFM2ColBERTRetriever.from_nodes(nodes, model="hash", similarity_top_k=50)
    found = {one.node.node_id: one.node for one in retriever.retrieve("pears")}
    assert len(found) == len(nodes) > 2
    for node in nodes:
        assert found[node.node_id].prev_node == node.prev_node
        assert found[node.node_id].ref_doc_id == "fruit"


class TestObjects:
    """``IndexNode`` points to something that retrieval enters."""

    async def test_objects_of_inserted_nodes_are_entered(self, retriever, nodes, ask):
        pointer = IndexNode(text="red button manual", index_id="manual", obj=retriever)
        outer = LFM2ColBERTRetriever.from_nodes([pointer], model="hash", similarity_top_k=1)
        assert (await ask(outer))[0].node == nodes[0]
        assert pointer.obj is retriever

    async def test_objects_are_given_again_to_an_opened_index(self, ask, tmp_path):
        target = TextNode(id_="target", text="the table itself")
        pointer = IndexNode(text="summary of a table", index_id="table", obj=target)
        made = LFM2ColBERTRetriever.open(tmp_path / "index", model="hash")
        made.insert_nodes([pointer])
        made.retriever.close()
        opened = LFM2ColBERTRetriever.open(tmp_path / "index", model="hash", objects=[pointer])
        (found,) = await ask(opened, "summary of a table")
        assert isinstance(found, NodeWithScore)
        assert found.node.node_id == "target"
        opened.retriever.close()

    async def test_an_irrelevant_pointer_does_not_become_a_perfect_match(self, ask):
        pointers = [
            IndexNode(text=word, index_id=word, obj=TextNode(id_=word, text=word))
            for word in ("apple", "pear", "plum", "cherry", "quince", "lemon", "fig", "kiwi")
        ]
        retriever = LFM2ColBERTRetriever.from_nodes(pointers, model="hash", similarity_top_k=8)
        found = await ask(retriever, "apple")
        assert found[0].node.node_id == "apple"
        assert found[-1].score < 0.1
