"""Open WebUI's call of an external reranker, as its ``retrieval/models/external.py`` makes it."""

from __future__ import annotations

import httpx


def predict(url: str, key: str, model: str, query: str, texts: list[str]) -> list[float] | None:
    """Return a score for each text, in the order of the texts; None where anything goes wrong."""
    body = {"model": model, "query": query, "documents": texts, "top_n": len(texts)}
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {key}",
        # With ENABLE_FORWARD_USER_INFO_HEADERS.
        "X-OpenWebUI-User-Name": "J%C3%B6rg",
        "X-OpenWebUI-User-Role": "user",
    }
    answer = httpx.post(url, json=body, headers=headers, timeout=60)
    if answer.status_code != 200 or "results" not in answer.json():
        return None
    ordered = sorted(answer.json()["results"], key=lambda one: one["index"])
    return [one["relevance_score"] for one in ordered]
