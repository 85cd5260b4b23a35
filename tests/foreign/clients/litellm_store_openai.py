"""LiteLLM's search in vector stores, of the provider ``openai``."""

from litellm_calls import search


def connect(url, key, seconds):
    return url, key, seconds


def ask(client, query, k, filters=None):
    return search(client, "openai", "/v1", query, k, filters)
