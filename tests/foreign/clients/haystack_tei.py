"""Haystack's ranker for Text Embeddings Inference."""

from haystack.utils import Secret
from haystack_documents import rank
from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker


def connect(url, key, seconds):
    return HuggingFaceTEIRanker(url=url, token=Secret.from_token(key), timeout=seconds)


def ask(client, query, documents, top_n=None):
    return rank(client, query, documents, top_n)
