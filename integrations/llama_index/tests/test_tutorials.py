"""LlamaIndex's tutorials, step by step, with models that play their parts."""

from __future__ import annotations

import json

import pytest
from llama_index.core import (
    Document,
    MockEmbedding,
    SimpleDirectoryReader,
    StorageContext,
    VectorStoreIndex,
    load_index_from_storage,
)
from llama_index.core.base.llms.types import CompletionResponse
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.ingestion import DocstoreStrategy, IngestionCache, IngestionPipeline
from llama_index.core.llms import CustomLLM, LLMMetadata, MockLLM
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.node_parser import (
    HierarchicalNodeParser,
    SentenceSplitter,
    get_leaf_nodes,
)
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import (
    AutoMergingRetriever,
    QueryFusionRetriever,
    RecursiveRetriever,
    VectorIndexAutoRetriever,
)
from llama_index.core.schema import IndexNode, QueryBundle, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores.types import MetadataInfo, VectorStoreInfo
from llama_index.retrievers.lfm2_colbert import (
    LFM2ColBERTIndex,
    LFM2ColBERTPlaceholder,
    LFM2ColBERTRetriever,
    LFM2ColBERTVectorStore,
)

from lfm2_colbert_rag.errors import ConfigError, IndexNotFoundError


class Scripted(CustomLLM):
    """Says the same whatever it is asked, and remembers what that was."""

    says: str
    asked: list[str] = []  # noqa: RUF012 - a pydantic field

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    @llm_completion_callback()
    def complete(self, prompt, formatted=False, **_):
        self.asked.append(prompt)
        return CompletionResponse(text=self.says)

    @llm_completion_callback()
    def stream_complete(self, prompt, formatted=False, **_):
        yield CompletionResponse(text=self.says, delta=self.says)


def ids(found) -> list[str]:
    return [one.node.node_id for one in found]


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest):
    async def call(target, method, *args, **options):
        if request.param == "sync":
            return getattr(target, method)(*args, **options)
        return await getattr(target, f"a{method}")(*args, **options)

    return call


class TestStarter:
    """Read a folder, index it, ask, persist; and the same the next day."""

    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "data"
        folder.mkdir()
        (folder / "pool.txt").write_text("The pool closes at noon.")
        (folder / "sauna.txt").write_text("The sauna is hot.")
        (folder / "blank.txt").write_text(" \n")
        return folder

    def test_twice(self, folder, tmp_path):
        for _ in range(2):
            documents = SimpleDirectoryReader(str(folder)).load_data()
            index = LFM2ColBERTIndex.from_documents(
                documents, path=tmp_path / "index", model="hash"
            )
            answer = index.as_query_engine(llm=MockLLM(), similarity_top_k=1).query("the pool?")
            assert "closes at noon" in str(answer)
            assert len(index.retriever) == 2
            index.retriever.close()

    def test_persist_and_load(self, folder, tmp_path):
        documents = SimpleDirectoryReader(str(folder)).load_data()
        index = LFM2ColBERTIndex.from_documents(documents, path=tmp_path / "index", model="hash")
        expected = index.as_retriever().retrieve("the pool")
        index.set_index_id("rules")
        index.storage_context.persist(persist_dir=tmp_path / "storage")
        index.retriever.close()

        storage = StorageContext.from_defaults(persist_dir=str(tmp_path / "storage"))
        for options in ({}, {"index_id": "rules"}):
            loaded = load_index_from_storage(storage, **options)
            assert isinstance(loaded, LFM2ColBERTIndex)
            assert loaded.index_id == "rules"
            assert loaded.as_retriever().retrieve("the pool") == expected
            loaded.retriever.close()

    def test_in_memory_persist_refuses_and_writes_nothing(self, tmp_path):
        index = LFM2ColBERTIndex.from_documents([Document(text="Tokyo")], model="hash")
        with pytest.raises(ConfigError, match=r"in memory.*index\.save\(path\)"):
            index.storage_context.persist(persist_dir=tmp_path / "storage")
        assert not (tmp_path / "storage").exists()

    def test_an_index_that_was_moved_is_looked_for_by_name(self, folder, tmp_path):
        index = LFM2ColBERTIndex.from_documents(
            [Document(text="Tokyo")], path=tmp_path / "index", model="hash"
        )
        index.storage_context.persist(persist_dir=tmp_path / "storage")
        index.retriever.close()
        (tmp_path / "index").rename(tmp_path / "elsewhere")
        storage = StorageContext.from_defaults(persist_dir=str(tmp_path / "storage"))
        with pytest.raises(IndexNotFoundError, match="index"):
            load_index_from_storage(storage)


