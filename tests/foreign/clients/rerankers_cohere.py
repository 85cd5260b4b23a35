"""rerankers, with the API of Cohere."""

from rerankers import Reranker


def connect(url, key, seconds):
    return Reranker(
        "docs",
        model_type="cohere",
        api_key=key,
        url=f"{url}/v1/rerank",
    )


def ask(client, query, documents):
    found = client.rank(query, documents, doc_ids=list(range(len(documents))))
    return [[one.document.doc_id, one.score, one.document.text] for one in found.results]
