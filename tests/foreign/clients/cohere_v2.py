"""Cohere's SDK, with its API of version 2."""

import cohere


def connect(url, key, seconds):
    return cohere.ClientV2(api_key=key, base_url=url, timeout=seconds)


def ask(client, query, documents, top_n=None, **more):
    given = {} if top_n is None else {"top_n": top_n}
    answer = client.rerank(model="docs", query=query, documents=documents, **given, **more)
    return [[one.index, one.relevance_score, _spans(one)] for one in answer.results]


def _spans(one):
    """Return what version 7 of the SDK calls relevant spans, and older ones do not know."""
    found = getattr(one, "relevant_spans", None)
    return None if found is None else [[span.start, span.end, span.score] for span in found]
