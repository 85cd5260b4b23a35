"""LlamaIndex's reranker for Text Embeddings Inference."""

from llama_index.postprocessor.tei_rerank import TextEmbeddingInference
from llama_index_nodes import rerank


def connect(url, key, seconds):
    return TextEmbeddingInference(base_url=url, auth_token=f"Bearer {key}", timeout=seconds)


def ask(client, query, documents, top_n=None):
    return rerank(client, query, documents, top_n)
