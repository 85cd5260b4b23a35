"""LiteLLM's search in vector stores, of the provider ``pg_vector``."""

from litellm_calls import search


def connect(url, key, seconds):
    return url, key, seconds


def ask(client, query, k, filters=None):
    return search(client, "pg_vector", "", query, k, filters)
