"""Open WebUI with the server as its external reranker."""

from __future__ import annotations

from .cases import QUERY, TEXTS, Case
from .open_webui import predict


def test_every_text_has_its_score(asked):
    url = f"{asked.server.url}/v1/rerank"
    found = predict(url, asked.key, "docs", QUERY, list(TEXTS))
    assert list(enumerate(found)) == sorted(asked.natively(Case("", "", "rerank", "")))
    assert predict(url, asked.stranger, "docs", QUERY, list(TEXTS)) is None
