"""The vector store, beyond what LangChain's suite asks of one."""

from __future__ import annotations

import threading

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.example_selectors import SemanticSimilarityExampleSelector
from langchain_lfm2_colbert import LFM2ColBERTRetriever, LFM2ColBERTVectorStore

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, FilterError, InputError

QUESTION = "How do I reset the password?"


def ids(documents: list[Document]) -> list[str]:
    return [document.id for document in documents]


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest):
    """Laws that take this hold for a method and for its async twin."""

    async def call(store, method, *args, **options):
        if request.param == "sync":
            return getattr(store, method)(*args, **options)
        return await getattr(store, f"a{method}")(*args, **options)

    return call


class TestSearch:
    async def test_k_and_filter_of_a_call(self, store, call):
        found = await call(store, "similarity_search", QUESTION, k=1)
        assert ids(found) == ["reset"]
        found = await call(store, "similarity_search", QUESTION, k=1, filter={"year": 2025})
        assert ids(found) == ["guest"]
        assert len(await call(store, "similarity_search", QUESTION)) == 4

    async def test_documents_come_back_as_they_were_added(self, store, documents, call):
        found = await call(store, "similarity_search", QUESTION)
        assert sorted(found, key=lambda d: d.id) == sorted(documents, key=lambda d: d.id)

    async def test_documents_are_fresh_each_time(self, store, call):
        for method in ("similarity_search", "max_marginal_relevance_search"):
            first = (await call(store, method, QUESTION, k=2))[1]
            untouched = first.model_copy(deep=True)
            first.metadata["source"]["page"] = 99
            assert (await call(store, method, QUESTION, k=2))[1] == untouched

    async def test_a_function_as_filter_counts_before_the_cut(self, store, call):
        def is_newer(document):
            return document.metadata["year"] == 2025

        found = await call(store, "similarity_search", QUESTION, k=1, filter=is_newer)
        assert ids(found) == ["guest"]
        assert await call(store, "similarity_search", QUESTION, filter=lambda _: False) == []

    async def test_scores_are_maxsim_best_first(self, store, call):
        found = await call(store, "similarity_search_with_score", QUESTION)
        hits = store.retriever.search(QUESTION, 4)
        assert [(document.id, score) for document, score in found] == [
            (hit.id, hit.score) for hit in hits
        ]

    async def test_relevance_lies_between_0_and_1(self, store, call):
        found = await call(store, "similarity_search_with_relevance_scores", QUESTION, k=3)
        hits = store.retriever.search(QUESTION, 3)
        assert [(document.id, score) for document, score in found] == [
            (hit.id, hit.relevance) for hit in hits
        ]
        assert all(0 <= score <= 1 for _, score in found)

    async def test_thresholds_are_relevances_everywhere(self, store, call):
        best, second = (hit.relevance for hit in store.retriever.search(QUESTION, 2))
        threshold = (best + second) / 2
        for method in (
            "similarity_search",
            "similarity_search_with_score",
            "similarity_search_with_relevance_scores",
        ):
            assert len(await call(store, method, QUESTION, score_threshold=threshold)) == 1

    @pytest.mark.parametrize(
        "method",
        [
            "similarity_search",
            "similarity_search_with_score",
            "similarity_search_with_relevance_scores",
            "max_marginal_relevance_search",
        ],
    )
    async def test_unknown_arguments_are_refused(self, store, call, method):
        with pytest.raises(TypeError, match="where"):
            await call(store, method, QUESTION, where={"year": 2025})
        with pytest.raises(FilterError, match="almost"):
            await call(store, method, QUESTION, filter={"year": {"$almost": 2025}})


