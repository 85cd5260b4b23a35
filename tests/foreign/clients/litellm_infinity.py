"""LiteLLM's rerank, as of Infinity."""

from litellm_calls import rerank


def connect(url, key, seconds):
    return url, key, seconds


def ask(client, query, documents, top_n=None, **more):
    return rerank(client, "infinity", "/infinity", query, documents, top_n, more)
