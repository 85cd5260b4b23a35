"""LangGraph's tutorial on agentic RAG: an agent searches, grades, asks otherwise, and answers."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_lfm2_colbert import create_search_tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import PrivateAttr

ANSWER = "Hold the red button for ten seconds."
FIELDS = {"product": "router or coffee", "year": "of the manual"}


class ScriptedModel(GenericFakeChatModel):
    """Says what its script says, and remembers what it was told."""

    _told: list[list[Any]] = PrivateAttr(default_factory=list)

    def bind_tools(self, tools, **_):
        return self

    def _generate(self, messages, *args, **options):
        self._told.append(list(messages))
        return super()._generate(messages, *args, **options)


def search(**arguments) -> AIMessage:
    call = {"name": "manuals", "args": arguments, "id": "1", "type": "tool_call"}
    return AIMessage("", tool_calls=[call])


def scripted(*messages: AIMessage | str) -> ScriptedModel:
    said = (AIMessage(one) if isinstance(one, str) else one for one in messages)
    return ScriptedModel(messages=said)


@pytest.fixture
def tool(retriever):
    return create_search_tool(retriever, "manuals", "Search the manuals.", fields=FIELDS)


@pytest.fixture
def graph(tool):
    """The tutorial's graph around a model."""

    def make(model):
        def query_or_respond(state: MessagesState):
            return {"messages": [model.bind_tools([tool]).invoke(state["messages"])]}

        def grade(state: MessagesState) -> str:
            relevant = "password" in state["messages"][-1].content
            return "generate_answer" if relevant else "rewrite_question"

        def rewrite_question(state: MessagesState):
            return {"messages": [HumanMessage(f"{state['messages'][0].content} (reworded)")]}

        def generate_answer(state: MessagesState):
            return {"messages": [model.invoke(state["messages"])]}

        workflow = StateGraph(MessagesState)
        workflow.add_node(query_or_respond)
        workflow.add_node("retrieve", ToolNode([tool]))
        workflow.add_node(rewrite_question)
        workflow.add_node(generate_answer)
        workflow.add_edge(START, "query_or_respond")
        workflow.add_conditional_edges(
            "query_or_respond", tools_condition, {"tools": "retrieve", END: END}
        )
        workflow.add_conditional_edges("retrieve", grade, ["generate_answer", "rewrite_question"])
        workflow.add_edge("generate_answer", END)
        workflow.add_edge("rewrite_question", "query_or_respond")
        return workflow.compile()

    return make


@pytest.fixture(params=["invoke", "ainvoke"])
def ask(request: pytest.FixtureRequest):
    async def call(graph, question="How do I get in?"):
        given = {"messages": [("user", question)]}
        state = graph.invoke(given) if request.param == "invoke" else await graph.ainvoke(given)
        return state["messages"]

    return call


def found(messages) -> list[ToolMessage]:
    return [message for message in messages if isinstance(message, ToolMessage)]


async def test_answers_without_a_search(graph, ask):
    messages = await ask(graph(scripted("Hello!")), "hello")
    assert [message.content for message in messages] == ["hello", "Hello!"]


async def test_searches_and_answers(graph, ask):
    messages = await ask(graph(scripted(search(query="reset the password", k=1), ANSWER)))
    (message,) = found(messages)
    assert message.content.startswith("[reset] To reset the password")
    assert [document.id for document in message.artifact] == ["reset"]
    assert messages[-1].content == ANSWER


async def test_asks_otherwise_where_nothing_fits(graph, ask):
    model = scripted(search(query="vinegar", k=1), search(query="reset password", k=1), ANSWER)
    messages = await ask(graph(model))
    assert [one.artifact[0].id for one in found(messages)] == ["descale", "reset"]
    assert any("reworded" in message.content for message in messages)
    assert messages[-1].content == ANSWER


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"query": " "}, "The query is blank"),
        ({"query": ["reset", "button"]}, "query: Input should be a valid string"),
        ({"query": "reset", "k": 1000}, "less than or equal to 20, not 1000"),
        ({"query": "reset", "k": "many"}, "not 'many'"),
        ({"query": "reset", "where": "router"}, "where: Input should be a valid dictionary"),
        ({"query": "reset", "where": {"colour": "red"}}, "no field 'colour'"),
        ({"query": "reset", "where": {"year": {"$about": 2024}}}, "$about"),
        ({"question": "reset"}, "query: Field required"),
    ],
)
def test_mistakes_are_told_to_the_model_in_one_line(graph, arguments, told):
    model = scripted(search(**arguments), search(query="reset the password", k=1), ANSWER)
    messages = graph(model).invoke({"messages": [("user", "How do I get in?")]})["messages"]
    assert told in found(messages)[0].content
    assert "\n" not in found(messages)[0].content
    assert messages[-1].content == ANSWER


ARGUMENTS = [
    {"query": "reset", "k": "1", "where": '{"product": "router", "year": 2023}'},
    {"query": "", "k": None, "where": {"year": 2023}},
    {"query": "reset the password", "k": 1, "where": "null"},
    {"query": "reset the password", "k": 1.0, "where": {}},
]


async def test_arguments_as_models_write_them(tool, ask):
    agent = create_agent(scripted(*(search(**one) for one in ARGUMENTS), ANSWER), [tool])
    messages = await ask(agent)
    for message in found(messages):
        assert [document.id for document in message.artifact] == ["reset"]
    assert len(found(messages)) == len(ARGUMENTS)
    assert messages[-1].content == ANSWER