class TestDiversity:
    @pytest.fixture
    def repetitive(self) -> LFM2ColBERTVectorStore:
        texts = {
            "a": "reset the router password",
            "b": "reset the router password now",
            "c": "the router warranty",
        }
        return LFM2ColBERTVectorStore.from_texts(texts.values(), ids=list(texts), model="hash")

    async def search(self, call, store, **options):
        query = "reset the router password"
        return ids(await call(store, "max_marginal_relevance_search", query, **options))

    async def test_what_repeats_comes_later(self, repetitive, call):
        assert await self.search(call, repetitive, k=2, lambda_mult=1.0) == ["a", "b"]
        assert await self.search(call, repetitive, k=2, lambda_mult=0.3) == ["a", "c"]

    async def test_fewer_than_k_are_all(self, repetitive, call):
        assert sorted(await self.search(call, repetitive, k=9)) == ["a", "b", "c"]
        empty = LFM2ColBERTVectorStore.from_texts([], model="hash")
        assert await self.search(call, empty) == []

    async def test_fetch_k_and_filter_bound_the_choice(self, repetitive, call):
        assert await self.search(call, repetitive, k=2, fetch_k=2, lambda_mult=0) == ["a", "b"]
        only = {"$id": {"$in": ["b", "c"]}}
        assert await self.search(call, repetitive, k=1, filter=only) == ["b"]

    async def test_unusable_options_are_refused(self, repetitive, call):
        for trade_off in (1.5, -0.1):
            with pytest.raises(ConfigError, match=f"lambda_mult must.*{trade_off}"):
                await self.search(call, repetitive, lambda_mult=trade_off)
        with pytest.raises(InputError, match="k must be"):
            await self.search(call, repetitive, k=0)

    async def test_long_texts_have_several_windows(self, call):
        long = "reset the router password " + " ".join(f"word{n}" for n in range(1000))
        store = LFM2ColBERTVectorStore.from_texts([long, "router"], ids=["1", "2"], model="hash")
        assert await self.search(call, store, k=2) == ["1", "2"]


class TestRetriever:
    async def test_similarity(self, store):
        retriever = store.as_retriever(search_kwargs={"k": 1, "filter": {"year": 2025}})
        assert ids(retriever.invoke(QUESTION)) == ["guest"]
        assert ids(await retriever.ainvoke(QUESTION)) == ["guest"]
        assert ids(retriever.invoke(QUESTION, k=2)) == ["guest", "warranty"]
        assert ids(await retriever.ainvoke(QUESTION, filter={"year": 2023})) == ["reset"]

    async def test_threshold(self, store):
        best, second = (hit.relevance for hit in store.retriever.search(QUESTION, 2))
        retriever = store.as_retriever(
            search_type="similarity_score_threshold",
            search_kwargs={"score_threshold": (best + second) / 2, "filter": {"product": "router"}},
        )
        assert ids(retriever.invoke(QUESTION)) == ["reset"]
        assert ids(await retriever.ainvoke(QUESTION)) == ["reset"]

    async def test_diversity(self, store):
        retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 2, "fetch_k": 3})
        assert ids(retriever.invoke(QUESTION))[0] == "reset"
        assert len(await retriever.ainvoke(QUESTION)) == 2

    async def test_unknown_arguments_are_refused(self, store):
        retriever = store.as_retriever(search_kwargs={"top_k": 1})
        with pytest.raises(TypeError, match="top_k"):
            retriever.invoke(QUESTION)
        with pytest.raises(TypeError, match="top_k"):
            await retriever.ainvoke(QUESTION)


class TestBuilding:
    @pytest.mark.parametrize("build", ["from_texts", "from_documents"])
    def test_embeddings_are_refused_with_the_remedy(self, build):
        with pytest.raises(ConfigError, match=r"FakeEmbedding.*embedding=None.*model="):
            getattr(LFM2ColBERTVectorStore, build)([], DeterministicFakeEmbedding(size=6))

    async def test_from_texts_async(self):
        store = await LFM2ColBERTVectorStore.afrom_texts(
            ["one", "two"], None, [{"n": 1}, {"n": 2}], ids=["a", "b"], model="hash"
        )
        assert store.similarity_search("two", k=1) == [Document("two", id="b", metadata={"n": 2})]
        assert store.embeddings is None

    def test_on_disk(self, documents, tmp_path):
        path = tmp_path / "index"
        LFM2ColBERTVectorStore.from_documents(
            documents, None, path=path, model="hash"
        ).retriever.close()
        opened = LFM2ColBERTVectorStore.open(path)
        assert ids(opened.similarity_search(QUESTION, k=1)) == ["reset"]
        opened.retriever.close()

    def test_another_kind_of_retriever_is_refused(self, retriever):
        with pytest.raises(ConfigError, match=r"under \.retriever, not a LFM2ColBERTRetriever"):
            LFM2ColBERTVectorStore(retriever)

    def test_shares_an_index_with_a_retriever(self, store):
        retriever = LFM2ColBERTRetriever(retriever=store.retriever, k=1)
        store.add_texts(["The hotline is closed on Sundays."], ids=["hotline"])
        assert ids(retriever.invoke("hotline")) == ["hotline"]

    def test_closes_the_index_when_it_cannot_be_filled(self, tmp_path, monkeypatch):
        closed = []
        close = Retriever.close
        monkeypatch.setattr(Retriever, "close", lambda self: (closed.append(self), close(self)))
        with pytest.raises(InputError):
            LFM2ColBERTVectorStore.from_texts([7], path=tmp_path / "index", model="hash")
        assert len(closed) == 1

    def test_example_selectors_take_it(self):
        selector = SemanticSimilarityExampleSelector.from_examples(
            [{"input": "happy", "output": "sad"}, {"input": "tall", "output": "short"}],
            None,
            LFM2ColBERTVectorStore,
            k=1,
            model="hash",
        )
        assert selector.select_examples({"input": "tall"}) == [{"input": "tall", "output": "short"}]


