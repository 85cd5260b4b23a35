"""LangChain's compressor for Infinity."""

import httpx
from infinity_client import Client
from langchain_community.document_compressors.infinity_rerank import InfinityRerank
from langchain_core.documents import Document


def connect(url, key, seconds):
    client = Client(
        base_url=f"{url}/infinity",
        headers={"Authorization": f"Bearer {key}"},
        timeout=httpx.Timeout(seconds),
        raise_on_unexpected_status=True,
    )
    return InfinityRerank(client=client, model="docs", top_n=None)


def ask(client, query, documents, top_n=None):
    client.top_n = top_n
    given = [Document(text, metadata={"place": place}) for place, text in enumerate(documents)]
    found = client.compress_documents(given, query)
    return [[one.metadata["place"], one.metadata["relevance_score"]] for one in found]
