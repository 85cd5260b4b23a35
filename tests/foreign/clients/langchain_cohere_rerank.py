"""LangChain's compressor for Cohere."""

from langchain_cohere import CohereRerank
from langchain_core.documents import Document


def connect(url, key, seconds):
    return CohereRerank(base_url=url, cohere_api_key=key, model="docs", top_n=None)


def ask(client, query, documents, top_n=None):
    client.top_n = top_n
    given = [Document(text, metadata={"place": place}) for place, text in enumerate(documents)]
    found = client.compress_documents(given, query)
    return [[one.metadata["place"], one.metadata["relevance_score"]] for one in found]
