"""An agent that searches: through the tool, and through a function of one's own."""

from __future__ import annotations

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.tools import FunctionTool
from llama_index.retrievers.lfm2_colbert import create_search_tool

try:
    from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock
    from llama_index.core.llms.mock import MockFunctionCallingLLM
except ImportError:
    pytest.skip("this LlamaIndex has no model to play an agent's part", allow_module_level=True)

QUESTION = "How do I reset the password?"

# The workflow engine inspects every attribute of its pydantic models, deprecated ones included.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")


async def answer_of_agent(tool: FunctionTool, **arguments) -> str:
    """Let an agent call the tool once, and repeat what it said."""

    def respond(messages: list[ChatMessage], **_) -> ChatMessage:
        if messages[-1].role == "tool":
            return ChatMessage(role="assistant", blocks=[TextBlock(text=messages[-1].content)])
        name = tool.metadata.get_name()
        call = ToolCallBlock(tool_call_id="1", tool_name=name, tool_kwargs=arguments)
        return ChatMessage(role="assistant", blocks=[call])

    llm = MockFunctionCallingLLM(is_chat_model=True, response_generator=respond)
    agent = FunctionAgent(tools=[tool], llm=llm, streaming=False)
    return str(await agent.run(user_msg=QUESTION))


async def test_through_the_tool(retriever):
    tool = create_search_tool(retriever, "manuals", "Search the manuals.")
    answer = await answer_of_agent(tool, query=QUESTION, k=1)
    assert "[reset]" in answer
    assert "hold the red button" in answer


async def test_mistakes_do_not_end_the_run(retriever):
    tool = create_search_tool(retriever, "manuals", "Search the manuals.")
    assert "not 99" in await answer_of_agent(tool, query=QUESTION, k=99)


async def test_through_a_function_of_one_s_own(retriever):
    async def search_manuals(query: str) -> str:
        """Search the manuals."""
        found = await retriever.aretrieve(query)
        return found[0].node.get_content()

    tool = FunctionTool.from_defaults(async_fn=search_manuals)
    assert "hold the red button" in await answer_of_agent(tool, query=QUESTION)
