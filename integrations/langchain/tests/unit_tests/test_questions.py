"""Questions as chains make them: blank ones, numbers of numpy, thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_lfm2_colbert import (
    LFM2ColBERTReranker,
    LFM2ColBERTRetriever,
    LFM2ColBERTVectorStore,
    create_search_tool,
)

from lfm2_colbert_rag.errors import ConfigError, InputError

QUESTION = "How do I reset the password?"
BLANK = ["", " ", "\n\t", "\u3000", "\ufeff\u200b"]
SEARCHES = [
    "similarity_search",
    "similarity_search_with_score",
    "similarity_search_with_relevance_scores",
    "max_marginal_relevance_search",
]


def ids(found) -> list[str]:
    return [one[0].id if isinstance(one, tuple) else one.id for one in found]


@pytest.fixture(params=["invoke", "ainvoke", "batch", "abatch"])
def ask(request: pytest.FixtureRequest):
    async def call(retriever, query, **options) -> list[Document]:
        if request.param == "invoke":
            return retriever.invoke(query, **options)
        if request.param == "ainvoke":
            return await retriever.ainvoke(query, **options)
        if request.param == "batch":
            return retriever.batch([QUESTION, query], **options)[1]
        return (await retriever.abatch([QUESTION, query], **options))[1]

    return call


class TestBlankQuestions:
    async def test_without_a_filter_find_nothing(self, core, ask):
        retriever = LFM2ColBERTRetriever(retriever=core)
        for query in BLANK:
            assert await ask(retriever, query) == []
            assert await ask(retriever, query, where={}) == []

    async def test_with_a_filter_find_what_matches(self, core, ask):
        retriever = LFM2ColBERTRetriever(retriever=core)
        where = {"year": {"$gte": 2024}}
        for query in BLANK:
            found = await ask(retriever, query, where=where)
            assert ids(found) == ["guest", "descale", "warranty"]
            assert ids(await ask(retriever, query, where=where, k=2)) == ["guest", "descale"]
        assert await ask(retriever, " ", where={"year": 1900}) == []

    async def test_with_a_filter_of_the_retriever(self, core, ask):
        tenant = LFM2ColBERTRetriever(
            retriever=core, where={"product": "router"}, score_key="relevance"
        )
        found = await ask(tenant, " ")
        assert ids(found) == ["reset", "guest"]
        assert [document.metadata["relevance"] for document in found] == [0, 0]

    async def test_are_of_no_relevance(self, core, ask):
        retriever = LFM2ColBERTRetriever(retriever=core)
        assert await ask(retriever, " ", where={"year": 2025}, score_threshold=0.1) == []

    @pytest.mark.parametrize("method", SEARCHES)
    async def test_of_the_store(self, core, method):
        store = LFM2ColBERTVectorStore(core)
        search, asearch = getattr(store, method), getattr(store, f"a{method}")
        assert search(" ") == await asearch("") == []
        where = {"product": "coffee"}
        assert ids(search(" ", filter=where)) == ["descale", "warranty"]
        assert ids(await asearch(" ", k=1, filter=where)) == ["descale"]
        newer = search(" ", filter=lambda document: document.metadata["year"] == 2025)
        assert ids(newer) == ["guest", "warranty"]

    def test_score_nothing(self, core):
        store = LFM2ColBERTVectorStore(core)
        for method in SEARCHES[1:3]:
            found = getattr(store, method)(" ", filter={"year": 2025})
            assert [score for _, score in found] == [0, 0]

    async def test_leave_what_is_reranked_as_it_is(self, documents):
        reranker = LFM2ColBERTReranker.from_model("hash", top_n=2)
        for found in (
            reranker.compress_documents(documents, " "),
            await reranker.acompress_documents(documents, ""),
        ):
            assert ids(found) == ["reset", "guest"]
            assert [document.metadata["relevance_score"] for document in found] == [0, 0]

    async def test_wrong_options_are_still_wrong(self, core, ask):
        retriever = LFM2ColBERTRetriever(retriever=core)
        with pytest.raises(InputError, match="k must be"):
            await ask(retriever, " ", k=0)
        with pytest.raises(ConfigError, match="score_threshold"):
            await ask(retriever, " ", score_threshold=2)


class TestHalfCharacters:
    """Where a question was cut within a character."""

    CUT = f"{QUESTION} \ud83d"

    async def test_are_asked_as_they_can_be_read(self, core, ask):
        retriever = LFM2ColBERTRetriever(retriever=core)
        assert await ask(retriever, self.CUT) == retriever.invoke(f"{QUESTION} \ufffd")

    def test_everywhere_else(self, core, documents):
        store = LFM2ColBERTVectorStore(core)
        expected = store.similarity_search(f"{QUESTION} \ufffd")
        for method in SEARCHES[:3]:
            assert ids(getattr(store, method)(self.CUT)) == ids(expected)
        assert ids(store.max_marginal_relevance_search(self.CUT))[0] == "reset"
        reranker = LFM2ColBERTReranker(retriever=core, top_n=None)
        assert ids(reranker.compress_documents(documents, self.CUT)) == ids(expected)
        odd = Document("half \ud83d", id="odd")
        assert reranker.compress_documents([odd, *documents], QUESTION)[0].id == "reset"

    def test_of_a_search_tool(self, core):
        tool = create_search_tool(LFM2ColBERTRetriever(retriever=core), "manuals", "Search.")
        assert tool.invoke({"query": self.CUT, "k": 1}).startswith("[reset]")


class TestCounts:
    async def test_of_numpy_in_a_call(self, core, ask):
        retriever = LFM2ColBERTRetriever(retriever=core)
        assert len(await ask(retriever, QUESTION, k=np.int64(2))) == 2

    def test_of_numpy(self, retriever, store, documents):
        assert LFM2ColBERTRetriever(retriever=retriever.retriever, k=np.int32(3)).k == 3
        assert (
            len(
                LFM2ColBERTReranker.from_model("hash", top_n=np.int64(1)).compress_documents(
                    documents, QUESTION
                )
            )
            == 1
        )
        assert len(store.similarity_search(QUESTION, k=np.uint8(2))) == 2
        some = store.max_marginal_relevance_search(QUESTION, k=np.int64(2), fetch_k=np.int64(3))
        assert len(some) == 2

    @pytest.mark.parametrize("k", [0, -1, True, np.True_, "3", 2.0, None, [1]])
    def test_others_are_refused_alike(self, core, k):
        message, store = "k must be a positive integer", LFM2ColBERTVectorStore(core)
        with pytest.raises(ValueError, match=message):
            LFM2ColBERTRetriever(retriever=core, k=k)
        with pytest.raises(InputError, match=message):
            LFM2ColBERTRetriever(retriever=core).invoke(QUESTION, k=k)
        for method in SEARCHES:
            with pytest.raises(InputError, match=message):
                getattr(store, method)(QUESTION, k=k)
        with pytest.raises(InputError, match="fetch_k must be"):
            store.max_marginal_relevance_search(QUESTION, fetch_k=k)
        if k is not None:
            with pytest.raises(ValueError, match="top_n must be"):
                LFM2ColBERTReranker(retriever=core, top_n=k)


class TestThresholds:
    """They mean, and may be, the same wherever they are given."""

    @pytest.fixture
    def everywhere(self, core, documents):
        store = LFM2ColBERTVectorStore(core)

        def reranked(threshold):
            reranker = LFM2ColBERTReranker(retriever=core, top_n=None, score_threshold=threshold)
            return reranker.compress_documents(documents, QUESTION)

        def thresholded(threshold):
            options = {"search_kwargs": {"score_threshold": threshold}}
            made = store.as_retriever(search_type="similarity_score_threshold", **options)
            return made.invoke(QUESTION)

        return [
            lambda t: LFM2ColBERTRetriever(retriever=core, score_threshold=t).invoke(QUESTION),
            lambda t: LFM2ColBERTRetriever(retriever=core).invoke(QUESTION, score_threshold=t),
            lambda t: LFM2ColBERTRetriever(retriever=core).batch([QUESTION], score_threshold=t)[0],
            reranked,
            thresholded,
            *(
                lambda t, method=method: getattr(store, method)(QUESTION, score_threshold=t)
                for method in SEARCHES[:3]
            ),
        ]

    def test_leave_out_the_same(self, everywhere, core):
        hits = core.search(QUESTION)
        for threshold in (0, 1, hits[0].relevance - 0.01, np.float32(hits[1].relevance - 0.01)):
            expected = [hit.id for hit in hits if hit.relevance >= threshold]
            for search in everywhere:
                assert ids(search(threshold)) == expected

    @pytest.mark.parametrize(
        "threshold", [-0.1, 1.1, 70, float("nan"), "0.5", True, np.True_, (0.5,), {}]
    )
    def test_are_refused_alike(self, everywhere, threshold):
        for search in everywhere:
            with pytest.raises(ValueError, match="score_threshold must be a number from 0 to 1"):
                search(threshold)

    def test_of_one_question_of_a_batch(self, core):
        retriever = LFM2ColBERTRetriever(retriever=core)
        good, bad = retriever.batch(
            [QUESTION, QUESTION], score_threshold=[0.1, 7], return_exceptions=True
        )
        assert ids(good)[0] == "reset"
        assert isinstance(bad, ConfigError)


class TestPermitted:
    """An empty list permits nothing, wherever a list of what is permitted may be given."""

    NOTHING = ({"$id": {"$in": []}}, {"product": {"$in": []}})

    async def test_nothing(self, core, ask):
        retriever = LFM2ColBERTRetriever(retriever=core)
        for where in self.NOTHING:
            for query in (QUESTION, " "):
                assert await ask(retriever, query, where=where) == []

    @pytest.mark.parametrize("method", SEARCHES)
    def test_nothing_in_the_store(self, core, method):
        for where in self.NOTHING:
            for query in (QUESTION, " "):
                assert getattr(LFM2ColBERTVectorStore(core), method)(query, filter=where) == []

    async def test_whatever_iterable_says_it(self, retriever, store, ask):
        """What can be read once only holds for every question."""

        def permitted():
            return {"$id": {"$in": (id for id in ("guest", "descale"))}}

        expected = {"guest", "descale"}
        assert set(ids(await ask(retriever, QUESTION, where=permitted()))) == expected
        fixed = LFM2ColBERTRetriever(retriever=retriever.retriever, where=permitted())
        made = store.as_retriever(search_kwargs={"filter": permitted()})
        for _ in range(2):
            assert set(ids(await ask(fixed, QUESTION))) == expected
            assert set(ids(made.invoke(QUESTION))) == expected
        assert set(ids(store.similarity_search(QUESTION, filter=permitted()))) == expected
        assert store.delete(filter=permitted())
        assert len(store.retriever) == 2

    def test_by_id(self, store):
        assert store.get_by_ids([]) == []
        assert store.delete([])
        assert store.delete(filter={"$id": {"$in": []}})
        assert len(store.retriever) == 4
