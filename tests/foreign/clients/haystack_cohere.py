"""Haystack's ranker for Cohere."""

from haystack.utils import Secret
from haystack_documents import rank
from haystack_integrations.components.rankers.cohere import CohereRanker


def connect(url, key, seconds):
    return CohereRanker(api_base_url=url, api_key=Secret.from_token(key), model="docs")


def ask(client, query, documents, top_n=None):
    return rank(client, query, documents, top_n)
