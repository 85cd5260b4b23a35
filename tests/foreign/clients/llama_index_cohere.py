"""LlamaIndex's reranker for Cohere."""

from llama_index.postprocessor.cohere_rerank import CohereRerank
from llama_index_nodes import rerank


def connect(url, key, seconds):
    return CohereRerank(base_url=url, api_key=key, model="docs")


def ask(client, query, documents, top_n=None):
    return rerank(client, query, documents, top_n)
