"""APIs of others, answered with what ours does: rerankers, MCP, Dify, OpenAI's vector stores."""
