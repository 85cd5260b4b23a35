"""The parts of LangChain that want a vector store, over ours."""

from __future__ import annotations

import pytest
from langchain_classic.chains.query_constructor.schema import AttributeInfo
from langchain_classic.retrievers import MultiVectorRetriever, SelfQueryRetriever
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.stores import InMemoryStore
from langchain_lfm2_colbert import LFM2ColBERTTranslator, LFM2ColBERTVectorStore


def ids(documents: list[Document]) -> list[str]:
    return [document.id for document in documents]


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
