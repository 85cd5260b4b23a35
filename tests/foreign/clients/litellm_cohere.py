"""LiteLLM's rerank, as of Cohere."""

from litellm_calls import rerank


def connect(url, key, seconds):
    return url, key, seconds


def ask(client, query, documents, top_n=None, **more):
    return rerank(client, "cohere", "", query, documents, top_n, more)
