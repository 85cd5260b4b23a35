"""LlamaIndex's reranker for Jina."""

from llama_index.postprocessor.jinaai_rerank import JinaRerank
from llama_index_nodes import rerank


def connect(url, key, seconds):
    return JinaRerank(base_url=f"{url}/v1", api_key=key, model="docs")


def ask(client, query, documents, top_n=None):
    return rerank(client, query, documents, top_n)
