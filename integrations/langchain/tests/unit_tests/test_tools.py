"""The search tool: what the model may ask for, what it sees, and what code gets."""

from __future__ import annotations

import re
import threading

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import ToolMessage
from langchain_core.prompts import PromptTemplate
from langchain_lfm2_colbert import LFM2ColBERTRetriever, create_search_tool

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError

QUESTION = "How do I reset the password?"
FIELDS = {"product": "router or coffee", "year": "of the manual"}


@pytest.fixture(params=["invoke", "ainvoke"])
def use(request: pytest.FixtureRequest):
    """Call a tool as an agent does; returns the message."""

    async def call(tool, config=None, **arguments) -> ToolMessage:
        message = {"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"}
        if request.param == "invoke":
            return tool.invoke(message, config)
        return await tool.ainvoke(message, config)

    return call


@pytest.fixture
def tool(retriever):
    return create_search_tool(retriever, "manuals", "Search the manuals.", fields=FIELDS)


class TestAnswers:
    async def test_text_for_the_model_and_documents_for_the_program(self, tool, use):
        message = await use(tool, query=QUESTION, k=2)
        assert [document.id for document in message.artifact] == ["reset", "guest"]
        first, second = message.content.split("\n\n")
        assert first == "[reset] To reset the password, hold the red button for ten seconds."
        assert second.startswith("[guest] ")
        assert "passage_id" not in message.artifact[0].metadata

    async def test_the_question_reaches_the_retriever_as_it_is(self, tool, use):
        class Listener(BaseCallbackHandler):
            queries: list[str] = []  # noqa: RUF012
            tags: list[str] = []  # noqa: RUF012

            def on_retriever_start(self, serialized, query, *, tags=None, **_):
                self.queries.append(query)
                self.tags += tags or []

        listener = Listener()
        await use(tool, {"callbacks": [listener], "tags": ["agent"]}, query=QUESTION)
        assert listener.queries == [QUESTION]
        assert "agent" in listener.tags

    async def test_options_of_the_retriever_count_where_the_model_sets_none(self, documents, use):
        retriever = LFM2ColBERTRetriever.from_documents(documents, model="hash", k=1)
        tool = create_search_tool(retriever, "manuals", "Search the manuals.")
        assert len((await use(tool, query=QUESTION)).artifact) == 1
        assert len((await use(tool, query=QUESTION, k=3)).artifact) == 3

    async def test_nothing_found_is_said(self, tool, use):
        message = await use(tool, query=QUESTION, where={"year": "2023"})
        assert message.content.startswith("Nothing was found. ")
        assert "'year' holds numbers, such as 2023" in message.content
        assert message.artifact == []

    async def test_what_a_filter_of_the_retriever_hides_is_not_told_of(self, documents, use):
        retriever = LFM2ColBERTRetriever.from_documents(
            documents, model="hash", where={"product": "router"}
        )
        tool = create_search_tool(retriever, "manuals", "Search.", fields=FIELDS)
        message = await use(tool, query=QUESTION, where={"product": "tea"})
        assert message.content == "Nothing was found."

    async def test_own_prompt(self, retriever, use):
        prompt = PromptTemplate.from_template("{passage_id}/{year}: {page_content}")
        tool = create_search_tool(
            retriever, "m", "Search.", document_prompt=prompt, document_separator="\n"
        )
        message = await use(tool, query=QUESTION, k=1)
        assert message.content.startswith("reset/2023: To reset")


class TestFilters:
    async def test_of_the_model(self, tool, use):
        where = {"product": "coffee", "year": {"$gte": 2025}}
        message = await use(tool, query=QUESTION, where=where)
        assert [document.id for document in message.artifact] == ["warranty"]

    async def test_cannot_get_around_that_of_the_retriever(self, documents, use):
        retriever = LFM2ColBERTRetriever.from_documents(
            documents, model="hash", where={"product": "router"}
        )
        tool = create_search_tool(retriever, "manuals", "Search.", fields=FIELDS)
        for where in ({"product": "coffee"}, {"$or": [{"product": "coffee"}, {"year": 2024}]}):
            assert (await use(tool, query=QUESTION, where=where)).artifact == []
        message = await use(tool, query=QUESTION, where={"year": 2025})
        assert [document.id for document in message.artifact] == ["guest"]

    def test_are_offered_only_for_named_fields(self, retriever, tool):
        bare = create_search_tool(retriever, "manuals", "Search.")
        assert set(bare.args) == {"query", "k"}
        assert set(tool.args) == {"query", "k", "where"}
        assert "router or coffee" in tool.args["where"]["description"]


class TestMistakesOfTheModel:
    @pytest.mark.parametrize(
        ("arguments", "explanation"),
        [
            ({"where": {"tenant": "other"}}, "no field 'tenant'.*'product', 'year'"),
            ({"where": {"$not": {"tenant": "other"}}}, "no field 'tenant'"),
            ({"where": {"$id": "reset"}}, "no field"),
            ({"where": {"year": {"$almost": 1}}}, "almost"),
        ],
    )
    async def test_are_explained_to_it(self, tool, use, arguments, explanation):
        message = await use(tool, **{"query": QUESTION, **arguments})
        assert message.status == "error"
        assert re.search(explanation, message.content)

    async def test_a_blank_query_finds_nothing_and_says_why(self, tool, use):
        message = await use(tool, query=" ")
        assert message.status == "success"
        assert message.artifact == []
        assert "The query is blank" in message.content
        filtered = await use(tool, query="", where={"year": 2025})
        assert [document.id for document in filtered.artifact] == ["guest", "warranty"]

    @pytest.mark.parametrize("k", [0, 21, -1])
    async def test_k_is_bounded(self, tool, use, k):
        message = await use(tool, query=QUESTION, k=k)
        assert message.status == "error"
        assert f"not {k}." in message.content

    def test_of_the_programmer_are_refused(self, retriever):
        with pytest.raises(ConfigError, match="max_k"):
            create_search_tool(retriever, "manuals", "Search.", max_k=0)
        with pytest.raises(ConfigError, match="fields must be a mapping"):
            create_search_tool(retriever, "manuals", "Search.", fields=["year"])


async def test_the_event_loop_keeps_turning(slow_encoder, ticks_during):
    core = Retriever.from_texts(["text"], model=slow_encoder)
    tool = create_search_tool(LFM2ColBERTRetriever(retriever=core), "manuals", "Search.")
    assert await ticks_during(tool.ainvoke({"query": QUESTION})) > 10
    assert threading.main_thread() not in slow_encoder.threads
