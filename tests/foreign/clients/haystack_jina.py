"""Haystack's ranker for Jina."""

from haystack.utils import Secret
from haystack_documents import rank
from haystack_integrations.components.rankers.jina import JinaRanker


def connect(url, key, seconds):
    return JinaRanker(base_url=f"{url}/v1/rerank", api_key=Secret.from_token(key), model="docs")


def ask(client, query, documents, top_n=None):
    return rank(client, query, documents, top_n)
