"""Dify's calls, as its ``external_knowledge_service.py`` makes them; Dify itself is no package."""

from __future__ import annotations

from typing import Any

import httpx

_TRIES = 3
_SECONDS = 5.0
_FAILURES = {403: "the key is not right", 404: "there is no such place", 502: "it is not reached"}


class SetUpError(Exception):
    """What Dify says where somebody sets external knowledge up."""


def check(endpoint: str, key: str) -> None:
    """Check an endpoint when it is set up: a POST without a body; most statuses pass.

    Raises:
        SetUpError: it does not take the key, or is not there.
    """
    answer = httpx.post(f"{endpoint}/retrieval", headers=_headers(key), timeout=_SECONDS)
    if answer.status_code in _FAILURES:
        raise SetUpError(_FAILURES[answer.status_code])


def retrieve(
    endpoint: str, key: str, knowledge: str, query: str, top_k: int, **more: Any
) -> list[dict[str, Any]]:
    """Ask for records, as a chat does: up to three times, and any other answer than 200 is none.

    Args:
        endpoint: the address as it was set up.
        key: the key.
        knowledge: its id.
        query: the question.
        top_k: how many.
        more: ``threshold``, and the ``condition`` on metadata.
    """
    setting = {"top_k": top_k, "score_threshold": more.get("threshold") or 0.0}
    body = {
        "retrieval_setting": setting,
        "query": query,
        "knowledge_id": knowledge,
        "metadata_condition": more.get("condition"),
    }
    for last in (False,) * (_TRIES - 1) + (True,):
        try:
            answer = httpx.post(
                f"{endpoint}/retrieval", json=body, headers=_headers(key), timeout=_SECONDS
            )
        except httpx.TransportError:
            if last:
                raise
            continue
        if answer.status_code == 200:
            return [_record(one) for one in answer.json()["records"]]
        raise RuntimeError(answer.text)
    raise AssertionError


def _record(given: dict[str, Any]) -> dict[str, Any]:
    """Read a record as Dify does: metadata that are null break a chat."""
    return {
        "content": given["content"],
        "score": given["score"],
        "title": given["title"],
        "metadata": dict(given["metadata"].items()),
    }


def _headers(key: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