class TestIngestion:
    """A pipeline with a document store, run again and again, and from what it saved."""

    STEPS = [SentenceSplitter(chunk_size=64, chunk_overlap=0), LFM2ColBERTPlaceholder()]  # noqa: RUF012

    @pytest.fixture
    def store(self, tmp_path):
        store = LFM2ColBERTVectorStore.open(tmp_path / "index", model="hash")
        yield store
        store.client.close()

    def pages(self, **texts: str) -> list[Document]:
        return [Document(id_=id, text=text, metadata={"file": id}) for id, text in texts.items()]

    def stored(self, store) -> dict[str, str]:
        return {node.ref_doc_id: node.get_content() for node in store.get_nodes()}

    # What is there after a second run, in which "b" is changed and "c" new, but "a" missing.
    AFTER = {  # noqa: RUF012
        DocstoreStrategy.UPSERTS: {"a": "one", "b": "two now", "c": "three"},
        DocstoreStrategy.UPSERTS_AND_DELETE: {"b": "two now", "c": "three"},
    }

    @pytest.mark.parametrize("strategy", AFTER)
    async def test_upserts(self, store, call, strategy, tmp_path):
        pipeline = IngestionPipeline(
            transformations=self.STEPS,
            vector_store=store,
            docstore=SimpleDocumentStore(),
            docstore_strategy=strategy,
        )
        for _ in range(2):
            await call(pipeline, "run", documents=self.pages(a="one", b="two"))
        assert self.stored(store) == {"a": "one", "b": "two"}
        pipeline.persist(str(tmp_path / "pipeline"))

        pipeline = IngestionPipeline(
            transformations=self.STEPS, vector_store=store, docstore_strategy=strategy
        )
        pipeline.load(str(tmp_path / "pipeline"))
        for _ in range(2):
            await call(pipeline, "run", documents=self.pages(b="two now", c="three"))
        assert self.stored(store) == self.AFTER[strategy]

    async def test_duplicates_only(self, store, call):
        pipeline = IngestionPipeline(
            transformations=self.STEPS,
            vector_store=store,
            docstore=SimpleDocumentStore(),
            docstore_strategy=DocstoreStrategy.DUPLICATES_ONLY,
            cache=IngestionCache(),
        )
        for _ in range(2):
            again = [Document(text="one"), Document(text="two"), Document(text="")]
            await call(pipeline, "run", documents=again)
        assert sorted(self.stored(store).values()) == ["one", "two"]


FILMS = {
    "jaws": ("A shark haunts a beach.", {"year": 1975, "rating": 8.1, "genre": "thriller"}),
    "toys": ("Toys come alive.", {"year": 1995, "rating": 8.3, "genre": "animated"}),
    "stalker": ("Three men walk into the zone.", {"year": 1979, "rating": 9.9, "genre": "drama"}),
    "dreams": ("A dream within a dream.", {"year": 2010, "rating": 8.8, "genre": "thriller"}),
}


class TestAutoRetriever:
    """A model turns a question into a query and a filter; often into the filter alone."""

    INFO = VectorStoreInfo(
        content_info="short summaries of films",
        metadata_info=[
            MetadataInfo(name="rating", type="float", description="1 to 10"),
            MetadataInfo(name="genre", type="string", description="kind of film"),
        ],
    )

    @pytest.fixture
    def index(self):
        store = LFM2ColBERTVectorStore.open_in_memory("hash")
        store.add(
            [TextNode(id_=id, text=text, metadata=data) for id, (text, data) in FILMS.items()]
        )
        return VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(embed_dim=1))

    async def ask(self, call, index, spec, **options) -> list:
        retriever = VectorIndexAutoRetriever(
            index, vector_store_info=self.INFO, llm=Scripted(says=json.dumps(spec)), **options
        )
        return await call(retriever, "retrieve", "Which films?")

    @pytest.mark.parametrize("query", ["", " "])
    async def test_filter_alone(self, index, call, query):
        spec = {"query": query, "filters": [{"key": "rating", "operator": ">", "value": 8.5}]}
        found = await self.ask(call, index, spec)
        assert ids(found) == ["stalker", "dreams"]
        assert [one.score for one in found] == [0.0, 0.0]
        assert ids(await self.ask(call, index, {**spec, "top_k": 1})) == ["stalker"]

    async def test_query_and_filter(self, index, call):
        genre = {"key": "genre", "operator": "==", "value": "thriller"}
        spec = {"query": "a shark at the beach", "filters": [genre]}
        assert ids(await self.ask(call, index, spec)) == ["jaws", "dreams"]

    async def test_neither(self, index, call):
        assert await self.ask(call, index, {"query": "", "filters": []}) == []

    async def test_what_is_no_query_is_asked_as_it_is(self, index, call):
        retriever = VectorIndexAutoRetriever(
            index, vector_store_info=self.INFO, llm=Scripted(says="{}"), similarity_top_k=1
        )
        assert ids(await call(retriever, "retrieve", "toys alive")) == ["toys"]


