"""LiteLLM's rerank, as of Text Embeddings Inference."""

from litellm_calls import rerank


def connect(url, key, seconds):
    return url, key, seconds


def ask(client, query, documents, top_n=None, **more):
    return rerank(client, "huggingface", "", query, documents, top_n, more)
