"""The vector store, and the ingestion pipelines and indexes of LlamaIndex over it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from llama_index.core import Document, MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTPlaceholder, LFM2ColBERTVectorStore

from lfm2_colbert_rag.errors import ConfigError, InputError

QUESTION = "How do I reset the password?"


def only(**metadata) -> MetadataFilters:
    return MetadataFilters(
        filters=[MetadataFilter(key=key, value=value) for key, value in metadata.items()]
    )


@pytest.fixture
def store(nodes) -> LFM2ColBERTVectorStore:
    store = LFM2ColBERTVectorStore.open_in_memory("hash")
    store.add(nodes)
    return store


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest):
    """Laws that take this hold for a method and for its async twin."""

    async def call(store, method, *args, **options):
        if request.param == "sync":
            return getattr(store, method)(*args, **options)
        return await getattr(store, f"a{method}")(*args, **options)

    return call


class TestQuery:
    async def ask(self, call, store, **options):
        return await call(store, "query", VectorStoreQuery(query_str=QUESTION, **options))

    async def test_nodes_relevances_and_ids(self, store, nodes, call):
        result = await self.ask(call, store, similarity_top_k=2)
        assert result.ids == ["reset", "guest"]
        assert result.nodes == nodes[:2]
        hits = store.client.search(QUESTION, 2)
        assert result.similarities == [hit.relevance for hit in hits]
        assert all(0 <= similarity <= 1 for similarity in result.similarities)

    async def test_k_and_filters_of_a_question(self, store, call):
        result = await self.ask(call, store, similarity_top_k=1, filters=only(year=2025))
        assert result.ids == ["guest"]
        result = await self.ask(call, store, similarity_top_k=9, doc_ids=["coffee-manual"])
        assert result.ids == ["descale"]
        result = await self.ask(call, store, similarity_top_k=9, node_ids=["warranty", "gone"])
        assert result.ids == ["warranty"]

    async def test_empty_filters_do_not_constrain(self, store, call):
        empty = MetadataFilters(filters=[])
        assert len((await self.ask(call, store, similarity_top_k=9, filters=empty)).ids) == 4

    async def test_no_documents_permit_nothing(self, store, call):
        assert (await self.ask(call, store, similarity_top_k=9, doc_ids=[])).ids == []

    async def test_no_nodes_are_what_a_vector_store_index_says_of_all_of_them(self, store, call):
        assert len((await self.ask(call, store, similarity_top_k=9, node_ids=[])).ids) == 4

    @pytest.mark.parametrize("question", ["", " ", "\n\t"])
    async def test_a_blank_question_finds_what_the_filter_lets_through(self, store, call, question):
        query = VectorStoreQuery(query_str=question, similarity_top_k=9, filters=only(year=2025))
        for mode in ("default", "text_search", "hybrid", "mmr"):
            query.mode = mode
            result = await call(store, "query", query)
            assert (result.ids, result.similarities) == (["guest", "warranty"], [0.0, 0.0])
        query.similarity_top_k = 1
        assert (await call(store, "query", query)).ids == ["guest"]
        query.filters = None
        result = await call(store, "query", query)
        assert (result.ids, result.nodes, result.similarities) == ([], [], [])

    @pytest.mark.parametrize("k", [0, -1, 2.5, None, True, "2"])
    async def test_unusable_sizes_are_refused(self, store, call, k):
        with pytest.raises(ConfigError, match="similarity_top_k must be a whole number"):
            await self.ask(call, store, similarity_top_k=k)

    async def test_sizes_and_thresholds_of_numpy(self, store, call):
        result = await self.ask(call, store, similarity_top_k=np.int64(2))
        assert result.ids == ["reset", "guest"]
        mode = VectorStoreQueryMode.MMR
        threshold = np.float32(1)
        result = await self.ask(call, store, similarity_top_k=2, mode=mode, mmr_threshold=threshold)
        assert result.ids == ["reset", "guest"]

    async def test_where_as_an_argument_of_the_store(self, store, call):
        query = VectorStoreQuery(query_str=QUESTION, similarity_top_k=9)
        result = await call(store, "query", query, where={"details.draft": True})
        assert result.ids == ["warranty"]

    async def test_embeddings_are_ignored(self, store, call):
        plain = await self.ask(call, store, similarity_top_k=4)
        assert (await self.ask(call, store, similarity_top_k=4, query_embedding=[0.3])) == plain

    async def test_diversity(self, call):
        texts = {"a": "reset the password", "b": "reset the password now", "c": "password lost"}
        store = LFM2ColBERTVectorStore.open_in_memory("hash")
        store.add([TextNode(id_=id, text=text) for id, text in texts.items()])
        mode = VectorStoreQueryMode.MMR

        async def ask(**options):
            query = VectorStoreQuery(query_str="reset the password", similarity_top_k=2, mode=mode)
            query.mmr_threshold = options.pop("of_query", None)
            return (await call(store, "query", query, **options)).ids

        assert await ask(of_query=1.0) == ["a", "b"]
        assert await ask(of_query=0.2) == ["a", "c"]
        assert await ask(mmr_threshold=0.2) == ["a", "c"]
        for options in ({"of_query": 1.5}, {"mmr_threshold": -0.1}):
            with pytest.raises(ConfigError, match=r"mmr_threshold must be.*not (1\.5|-0\.1)"):
                await ask(**options)

    @pytest.mark.parametrize("mode", ["SVM", "LOGISTIC_REGRESSION", "LINEAR_REGRESSION"])
    async def test_modes_that_need_embeddings_are_refused(self, store, call, mode):
        with pytest.raises(ConfigError, match=r"needs an embedding.*default, mmr"):
            await self.ask(call, store, mode=VectorStoreQueryMode[mode])

    async def test_unknown_modes_are_refused(self, store, call):
        with pytest.raises(ConfigError, match=r"'hybird' is unknown; there are default, mmr"):
            await self.ask(call, store, mode="hybird")

    async def test_a_question_is_needed(self, store, call):
        with pytest.raises(ConfigError, match="query_str"):
            await call(store, "query", VectorStoreQuery(query_embedding=[0.1]))

    async def test_nodes_are_fresh_each_time(self, store, call):
        first = (await self.ask(call, store)).nodes[0]
        untouched = first.model_copy(deep=True)
        first.set_content("changed")
        first.metadata["tags"].append("changed")
        assert (await self.ask(call, store)).nodes[0] == untouched


class TestChanging:
    async def test_adding_again_replaces(self, store, call):
        changed = TextNode(id_="reset", text="Ask the help desk.", metadata={"n": 1})
        assert await store.async_add([changed]) == ["reset"]
        assert await call(store, "get_nodes", ["reset"]) == [changed]
        assert len(store.client) == 4

    async def test_delete_all_of_a_document(self, store, call):
        await call(store, "delete", "router-manual")
        assert {node.node_id for node in store.get_nodes()} == {"descale", "warranty"}
        await call(store, "delete", "never-there")
        assert len(store.client) == 2

    async def test_documents_stored_whole_are_their_own_source(self, store, call):
        store.add([Document(id_="note", text="a note")])
        await call(store, "delete", "note")
        assert len(store.client) == 4

    async def test_delete_nodes(self, store, call):
        await call(store, "delete_nodes", [])
        assert len(store.client) == 4
        await call(store, "delete_nodes", ["reset", "guest"], only(year=2025))
        assert {node.node_id for node in store.get_nodes()} == {"reset", "descale", "warranty"}
        await call(store, "delete_nodes", filters=only(product="coffee"))
        await call(store, "delete_nodes", ["reset", "never there"])
        assert store.get_nodes() == []

    async def test_deleting_everything_has_a_name_of_its_own(self, store, call):
        with pytest.raises(ConfigError, match="clear"):
            await call(store, "delete_nodes")
        await call(store, "clear")
        assert len(store.client) == 0

    @pytest.mark.parametrize(
        "filters",
        [
            MetadataFilters(filters=[]),
            MetadataFilters(filters=[MetadataFilters(filters=[])]),
            MetadataFilters(filters=[MetadataFilters(filters=[]), *only(year=2025).filters]),
        ],
        ids=["empty", "empty within", "empty beside"],
    )
    async def test_filters_without_a_condition_delete_nothing(self, store, call, filters):
        with pytest.raises(InputError, match=r"without a condition.*clear\(\)"):
            await call(store, "delete_nodes", filters=filters)
        assert len(store.client) == 4

    async def test_says_how_many_were_deleted(self, store, call, caplog):
        caplog.set_level("INFO", logger="llama_index.retrievers.lfm2_colbert")
        await call(store, "delete_nodes", ["guest", "never there"])
        await call(store, "delete", "coffee-manual")
        await call(store, "clear")
        assert [record.getMessage() for record in caplog.records] == [
            "Deleted 1 nodes; 3 are left.",
            "Deleted 1 nodes; 2 are left.",
            "Deleted 2 nodes; 0 are left.",
        ]

    async def test_get_nodes(self, store, nodes, call):
        assert await call(store, "get_nodes") == nodes
        assert await call(store, "get_nodes", []) == []
        assert await call(store, "get_nodes", ["guest", "gone", "reset"]) == nodes[:2]
        assert await call(store, "get_nodes", filters=only(product="coffee")) == nodes[2:]


class TestPersistence:
    def test_an_index_on_disk_keeps_itself(self, nodes, tmp_path):
        store = LFM2ColBERTVectorStore.open(tmp_path / "index", model="hash")
        store.add(nodes)
        StorageContext.from_defaults(vector_store=store).persist(str(tmp_path / "storage"))
        store.client.close()
        opened = LFM2ColBERTVectorStore.open(tmp_path / "index")
        assert opened.get_nodes() == nodes
        opened.client.close()

    def test_one_in_memory_says_that_it_would_be_lost(self, store):
        with pytest.raises(ConfigError, match=r"client\.backup.*open\(path\)"):
            store.persist("anywhere")


class TestIngestion:
    @pytest.fixture(params=["run", "arun"])
    def ingest(self, request: pytest.FixtureRequest):
        store = LFM2ColBERTVectorStore.open_in_memory("hash")

        def pipeline(strategy) -> IngestionPipeline:
            return IngestionPipeline(
                transformations=[
                    SentenceSplitter(chunk_size=32, chunk_overlap=0),
                    LFM2ColBERTPlaceholder(),
                ],
                vector_store=store,
                docstore=SimpleDocumentStore(),
                docstore_strategy=strategy,
            )

        made: dict[object, IngestionPipeline] = {}

        async def run(documents, strategy=DocstoreStrategy.UPSERTS):
            one = made.setdefault(strategy, pipeline(strategy))
            if request.param == "run":
                return one.run(documents=documents)
            return await one.arun(documents=documents)

        run.store = store
        return run

    def sources(self, ingest) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for node in ingest.store.get_nodes():
            found.setdefault(node.ref_doc_id, []).append(node.get_content())
        return found

    def page(self, id_: str, text: str) -> Document:
        return Document(id_=id_, text=text)

    async def test_without_the_placeholder_nothing_would_be_stored(self, ingest):
        bare = IngestionPipeline(transformations=[SentenceSplitter()], vector_store=ingest.store)
        bare.run(documents=[self.page("a", "one")])
        assert len(ingest.store.client) == 0

    async def test_a_changed_document_replaces_its_former_nodes(self, ingest):
        long = "One sentence of some words. " * 12
        await ingest([self.page("a", long), self.page("b", "two")])
        assert len(self.sources(ingest)["a"]) > 2
        assert len(await ingest([self.page("a", "short now"), self.page("b", "two")])) == 1
        assert self.sources(ingest) == {"a": ["short now"], "b": ["two"]}

    async def test_unchanged_documents_are_skipped(self, ingest):
        pages = [self.page("a", "one"), self.page("b", "two")]
        assert len(await ingest(pages)) == 2
        assert len(await ingest(pages)) == 0
        assert len(ingest.store.client) == 2

    async def test_documents_that_are_gone_are_deleted(self, ingest):
        strategy = DocstoreStrategy.UPSERTS_AND_DELETE
        await ingest([self.page("a", "one"), self.page("b", "two")], strategy)
        await ingest([self.page("b", "two")], strategy)
        assert self.sources(ingest) == {"b": ["two"]}

    async def test_relationships_are_kept(self, ingest):
        nodes = await ingest([self.page("a", "One sentence of some words. " * 12)])
        stored = {node.node_id: node for node in ingest.store.get_nodes()}
        for node in nodes:
            assert stored[node.node_id].relationships == node.relationships


class TestVectorStoreIndex:
    @pytest.fixture
    def index(self, store) -> VectorStoreIndex:
        return VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(embed_dim=1))

    async def test_retrieves(self, index):
        retriever = index.as_retriever(similarity_top_k=1, filters=only(year=2025))
        assert [one.node.node_id for one in retriever.retrieve(QUESTION)] == ["guest"]
        assert [one.node.node_id for one in await retriever.aretrieve(QUESTION)] == ["guest"]

    def test_inserts_and_deletes(self, index, store):
        index.insert(Document(id_="note", text="The hotline is closed on Sundays."))
        assert (
            index.as_retriever(similarity_top_k=1).retrieve("hotline")[0].node.ref_doc_id == "note"
        )
        index.delete_ref_doc("note")
        assert len(store.client) == 4

    def test_answers(self, index):
        engine = index.as_query_engine(llm=MockLLM(), similarity_top_k=1)
        assert "hold the red button" in str(engine.query(QUESTION))


@pytest.mark.parametrize("method", ["aquery", "async_add"])
async def test_the_event_loop_keeps_turning(slow_encoder, nodes, ticks_during, method):
    store = LFM2ColBERTVectorStore.open_in_memory(slow_encoder)
    argument = nodes if method == "async_add" else VectorStoreQuery(query_str=QUESTION)
    assert await ticks_during(getattr(store, method)(argument)) > 10
    assert threading.main_thread() not in slow_encoder.threads