class TestFusion:
    """Several wordings of a question, made by a model, and their rankings joined."""

    MODES = ("reciprocal_rerank", "relative_score", "dist_based_score", "simple")

    def fusion(self, retrievers, mode, **options) -> QueryFusionRetriever:
        rewordings = "1. reset the password\n \n2. hold the red button\n3. password of the router"
        return QueryFusionRetriever(
            retrievers,
            **{"llm": Scripted(says=rewordings), "num_queries": 4, "mode": mode, **options},
        )

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("facts", [{}, {"evidence": True, "window_key": "window"}], ids=len)
    async def test_of_generated_queries(self, retriever, call, mode, facts):
        telling = LFM2ColBERTRetriever(retriever.retriever, 4, **facts)
        fusion = self.fusion([telling], mode, similarity_top_k=3, use_async=False)
        found = await call(fusion, "retrieve", "How do I reset the password?")
        assert ids(found)[0] == "reset"
        assert len(set(ids(found))) == len(found) == 3
        assert found[0].node.metadata.get("evidence") if facts else True

    @pytest.mark.parametrize("mode", MODES)
    def test_what_a_node_says_of_a_question_does_not_count(self, retriever, mode):
        plain, telling = (
            LFM2ColBERTRetriever(retriever.retriever, 4, evidence=evidence)
            for evidence in (False, True)
        )
        expected, found = (
            self.fusion([one], mode, use_async=False).retrieve("reset the password")
            for one in (plain, telling)
        )
        assert ids(found) == ids(expected)
        assert [one.score for one in found] == pytest.approx([one.score for one in expected])

    def test_ranks_add_up(self, retriever):
        telling = LFM2ColBERTRetriever(retriever.retriever, 1, evidence=True)
        (best,) = self.fusion(
            [telling], "reciprocal_rerank", num_queries=3, use_async=False
        ).retrieve("How do I reset the password?")
        assert best.score == pytest.approx(3 / 60)


class TestChat:
    @pytest.fixture
    def index(self):
        pages = [
            Document(id_="pool", text="The pool closes at noon."),
            Document(id_="sauna", text="The sauna is hot."),
        ]
        return LFM2ColBERTIndex.from_documents(pages, model="hash")

    def engine(self, index, mode: str):
        return index.as_chat_engine(
            ChatMode(mode),
            Scripted(says="When does the pool close?"),
            # LlamaIndex's default memory opens a database that nobody closes.
            memory=ChatMemoryBuffer.from_defaults(llm=MockLLM()),
            similarity_top_k=1,
        )

    MODES = ("condense_question", "context", "condense_plus_context", "best")

    @pytest.mark.parametrize("mode", MODES)
    async def test_finds_what_is_talked_about(self, index, call, mode):
        engine = self.engine(index, mode)
        for question in ("When does the pool close?", "And the pool? It closes?"):
            answer = await call(engine, "chat", question)
            assert [one.node.ref_doc_id for one in answer.source_nodes] == ["pool"]

    @pytest.mark.parametrize("mode", MODES)
    def test_streaming(self, index, mode):
        answer = self.engine(index, mode).stream_chat("When does the pool close?")
        assert "pool" in "".join(answer.response_gen)
        assert [one.node.ref_doc_id for one in answer.source_nodes] == ["pool"]

    def test_that_needs_no_index(self, index):
        memory = ChatMemoryBuffer.from_defaults(llm=MockLLM())
        engine = index.as_chat_engine(ChatMode.SIMPLE, Scripted(says="Hello."), memory=memory)
        assert str(engine.chat("Hello?")) == "Hello."


class TestRecursion:
    def test_merging_into_parents(self, tmp_path):
        parser = HierarchicalNodeParser.from_defaults(chunk_sizes=[256, 32], chunk_overlap=0)
        text = " ".join(f"The pool has rule number {n} of many." for n in range(8))
        nodes = parser.get_nodes_from_documents([Document(text=text)])
        leaves = get_leaf_nodes(nodes)
        assert len(leaves) > 2
        docstore = SimpleDocumentStore()
        docstore.add_documents(nodes)
        storage = StorageContext.from_defaults(docstore=docstore)
        base = LFM2ColBERTRetriever.from_nodes(leaves, model="hash", similarity_top_k=len(leaves))
        merged = AutoMergingRetriever(base, storage).retrieve("rules of the pool")
        assert [one.node.get_content() for one in merged] == [text]

    async def test_from_summaries_to_tables(self, call):
        table = TextNode(id_="table", text="12:00")
        summary = IndexNode(text="When the pool closes.", index_id="table")
        other = IndexNode(text="How hot the sauna is.", index_id="other")
        top = LFM2ColBERTRetriever.from_nodes([summary, other], model="hash", similarity_top_k=1)
        retriever = RecursiveRetriever(
            "top", retriever_dict={"top": top}, node_dict={"table": table, "other": other}
        )
        assert ids(await call(retriever, "retrieve", "When does the pool close?")) == ["table"]

    def test_into_other_indexes(self):
        inner = LFM2ColBERTIndex.from_documents([Document(id_="pool", text="noon")], model="hash")
        pointer = IndexNode(text="opening hours", index_id="hours", obj=inner.as_retriever())
        outer = LFM2ColBERTRetriever.from_nodes([pointer], model="hash")
        engine = RetrieverQueryEngine.from_args(outer, llm=MockLLM())
        answer = engine.query(QueryBundle("opening hours"))
        assert [one.node.ref_doc_id for one in answer.source_nodes] == ["pool"]