class TestChanging:
    async def test_ids_of_documents_are_kept_and_others_made_up(self, store, call):
        added = await call(store, "add_documents", [Document("one", id="1"), Document("two")])
        assert added[0] == "1"
        assert ids(await call(store, "get_by_ids", added)) == added

    async def test_given_ids_win(self, store, call):
        document = Document("one", id="mine")
        assert await call(store, "add_documents", [document], ids=["yours"]) == ["yours"]
        assert document.id == "mine"

    async def test_unequal_lists_change_nothing(self, store, call):
        with pytest.raises(InputError, match="1 ids for 2"):
            await call(store, "add_texts", ["one", "two"], ids=["1"])
        with pytest.raises(InputError, match="1 metadatas for 2"):
            await call(store, "add_texts", ["one", "two"], [{}])
        assert len(store.retriever) == 4

    async def test_adding_an_id_again_replaces_text_and_metadata(self, store, call):
        await call(store, "add_texts", ["Ask the help desk."], [{"n": 1}], ids=["reset"])
        expected = Document("Ask the help desk.", id="reset", metadata={"n": 1})
        assert await call(store, "get_by_ids", ["reset"]) == [expected]

    async def test_delete(self, store, call):
        assert await call(store, "delete", ["reset", "never there"])
        assert set(ids(store.similarity_search(QUESTION))) == {"guest", "descale", "warranty"}
        assert await call(store, "delete", filter={"year": 2025})
        assert ids(store.similarity_search(QUESTION)) == ["descale"]
        assert await call(store, "delete", filter=lambda document: document.id == "descale")
        assert store.similarity_search(QUESTION) == []

    async def test_everything_is_deleted_only_where_that_is_said(self, store, call):
        for nothing in ({}, {"ids": None}, {"filter": {}}, {"filter": None}, {"all": False}):
            with pytest.raises(ConfigError, match=r"names no document.*all=True"):
                await call(store, "delete", **nothing)
        for much in (
            {"ids": ["reset"], "filter": {"year": 2025}},
            {"ids": ["reset"], "all": True},
            {"ids": [], "all": True},
            {"filter": {"year": 2025}, "all": True},
        ):
            with pytest.raises(ConfigError, match="only one of them"):
                await call(store, "delete", **much)
        assert len(store.retriever) == 4
        assert await call(store, "delete", all=True)
        assert len(store.retriever) == 0

    async def test_the_log_says_how_many_were_deleted(self, store, call, caplog):
        caplog.set_level("INFO", logger="langchain_lfm2_colbert")
        await call(store, "delete", ["reset", "gone"])
        await call(store, "delete", all=True)
        said = [record.getMessage() for record in caplog.records]
        assert [message.split(";")[0] for message in said] == [
            "Deleted 1 documents",
            "Deleted 3 documents",
        ]

    async def test_get_by_ids_keeps_the_order_asked(self, store, call):
        asked = ["warranty", "gone", "reset", "warranty"]
        found = await call(store, "get_by_ids", asked)
        assert ids(found) == ["warranty", "reset", "warranty"]
        found[0].metadata["product"] = "changed"
        assert found[2].metadata["product"] == "coffee"


@pytest.mark.parametrize(
    "method",
    [
        "asimilarity_search",
        "asimilarity_search_with_score",
        "asimilarity_search_with_relevance_scores",
        "amax_marginal_relevance_search",
    ],
)
async def test_the_event_loop_keeps_turning(slow_encoder, ticks_during, method):
    store = LFM2ColBERTVectorStore(Retriever.from_texts(["text"], model=slow_encoder))
    assert await ticks_during(getattr(store, method)(QUESTION)) > 10
    assert threading.main_thread() not in slow_encoder.threads
