"""Cohere's SDK, with its API of version 1."""

import cohere


def connect(url, key, seconds):
    return cohere.Client(api_key=key, base_url=url, timeout=seconds)


def ask(client, query, documents, top_n=None, return_documents=False):
    answer = client.rerank(
        model="docs",
        query=query,
        documents=documents,
        top_n=top_n,
        return_documents=return_documents,
    )
    return [
        [one.index, one.relevance_score, one.document.text if one.document else None]
        for one in answer.results
    ]
