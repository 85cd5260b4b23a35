"""The parts of LangChain that want a vector store, over ours."""

from __future__ import annotations

import pytest
from langchain_classic.chains.query_constructor.schema import AttributeInfo
from langchain_classic.retrievers import (
    MultiVectorRetriever,
    ParentDocumentRetriever,
    SelfQueryRetriever,
)
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, aindex, index
from langchain_core.language_models import FakeListChatModel
from langchain_core.stores import InMemoryStore
from langchain_lfm2_colbert import LFM2ColBERTTranslator, LFM2ColBERTVectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter


def ids(documents: list[Document]) -> list[str]:
    return [document.id for document in documents]


def page(text: str, source: str) -> Document:
    return Document(text, metadata={"source": source})


class TestIndexing:
    @pytest.fixture(params=["index", "aindex"])
    def run(self, request: pytest.FixtureRequest):
        store = LFM2ColBERTVectorStore.from_texts([], model="hash")
        manager = InMemoryRecordManager("tests")
        manager.create_schema()

        async def run(documents, cleanup, **options):
            options = {"source_id_key": "source", "key_encoder": "sha256", **options}
            if request.param == "index":
                return index(documents, manager, store, cleanup=cleanup, **options)
            return await aindex(documents, manager, store, cleanup=cleanup, **options)

        run.store = store
        return run

    def texts(self, run) -> list[str]:
        return sorted(passage.text for passage in run.store.retriever.passages())

    @pytest.mark.parametrize("cleanup", [None, "incremental", "full", "scoped_full"])
    async def test_what_is_unchanged_is_skipped(self, run, cleanup):
        pages = [page("one", "a"), page("two", "b")]
        first = await run(pages, cleanup)
        assert (first["num_added"], first["num_skipped"]) == (2, 0)
        again = await run(pages, cleanup)
        assert (again["num_added"], again["num_skipped"], again["num_deleted"]) == (0, 2, 0)
        assert self.texts(run) == ["one", "two"]

    @pytest.mark.parametrize(
        ("cleanup", "left"),
        [
            (None, ["one", "one, revised", "two"]),
            ("incremental", ["one, revised", "two"]),
            ("scoped_full", ["one, revised", "two"]),
            ("full", ["one, revised"]),
        ],
    )
    async def test_clean_up(self, run, cleanup, left):
        await run([page("one", "a"), page("two", "b")], cleanup)
        await run([page("one, revised", "a")], cleanup)
        assert self.texts(run) == left

    async def test_full_clean_up_of_everything(self, run):
        await run([page("one", "a")], "full")
        assert (await run([], "full"))["num_deleted"] == 1
        assert self.texts(run) == []

    async def test_small_batches_and_forced_updates(self, run):
        pages = [page(f"page {n}", "a") for n in range(5)]
        await run(pages, "full", batch_size=2)
        forced = await run(pages, "full", batch_size=2, force_update=True)
        assert forced["num_updated"] == 5
        assert len(self.texts(run)) == 5


async def test_parent_documents():
    store = LFM2ColBERTVectorStore.from_texts([], model="hash")
    retriever = ParentDocumentRetriever(
        vectorstore=store,
        docstore=InMemoryStore(),
        child_splitter=RecursiveCharacterTextSplitter(chunk_size=40, chunk_overlap=0),
        search_kwargs={"k": 1},
    )
    long = "Hold the red button for ten seconds. " * 3 + "Then wait for the green light to blink."
    retriever.add_documents([Document(long, id="manual"), Document("Opening hours of the pool.")])
    assert [d.page_content for d in retriever.invoke("green light to blink")] == [long]
    assert [d.page_content for d in await retriever.ainvoke("green light to blink")] == [long]
    assert len(store.retriever) > 3


@pytest.mark.parametrize("search_type", ["similarity", "mmr", "similarity_score_threshold"])
async def test_several_vectors_of_a_document(search_type):
    store = LFM2ColBERTVectorStore.from_texts(
        ["How do I reset it?", "What is the red button for?", "When does the pool open?"],
        None,
        [{"doc_id": "manual"}, {"doc_id": "manual"}, {"doc_id": "pool"}],
        model="hash",
    )
    retriever = MultiVectorRetriever(
        vectorstore=store,
        docstore=InMemoryStore(),
        search_type=search_type,
        search_kwargs={"k": 2}
        | ({"score_threshold": 0.3} if search_type.endswith("threshold") else {}),
    )
    manual = Document("Hold the red button.", id="manual")
    retriever.docstore.mset([("manual", manual), ("pool", Document("At nine."))])
    assert retriever.invoke("red button reset")[0] == manual
    assert (await retriever.ainvoke("red button reset"))[0] == manual


class TestSelfQuery:
    @pytest.fixture
    def make(self, store):
        def make(*filters, limit="null", **options) -> SelfQueryRetriever:
            responses = [
                f'```json\n{{"query": "password", "filter": "{one}", "limit": {limit}}}\n```'
                for one in filters
            ]
            return SelfQueryRetriever.from_llm(
                FakeListChatModel(responses=responses),
                store,
                "manuals of machines",
                [
                    AttributeInfo(name="year", description="of the manual", type="integer"),
                    AttributeInfo(name="product", description="router, coffee", type="string"),
                    AttributeInfo(name="tags", description="words", type="list[string]"),
                ],
                structured_query_translator=LFM2ColBERTTranslator(),
                **options,
            )

        return make

    async def test_filters_as_the_model_says(self, make):
        retriever = make('eq(\\"product\\", \\"router\\")', 'gt(\\"year\\", 2023)')
        assert set(ids(retriever.invoke("?"))) == {"reset", "guest"}
        assert set(ids(await retriever.ainvoke("?"))) == {"guest", "descale", "warranty"}

    def test_limits_as_the_model_says(self, make):
        retriever = make(
            'contain(\\"tags\\", \\"button\\")', "NO_FILTER", enable_limit=True, limit=1
        )
        assert ids(retriever.invoke("?")) == ["reset"]
        assert len(retriever.invoke("?")) == 1

    def test_nested_conditions(self, make):
        retriever = make(
            'and(eq(\\"year\\", 2025), not(eq(\\"product\\", \\"router\\")))',
        )
        assert ids(retriever.invoke("?")) == ["warranty"]
