"""What a document may say on request: the words that matched, the part of a long text, the mode."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document
from langchain_lfm2_colbert import LFM2ColBERTRetriever, LFM2ColBERTVectorStore

from lfm2_colbert_rag import Retriever


@pytest.fixture(params=["invoke", "ainvoke"])
def ask(request: pytest.FixtureRequest):
    async def call(retriever, query, **options):
        if request.param == "invoke":
            return retriever.invoke(query, **options)
        return await retriever.ainvoke(query, **options)

    return call


class TestEvidence:
    async def test_names_the_words_that_matched(self, documents, ask):
        retriever = LFM2ColBERTRetriever.from_documents(documents, model="hash", evidence=True)
        (found,) = await ask(retriever, "Vinegar please", k=1)
        best = found.metadata["evidence"][0]
        assert found.page_content[slice(*best["passage"])] == "vinegar"
        assert best["query"] == [0, 7]
        assert best["words"] == ["Vinegar", "vinegar"]
        assert best["strength"] > 0.99
        strengths = [match["strength"] for match in found.metadata["evidence"]]
        rounded = [round(one, 3) for one in strengths]
        assert rounded == sorted(rounded, reverse=True)

    async def test_for_one_call(self, retriever, ask):
        assert "evidence" not in (await ask(retriever, "vinegar", k=1))[0].metadata
        assert "evidence" in (await ask(retriever, "vinegar", k=1, evidence=True))[0].metadata

    async def test_in_batches(self, retriever):
        (found,) = retriever.batch(["vinegar"], k=1, evidence=True)
        assert found == retriever.invoke("vinegar", k=1, evidence=True)
        assert "evidence" in found[0].metadata


class TestWindow:
    async def test_says_which_part_of_a_long_text_was_found(self, ask):
        long = " ".join(f"word{n}." for n in range(900)) + " The pool closes at noon."
        documents = [Document(long, id="long"), Document("short", id="short")]
        retriever = LFM2ColBERTRetriever.from_documents(
            documents, model="hash", window_key="window"
        )
        found = {document.id: document for document in await ask(retriever, "pool closes at noon")}
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


class TestMode:
    @pytest.fixture
    def core(self, documents) -> Modal:
        core = Modal.from_texts([document.page_content for document in documents], model="hash")
        core.asked = []
        return core

    async def test_is_passed_on_and_left_to_the_core_when_not_set(self, core, ask):
        retriever = LFM2ColBERTRetriever(retriever=core)
        await ask(retriever, "password")
        await ask(retriever, "password", mode="hybrid")
        await ask(LFM2ColBERTRetriever(retriever=core, mode="lexical"), "password")
        assert core.asked == [None, "hybrid", "lexical"]

    async def test_in_batches(self, core):
        LFM2ColBERTRetriever(retriever=core).batch(["password", "tank"], mode=["late", None])
        assert core.asked == ["late", None]

    async def test_of_the_vector_store(self, core):
        store = LFM2ColBERTVectorStore(core)
        store.similarity_search("password")
        await store.asimilarity_search_with_relevance_scores("password", mode="lexical")
        store.max_marginal_relevance_search("password", mode="hybrid")
        assert core.asked == [None, "lexical", "hybrid"]
