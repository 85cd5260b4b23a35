"""The client of Infinity."""

import httpx
from infinity_client import AuthenticatedClient
from infinity_client.api.default import rerank
from infinity_client.models import RerankInput


def connect(url, key, seconds):
    return AuthenticatedClient(
        base_url=f"{url}/infinity",
        token=key,
        timeout=httpx.Timeout(seconds),
        raise_on_unexpected_status=True,
    )


def ask(client, query, documents, top_n=None, return_documents=False):
    given = {} if top_n is None else {"top_n": top_n}
    body = RerankInput(
        query=query, documents=documents, model="docs", return_documents=return_documents, **given
    )
    answer = rerank.sync(client=client, body=body)
    return [[one.index, one.relevance_score, one.document or None] for one in answer.results]
