"""The search tool: what the model may ask for, what it sees, and what code gets."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRetriever, create_search_tool

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError

QUESTION = "How do I reset the password?"


@pytest.fixture(params=["call", "acall"])
def use(request: pytest.FixtureRequest):
    async def use(tool, **arguments):
        if request.param == "call":
            return tool.call(**arguments)
        return await tool.acall(**arguments)

    return use


@pytest.fixture
def tool(retriever):
    return create_search_tool(retriever, "manuals", "Search the manuals.")


async def test_text_for_the_model_and_nodes_for_the_program(tool, use, nodes):
    output = await use(tool, query=QUESTION, k=2)
    first, second = output.content.split("\n\n")
    assert first == "[reset] To reset the password, hold the red button for ten seconds."
    assert second.startswith("[guest] ")
    assert [one.node for one in output.raw_output] == nodes[:2]


async def test_the_question_is_asked_as_it_is(retriever, tool, use):
    output = await use(tool, query=QUESTION)
    assert output.raw_output == retriever.retrieve(QUESTION)
    assert retriever.similarity_top_k == 4


async def test_filters_of_the_retriever_hold(unchanging, use):
    coffee = LFM2ColBERTRetriever(unchanging.retriever, where={"product": "coffee"})
    output = await use(create_search_tool(coffee, "coffee", "Search."), query=QUESTION, k=20)
    assert {one.node.node_id for one in output.raw_output} == {"descale", "warranty"}
    nothing = LFM2ColBERTRetriever(unchanging.retriever, where={"product": "toaster"})
    output = await use(create_search_tool(nothing, "toasters", "Search."), query=QUESTION)
    assert output.content == "Nothing was found."


@pytest.mark.parametrize("k", ["2", 2.0, " 2 ", np.int64(2)])
async def test_numbers_as_models_write_them(tool, use, k):
    assert len((await use(tool, query=QUESTION, k=k)).raw_output) == 2


@pytest.mark.parametrize("k", [None, "", "null", "None"])
async def test_no_number_is_the_retriever_s_own(tool, use, k):
    assert len((await use(tool, query=QUESTION, k=k)).raw_output) == 4


async def test_a_question_in_a_list_is_a_question(tool, use):
    expected = (await use(tool, query=QUESTION)).content
    assert (await use(tool, query=[QUESTION])).content == expected


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        ({"k": 0}, "between 1 and 20, not 0"),
        ({"k": 21}, "not 21"),
        ({"k": 2.5}, "not 2.5"),
        ({"k": "many"}, "not 'many'"),
        ({"k": [2]}, "not [2]"),
        ({"k": float("inf")}, "not inf"),
        ({"k": True}, "not True"),
        ({"query": " "}, "empty"),
        ({"query": None}, "no string but None"),
        ({"query": ["a", "b"]}, "no string but ['a', 'b']"),
    ],
)
async def test_mistakes_of_the_model_are_explained_to_it(tool, use, arguments, explanation):
    output = await use(tool, **{"query": QUESTION, **arguments})
    assert output.content.startswith("Error: ")
    assert explanation in output.content
    assert "\n" not in output.content


async def test_own_format(retriever, use):
    tool = create_search_tool(retriever, "m", "Search.", format=lambda one: one.node.node_id)
    assert (await use(tool, query=QUESTION, k=2)).content == "reset\n\nguest"


def test_the_model_is_told_of_both_arguments(tool, retriever):
    schema = tool.metadata.get_parameters_dict()["properties"]
    assert set(schema) == {"query", "k"}
    assert "at most 20" in tool.metadata.description
    with pytest.raises(ConfigError, match="max_k"):
        create_search_tool(retriever, "m", "Search.", max_k=0)


async def test_the_event_loop_keeps_turning(slow_encoder, ticks_during):
    core = Retriever.from_texts(["text"], model=slow_encoder)
    slow_encoder.threads.clear()
    tool = create_search_tool(LFM2ColBERTRetriever(core), "manuals", "Search.")
    assert await ticks_during(tool.acall(query=QUESTION)) > 10
    assert threading.main_thread() not in slow_encoder.threads
