"""What comes back for a question: options of a call, documents, scores, filters."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document
from langchain_core.runnables import ConfigurableField
from langchain_lfm2_colbert import LFM2ColBERTRetriever

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, FilterError, InputError

QUESTION = "How do I reset the password?"


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def scored(documents: list[Document]) -> LFM2ColBERTRetriever:
    return LFM2ColBERTRetriever.from_documents(documents, model="hash", score_key="relevance_score")


@pytest.fixture(params=["invoke", "ainvoke"])
def ask(request: pytest.FixtureRequest):
    """Every law below holds for the sync and for the async call."""

    async def call(retriever, query=QUESTION, config=None, **options):
        if request.param == "invoke":
            return retriever.invoke(query, config, **options)
        return await retriever.ainvoke(query, config, **options)

    return call


class TestOptionsOfACall:
    async def test_k_defaults_to_four(self, retriever, ask):
        retriever.add_documents([Document("The password of the bank.")])
        assert len(await ask(retriever)) == 4

    async def test_k_of_the_constructor(self, documents, ask):
        retriever = LFM2ColBERTRetriever.from_documents(documents, model="hash", k=2)
        assert ids(await ask(retriever)) == ["reset", "guest"]

    async def test_k_of_the_call_wins(self, retriever, ask):
        assert ids(await ask(retriever, k=1)) == ["reset"]
        assert retriever.k == 4

    async def test_k_beyond_the_corpus_returns_what_there_is(self, retriever, ask):
        assert len(await ask(retriever, k=1000)) == 4

    @pytest.mark.parametrize("k", [0, -3, 2.5, "three", None])
    async def test_unusable_k_is_refused(self, retriever, ask, k):
        with pytest.raises((InputError, TypeError), match="k"):
            await ask(retriever, k=k)

    async def test_where_of_the_call_wins(self, documents, ask):
        retriever = LFM2ColBERTRetriever.from_documents(
            documents, model="hash", where={"product": "router"}
        )
        assert set(ids(await ask(retriever))) == {"reset", "guest"}
        assert set(ids(await ask(retriever, where={"product": "coffee"}))) == {
            "descale",
            "warranty",
        }
        assert len(await ask(retriever, where=None)) == 4

    async def test_score_threshold_of_the_call_wins(self, documents, ask):
        retriever = scored(documents)
        best, second, *_ = (d.metadata["relevance_score"] for d in await ask(retriever))
        between = (best + second) / 2
        assert ids(await ask(retriever, score_threshold=between)) == ["reset"]
        strict = LFM2ColBERTRetriever.from_documents(
            documents, model="hash", score_threshold=between
        )
        assert ids(await ask(strict)) == ["reset"]
        assert len(await ask(strict, score_threshold=None)) == 4

    @pytest.mark.parametrize("name", ["top_k", "filter", "search_kwargs"])
    async def test_unknown_arguments_are_refused_by_name(self, retriever, ask, name):
        with pytest.raises(TypeError, match=rf"{name}; it takes k, score_threshold, where"):
            await ask(retriever, **{name: 3})

    async def test_arguments_of_invoke_itself_still_pass(self, retriever, ask):
        assert len(await ask(retriever, verbose=False, k=2)) == 2

    async def test_bound_options(self, retriever, ask):
        assert ids(await ask(retriever.bind(k=1, where={"year": 2025}))) == ["guest"]

    async def test_configurable_fields_keep_the_loaded_model(self, retriever, ask, monkeypatch):
        monkeypatch.setattr(Retriever, "from_texts", None)
        monkeypatch.setattr(Retriever, "open", None)
        configurable = retriever.configurable_fields(
            k=ConfigurableField(id="k"), where=ConfigurableField(id="where")
        )
        config = {"configurable": {"k": 1, "where": {"product": "coffee"}}}
        assert ids(await ask(configurable, "reset the machine", config)) == ["descale"]
        rebuilt, _ = configurable._prepare(config)
        assert rebuilt.retriever is retriever.retriever


class TestFilters:
    async def test_filters_apply_before_the_best_k_are_chosen(self, retriever, ask):
        assert ids(await ask(retriever, k=1, where={"product": "coffee", "year": 2025})) == [
            "warranty"
        ]

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            ({"year": {"$gte": 2024, "$lt": 2025}}, {"descale"}),
            ({"tags": "button"}, {"reset"}),
            ({"tags": {"$in": ["button", "lamp"]}}, {"reset"}),
            ({"source.file": "guest.pdf"}, {"guest"}),
            ({"source": {"$exists": False}}, {"reset", "descale", "warranty"}),
            ({"$or": [{"year": 2023}, {"year": 2024}]}, {"reset", "descale"}),
            ({"year": {"$not": {"$in": [2023, 2024]}}}, {"guest", "warranty"}),
            ({"product": "toaster"}, set()),
        ],
    )
    async def test_the_core_s_filter_language_passes_through(self, retriever, ask, where, expected):
        assert set(ids(await ask(retriever, where=where))) == expected

    async def test_malformed_filters_are_refused(self, retriever, ask):
        with pytest.raises(FilterError, match="almost"):
            await ask(retriever, where={"year": {"$almost": 2024}})


class TestDocuments:
    async def test_text_id_and_metadata_come_back(self, retriever, documents, ask):
        found = {document.id: document for document in await ask(retriever)}
        for document in documents:
            returned = found[document.id]
            assert returned.page_content == document.page_content
            assert document.metadata.items() <= returned.metadata.items()

    async def test_relevance_is_returned_best_first_between_0_and_1(self, documents, ask):
        found = await ask(scored(documents))
        scores = [document.metadata["relevance_score"] for document in found]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        assert scores[0] > 0.5

    async def test_score_key_can_be_renamed(self, documents, ask):
        retriever = LFM2ColBERTRetriever.from_documents(documents, model="hash", score_key="score")
        (best,) = await ask(retriever, k=1)
        assert best.metadata["score"] > 0.5
        assert "relevance_score" not in best.metadata

    async def test_no_score_key_leaves_metadata_as_it_was(self, retriever, documents, ask):
        assert retriever.score_key is None
        assert (await ask(retriever, k=1)) == [documents[0]]

    async def test_the_score_replaces_metadata_under_its_key(self, ask):
        stale = Document("The password.", metadata={"relevance_score": "stale"})
        retriever = scored([stale])
        assert isinstance((await ask(retriever))[0].metadata["relevance_score"], float)
        assert len(await ask(retriever, where={"relevance_score": "stale"})) == 1

    async def test_id_key_copies_the_id(self, documents, ask):
        retriever = LFM2ColBERTRetriever.from_documents(documents, model="hash", id_key="doc")
        assert all(d.metadata["doc"] == d.id for d in await ask(retriever))

    async def test_documents_are_fresh_each_time(self, retriever, ask):
        first = (await ask(retriever, k=2))[1]
        untouched = first.model_copy(deep=True)
        first.page_content = "changed"
        first.metadata["source"]["page"] = 99
        first.metadata["extra"] = True
        assert (await ask(retriever, k=2))[1] == untouched

    async def test_input_documents_are_left_alone(self, documents, ask):
        before = [document.model_copy(deep=True) for document in documents]
        retriever = LFM2ColBERTRetriever.from_documents(documents, model="hash")
        (await ask(retriever))[0].metadata["tags"].append("changed")
        assert documents == before

    async def test_an_empty_corpus_finds_nothing(self, ask):
        assert await ask(LFM2ColBERTRetriever.from_texts([], model="hash")) == []


class TestBuilding:
    def test_from_texts_with_metadata_and_ids(self):
        retriever = LFM2ColBERTRetriever.from_texts(
            (text for text in ["one", "two"]),
            [{"n": 1}, {"n": 2}],
            ids=["a", "b"],
            model="hash",
        )
        assert retriever.invoke("two", k=1) == [Document("two", id="b", metadata={"n": 2})]

    def test_missing_ids_are_generated(self):
        documents = [Document("one", id="a"), Document("two")]
        retriever = LFM2ColBERTRetriever.from_documents(documents, model="hash")
        found = ids(retriever.invoke("one two"))
        assert "a" in found
        assert len(set(found)) == 2
        assert all(isinstance(id_, str) and id_ for id_ in found)

    def test_adding_an_id_again_replaces_it(self, retriever):
        assert retriever.add_documents([Document("Ask the help desk.", id="reset")]) == ["reset"]
        assert retriever.invoke("help desk", k=1)[0].page_content == "Ask the help desk."
        assert len(retriever.retriever) == 4

    def test_delete(self, retriever):
        assert retriever.delete(["reset", "never there"]) == 1
        assert "reset" not in ids(retriever.invoke(QUESTION))
        assert retriever.delete(where={"year": 2025}) == 2
        for nothing in ({}, {"ids": None}, {"where": {}}):
            with pytest.raises(ConfigError, match=r"names no document.*all=True"):
                retriever.delete(**nothing)
        assert retriever.delete([]) == 0
        assert retriever.delete(all=True) == 1

    def test_unusable_metadata_changes_nothing(self, retriever):
        bad = [Document("fine"), Document("not JSON", metadata={"when": object()})]
        with pytest.raises(InputError):
            retriever.add_documents(bad)
        assert len(retriever.retriever) == 4

    def test_an_index_on_disk_opens_again(self, documents, tmp_path):
        made = LFM2ColBERTRetriever.open(tmp_path / "index", model="hash", k=1)
        made.add_documents(documents)
        expected = made.invoke(QUESTION)
        made.retriever.close()
        opened = LFM2ColBERTRetriever.open(tmp_path / "index", model="hash", k=1)
        assert opened.invoke(QUESTION) == expected
        opened.retriever.close()
