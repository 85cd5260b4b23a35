"""LangChain's tutorial on self-querying: films, asked for by what is said of them."""

from __future__ import annotations

import json

import pytest
from langchain_classic.chains.query_constructor.base import (
    StructuredQueryOutputParser,
    get_query_constructor_prompt,
)
from langchain_classic.chains.query_constructor.schema import AttributeInfo
from langchain_classic.retrievers import SelfQueryRetriever
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_lfm2_colbert import LFM2ColBERTTranslator, LFM2ColBERTVectorStore

FILMS = [
    Document(
        "A bunch of scientists bring back dinosaurs and mayhem breaks loose",
        metadata={"year": 1993, "rating": 7.7, "genre": "science fiction"},
    ),
    Document(
        "Leo DiCaprio gets lost in a dream within a dream within a dream within a ...",
        metadata={"year": 2010, "director": "Christopher Nolan", "rating": 8.2},
    ),
    Document(
        "A detective gets lost in a series of dreams within dreams within dreams",
        metadata={"year": 2006, "director": "Satoshi Kon", "rating": 8.6},
    ),
    Document(
        "A bunch of normal-sized women are supremely wholesome and some men pine after them",
        metadata={"year": 2019, "director": "Greta Gerwig", "rating": 8.3},
    ),
    Document(
        "Toys come alive and have a blast doing so", metadata={"year": 1995, "genre": "animated"}
    ),
    Document(
        "Three men walk into the Zone, three men walk out of the Zone",
        metadata={
            "year": 1979,
            "director": "Andrei Tarkovsky",
            "genre": "thriller",
            "rating": 9.9,
        },
    ),
]
FIELDS = [
    AttributeInfo(
        name="genre",
        description="The genre of the movie. One of ['science fiction', 'animated', 'thriller']",
        type="string",
    ),
    AttributeInfo(name="year", description="The year it was released", type="integer"),
    AttributeInfo(name="director", description="The name of its director", type="string"),
    AttributeInfo(name="rating", description="A 1-10 rating for the movie", type="float"),
]
ABOUT = "Brief summary of a movie"


@pytest.fixture
def films() -> LFM2ColBERTVectorStore:
    return LFM2ColBERTVectorStore.from_documents(FILMS, None, model="hash")


@pytest.fixture
def understood(films):
    """A retriever whose model understands the question as it is told to."""

    def make(query: str, condition: str = "NO_FILTER", limit: int | None = None, **options):
        said = {"query": query, "filter": condition} | ({} if limit is None else {"limit": limit})
        return SelfQueryRetriever.from_llm(
            FakeListChatModel(responses=[f"```json\n{json.dumps(said)}\n```"]),
            films,
            ABOUT,
            FIELDS,
            structured_query_translator=LFM2ColBERTTranslator(),
            **options,
        )

    return make


@pytest.fixture(params=["invoke", "ainvoke"])
def ask(request: pytest.FixtureRequest):
    async def call(retriever, question):
        if request.param == "invoke":
            return retriever.invoke(question)
        return await retriever.ainvoke(question)

    return call


def years(documents: list[Document]) -> list[int]:
    return [document.metadata["year"] for document in documents]


async def test_only_a_filter(understood, ask):
    """The first example: without words, what matches comes in the order in which it was added."""
    retriever = understood("", 'gt("rating", 8.5)')
    assert years(await ask(retriever, "I want to watch a movie rated higher than 8.5")) == [
        2006,
        1979,
    ]


async def test_a_query_and_a_filter(understood, ask):
    retriever = understood("women", 'eq("director", "Greta Gerwig")')
    assert years(await ask(retriever, "Has Greta Gerwig directed any movies about women")) == [2019]


async def test_a_composite_filter(understood, ask):
    retriever = understood("", 'and(gte("rating", 8.5), contain("genre", "thriller"))')
    assert years(await ask(retriever, "What's a highly rated thriller?")) == [1979]


async def test_a_query_and_a_composite_filter(understood, ask):
    retriever = understood(
        "toys", 'and(gt("year", 1990), lt("year", 2005), eq("genre", "animated"))'
    )
    assert years(await ask(retriever, "A movie between 1990 and 2005 all about toys")) == [1995]


async def test_limits(understood, ask):
    dreams = understood("dream", limit=2, enable_limit=True)
    assert set(years(await ask(dreams, "What are two movies about dreams"))) == {2010, 2006}
    newer = understood("", 'gt("year", 1990)', limit=2, enable_limit=True)
    assert years(await ask(newer, "Two movies after 1990")) == [1993, 2010]


async def test_neither_query_nor_filter(understood, ask):
    assert await ask(understood(""), "Hm.") == []


@pytest.mark.parametrize("search_type", ["mmr", "similarity_score_threshold"])
async def test_only_a_filter_in_other_searches(understood, ask, search_type):
    options = {"score_threshold": 0.0} if search_type.endswith("threshold") else {}
    retriever = understood(
        "", 'gt("rating", 8.5)', search_type=search_type, search_kwargs={"k": 1, **options}
    )
    assert years(await ask(retriever, "rated higher than 8.5")) == [2006]


async def test_from_scratch(films, ask):
    answer = '```json\n{"query": "", "filter": "lt(\\"year\\", 1980)"}\n```'
    constructor = (
        get_query_constructor_prompt(ABOUT, FIELDS)
        | FakeListChatModel(responses=[answer])
        | StructuredQueryOutputParser.from_components()
    )
    retriever = SelfQueryRetriever(
        query_constructor=constructor,
        vectorstore=films,
        structured_query_translator=LFM2ColBERTTranslator(),
    )
    assert years(await ask(retriever, "Something old")) == [1979]
