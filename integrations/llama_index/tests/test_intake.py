"""Nodes as loaders make them: blank pages, dates, numpy's numbers, broken characters."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import uuid
from unicodedata import normalize

import numpy as np
import pytest
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import (
    Document,
    ImageNode,
    IndexNode,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from llama_index.retrievers.lfm2_colbert import (
    LFM2ColBERTIndex,
    LFM2ColBERTRetriever,
    LFM2ColBERTVectorStore,
)

from lfm2_colbert_rag.errors import InputError


class Colour(enum.Enum):
    RED = "red"


LOADED = {
    "date": (datetime.date(2024, 1, 5), "2024-01-05"),
    "time": (datetime.datetime(2024, 1, 5, 9, 30), "2024-01-05T09:30:00"),
    "pair": ((1, "a"), [1, "a"]),
    "set": ({"b", "a"}, ["a", "b"]),
    "uuid": (uuid.UUID(int=7), str(uuid.UUID(int=7))),
    "path": (pathlib.PurePosixPath("a/b.pdf"), "a/b.pdf"),
    "enum": (Colour.RED, "red"),
    "decimal": (decimal.Decimal("1.50"), "1.50"),
    "int64": (np.int64(3), 3),
    "float32": (np.float32(0.5), 0.5),
    "bool_": (np.bool_(True), True),
    "array": (np.array([1, 2]), [1, 2]),
    "datetime64": (np.datetime64("2024-01-05"), "2024-01-05"),
    "nan": (float("nan"), None),
    "infinity": (float("-inf"), None),
    "nested": ({"on": datetime.date(2024, 1, 5)}, {"on": "2024-01-05"}),
}


@pytest.fixture(params=["from_nodes", "insert_nodes", "index", "insert", "store", "async_store"])
def put(request: pytest.FixtureRequest):
    """Every way by which nodes come in."""

    async def put(*nodes):
        if request.param == "from_nodes":
            return LFM2ColBERTRetriever.from_nodes(nodes, model="hash").retriever
        if request.param == "insert_nodes":
            retriever = LFM2ColBERTRetriever.from_nodes([], model="hash")
            assert retriever.insert_nodes(nodes) == [normalize("NFC", one.node_id) for one in nodes]
            return retriever.retriever
        if request.param == "index":
            return LFM2ColBERTIndex(list(nodes), model="hash").retriever
        if request.param == "insert":
            index = LFM2ColBERTIndex(model="hash")
            await index.ainsert_nodes(nodes)
            return index.retriever
        store = LFM2ColBERTVectorStore.open_in_memory("hash")
        ids = store.add(nodes) if request.param == "store" else await store.async_add(nodes)
        assert ids == [normalize("NFC", node.node_id) for node in nodes]
        return store.client

    return put


class TestBlankPages:
    @pytest.mark.parametrize("text", ["", " ", "\n\f", "\ufeff\u200b"])
    @pytest.mark.parametrize("metadata", [{}, {"page_label": "2"}], ids=["bare", "numbered"])
    async def test_are_left_out_with_one_warning(self, put, caplog, text, metadata):
        blank = [TextNode(id_=id, text=text, metadata=metadata) for id in ("2", "3")]
        core = await put(TextNode(id_="1", text="page one"), *blank)
        assert [passage.id for passage in core.passages()] == ["1"]
        (warning,) = (one for one in caplog.records if one.levelname == "WARNING")
        assert "2 blank passages left out" in warning.getMessage()

    def test_of_a_splitter(self):
        pages = [Document(text="page one"), Document(text="", metadata={"page_label": "2"})]
        nodes = SentenceSplitter().get_nodes_from_documents(pages)
        assert len(LFM2ColBERTRetriever.from_nodes(nodes, model="hash").retriever) == 1
        assert len(LFM2ColBERTIndex.from_documents(pages, model="hash").retriever) == 1

    async def test_pictures_and_pointers_are_known_by_their_metadata(self, put):
        picture = ImageNode(
            id_="picture", image_url="https://example.org/a.png", metadata={"of": "a shell"}
        )
        pointer = IndexNode(id_="pointer", text="", index_id="x", metadata={"to": "a table"})
        core = await put(picture, pointer)
        assert [passage.text for passage in core.passages()] == ["of: a shell", "to: a table"]


class TestMetadata:
    async def test_of_loaders_are_translated(self, put, caplog):
        metadata = {key: given for key, (given, _) in LOADED.items()}
        source = RelatedNodeInfo(node_id="book", metadata=dict(metadata))
        node = TextNode(
            id_="1", text="a", metadata=metadata, relationships={NodeRelationship.SOURCE: source}
        )
        found = LFM2ColBERTRetriever(await put(node)).retrieve("a")[0].node
        expected = {key: stored for key, (_, stored) in LOADED.items()}
        assert found.metadata == expected
        assert found.source_node.metadata == expected
        (warning,) = (one for one in caplog.records if one.levelname == "WARNING")
        assert "translated" in warning.getMessage()

    async def test_can_be_filtered_by(self, put):
        core = await put(
            TextNode(
                id_="1", text="a", metadata={"on": datetime.date(2024, 1, 5), "n": np.int64(3)}
            )
        )
        for key, value in (("on", "2024-01-05"), ("n", 3)):
            filters = MetadataFilters(filters=[MetadataFilter(key=key, value=value)])
            assert LFM2ColBERTRetriever(core, filters=filters).retrieve("a")

    @pytest.mark.parametrize("value", [b"bytes", object(), {"x": object()}, 2**70])
    async def test_others_are_refused_by_node_and_key(self, put, value):
        with pytest.raises(InputError, match=r"'page-7'.*'odd'") as error:
            await put(
                TextNode(text="fine"), TextNode(id_="page-7", text="a", metadata={"odd": value})
            )
        assert "\n" not in str(error.value)

    async def test_objects_of_pointers_need_no_json(self, put):
        core = await put(IndexNode(text="a", index_id="x", obj=object()))
        assert LFM2ColBERTRetriever(core).retrieve("a")[0].node.obj is None


class TestCharacters:
    """NUL, and halves of surrogate pairs, which have no bytes."""

    async def test_are_replaced_in_texts_and_metadata(self, put, caplog):
        node = TextNode(id_="1", text="cut \ud835 and \0 here", metadata={"producer": "Scanner\0"})
        found = LFM2ColBERTRetriever(await put(node)).retrieve("cut")[0].node
        assert found.get_content() == "cut \ufffd and \ufffd here"
        assert found.metadata == {"producer": "Scanner\ufffd"}
        assert "cannot be stored" in caplog.text

    @pytest.mark.parametrize("transformations", [[SentenceSplitter()], []], ids=["split", "whole"])
    def test_of_documents(self, caplog, transformations):
        def load():
            return [Document(id_="a", text="cut \ud835 here"), Document(id_="b", text="fine")]

        index = LFM2ColBERTIndex.from_documents(
            load(), model="hash", transformations=transformations
        )
        texts = {passage.text for passage in index.retriever.passages()}
        assert texts == {"cut \ufffd here", "fine"}
        assert "1 of 2 documents" in caplog.text
        assert index.refresh_ref_docs(load()) == [False, False]

    async def test_pairs_of_halves_are_joined(self, put):
        core = await put(
            TextNode(id_="1", text="a smile \ud83d\ude00, cut \ud83d", metadata={"n": 1})
        )
        found = LFM2ColBERTRetriever(core).retrieve("smile")[0].node
        assert found.get_content() == "a smile \U0001f600, cut \ufffd"

    async def test_of_whole_documents_as_nodes(self, put):
        core = await put(Document(id_="a", text="cut \ud835 here"))
        assert LFM2ColBERTRetriever(core).retrieve("cut")[0].node.text == "cut \ufffd here"

    async def test_in_a_question_are_replaced(self, retriever, ask, caplog):
        expected = [one.node.node_id for one in await ask(retriever, "reset the password \ufffd")]
        found = await ask(retriever, "reset the password \ud83d")
        assert [one.node.node_id for one in found] == expected
        assert "question" in caplog.text


class TestIds:
    async def test_are_found_in_any_normal_form(self, put):
        decomposed, composed = "re\u0301sume\u0301.md", "r\u00e9sum\u00e9.md"
        source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=decomposed)}
        node = TextNode(id_=decomposed + "#1", text="a", relationships=source)
        core = await put(node)
        for form in (decomposed, composed):
            for constraint in ({"node_ids": [form + "#1"]}, {"doc_ids": [form]}):
                (found,) = LFM2ColBERTRetriever(core, **constraint).retrieve("a")
                assert found.node == node
        store = LFM2ColBERTVectorStore(core)
        store.delete(composed)
        assert store.get_nodes() == []

    async def test_equal_nodes_are_one_and_different_ones_a_mistake(self, put):
        same = [TextNode(id_="1", text="a"), TextNode(id_="1", text="a")]
        assert len(await put(*same)) == 1
        with pytest.raises(InputError, match="'1'"):
            await put(TextNode(id_="1", text="a"), TextNode(id_="1", text="b"))
