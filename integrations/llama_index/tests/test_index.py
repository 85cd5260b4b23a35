"""The index: documents in, kept up to date, retrievers and engines out."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.llms import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document, IndexNode, TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTIndex

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, IndexNotFoundError

# All differ: older LlamaIndex takes nodes of the same text for one.
SENTENCES = " ".join(f"This is sentence {n} of some words." for n in range(12))
SPLIT = {"transformations": [SentenceSplitter(chunk_size=32, chunk_overlap=0)], "model": "hash"}


def page(id_: str, text: str, **metadata) -> Document:
    return Document(id_=id_, text=text, metadata=metadata)


@pytest.fixture
def index() -> LFM2ColBERTIndex:
    pages = [page("long", SENTENCES, lang="en"), page("pool", "The pool closes at noon.")]
    return LFM2ColBERTIndex.from_documents(pages, **SPLIT)


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest):
    """Laws that take this hold for a method and for its async twin."""

    async def call(index, method, *args, **options):
        if request.param == "sync":
            return getattr(index, method)(*args, **options)
        return await getattr(index, f"a{method}")(*args, **options)

    return call


def texts(index) -> dict[str, list[str]]:
    return {
        id_: [passage.text for passage in index.retriever.get(info.node_ids)]
        for id_, info in index.ref_doc_info.items()
    }


class TestDocuments:
    def test_are_split_and_known_by_id(self, index):
        info = index.ref_doc_info
        assert set(info) == {"long", "pool"}
        assert len(info["long"].node_ids) > 2
        assert info["long"].metadata == {"lang": "en"}

    def test_stay_whole_where_nothing_splits_them(self):
        index = LFM2ColBERTIndex.from_documents(
            [page("long", SENTENCES)], model="hash", transformations=[]
        )
        assert index.ref_doc_info["long"].node_ids == ["long"]

    def test_without_text_are_left_out(self):
        index = LFM2ColBERTIndex.from_documents([page("a", ""), page("b", "text")], model="hash")
        assert set(index.ref_doc_info) == {"b"}

    def test_neighbours_are_kept(self, index):
        retriever = index.as_retriever(similarity_top_k=50, doc_ids=["long"])
        found = {one.node.node_id: one.node for one in retriever.retrieve("sentence")}
        order = index.ref_doc_info["long"].node_ids
        for before, after in pairwise(order):
            assert found[before].next_node.node_id == after
            assert found[after].prev_node.node_id == before

    async def test_insert(self, index, call):
        await call(index, "insert", page("sauna", "The sauna is hot."))
        assert texts(index)["sauna"] == ["The sauna is hot."]

    async def test_insert_nodes(self, index, call):
        await call(index, "insert_nodes", [TextNode(id_="a", text="alone")])
        assert texts(index)["a"] == ["alone"]

    async def test_delete(self, index, call):
        await call(index, "delete_ref_doc", "long", delete_from_docstore=True)
        assert set(index.ref_doc_info) == {"pool"}
        await call(index, "delete_ref_doc", "never there")
        await call(index, "delete_nodes", index.ref_doc_info["pool"].node_ids)
        assert index.ref_doc_info == {}

    async def test_update(self, index, call):
        await call(index, "update_ref_doc", page("long", "short now"))
        assert texts(index) == {"long": ["short now"], "pool": ["The pool closes at noon."]}

    async def test_refresh(self, index, call):
        pages = [
            page("long", SENTENCES, lang="en"),
            page("pool", "The pool closes at one."),
            page("sauna", "The sauna is hot."),
        ]
        assert await call(index, "refresh_ref_docs", pages) == [False, True, True]
        assert texts(index)["pool"] == ["The pool closes at one."]
        assert await call(index, "refresh_ref_docs", pages) == [False, False, False]
        pages[0].metadata["lang"] = "fr"
        assert await call(index, "refresh_ref_docs", pages) == [True, False, False]

    async def test_refresh_of_documents_kept_whole(self, call):
        index = LFM2ColBERTIndex.from_documents(
            [page("a", "one")], model="hash", transformations=[]
        )
        assert await call(index, "refresh_ref_docs", [page("a", "one")]) == [False]
        assert await call(index, "refresh_ref_docs", [page("a", "two")]) == [True]
        assert texts(index) == {"a": ["two"]}


class TestPersistence:
    def test_load_knows_the_documents(self, tmp_path):
        pages = [page("long", SENTENCES), page("pool", "The pool closes at noon.")]
        made = LFM2ColBERTIndex.from_documents(pages, path=tmp_path / "index", **SPLIT)
        expected = made.as_retriever().retrieve("pool")
        made.retriever.close()
        loaded = LFM2ColBERTIndex.load(tmp_path / "index", transformations=SPLIT["transformations"])
        assert loaded.as_retriever().retrieve("pool") == expected
        assert loaded.refresh_ref_docs(pages) == [False, False]
        loaded.delete_ref_doc("long")
        assert set(loaded.ref_doc_info) == {"pool"}
        loaded.retriever.close()

    def test_one_in_memory_can_be_saved(self, index, tmp_path):
        index.save(tmp_path / "copy")
        loaded = LFM2ColBERTIndex.load(tmp_path / "copy")
        assert set(loaded.ref_doc_info) == {"long", "pool"}
        loaded.retriever.close()

    def test_there_must_be_one_to_load(self, tmp_path):
        with pytest.raises(IndexNotFoundError):
            LFM2ColBERTIndex.load(tmp_path / "none")

    def test_passages_from_elsewhere(self):
        core = Retriever.from_texts(["one"], ids=["1"], metadata=[{"n": 1}], model="hash")
        index = LFM2ColBERTIndex(retriever=core)
        assert index.ref_doc_info["1"].node_ids == ["1"]
        assert index.as_retriever().retrieve("one")[0].node.metadata == {"n": 1}

    def test_contradicting_options_are_refused(self, index):
        with pytest.raises(ConfigError, match="either a retriever"):
            LFM2ColBERTIndex(retriever=index.retriever, model="hash")


class TestUse:
    def test_retriever_takes_its_options_and_no_others(self, index):
        filters = MetadataFilters(filters=[MetadataFilter(key="lang", value="en")])
        retriever = index.as_retriever(similarity_top_k=1, filters=filters)
        assert [one.node.ref_doc_id for one in retriever.retrieve("the pool")] == ["long"]
        with pytest.raises(TypeError, match="top_k"):
            index.as_retriever(top_k=3)

    async def test_query_engine(self, index):
        engine = index.as_query_engine(
            llm=MockLLM(), similarity_top_k=1, response_mode="compact", streaming=False
        )
        assert "closes at noon" in str(engine.query("When does the pool close?"))
        answer = await engine.aquery("When does the pool close?")
        assert [one.node.ref_doc_id for one in answer.source_nodes] == ["pool"]

    @pytest.mark.parametrize("mode", [ChatMode.CONTEXT, ChatMode.CONDENSE_PLUS_CONTEXT])
    def test_chat_engine(self, index, mode):
        # LlamaIndex's default memory opens a database that nobody closes.
        memory = ChatMemoryBuffer.from_defaults(llm=MockLLM())
        engine = index.as_chat_engine(
            chat_mode=mode,
            llm=MockLLM(),
            similarity_top_k=1,
            system_prompt="Be brief.",
            memory=memory,
        )
        answer = engine.chat("When does the pool close?")
        assert [one.node.ref_doc_id for one in answer.source_nodes] == ["pool"]

    async def test_objects_are_entered(self):
        target = TextNode(id_="target", text="the table itself")
        pointer = IndexNode(text="summary of a table", index_id="table", obj=target)
        index = LFM2ColBERTIndex(objects=[pointer], model="hash")
        for found in (
            index.as_retriever().retrieve("summary"),
            await index.as_retriever().aretrieve("summary"),
        ):
            assert [one.node.node_id for one in found] == ["target"]
        assert pointer.obj is target


@pytest.mark.parametrize("method", ["ainsert", "aupdate_ref_doc"])
async def test_the_event_loop_keeps_turning(slow_encoder, ticks_during, method):
    index = LFM2ColBERTIndex(model=slow_encoder)
    assert await ticks_during(getattr(index, method)(page("a", "one"))) > 10
    assert threading.main_thread() not in slow_encoder.threads
