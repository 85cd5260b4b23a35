"""A server follows what another process lets serve an index, at the next question."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag import Retriever

TEXTS = {"key": "Hold the reset key.", "door": "The door opens at nine.", "tea": "Tea is at five."}
QUESTION = "Where is the reset key?"


def answers(server, index):
    body = {"query": QUESTION, "k": 3, "mode": "late"}
    found = server.ask("POST", f"/v1/indexes/{index}/search", body)
    assert found.is_success, found.text
    return {hit["id"]: hit["score"] for hit in found.json()["results"][0]["hits"]}


def of_a_plain_index(model):
    with Retriever.from_texts(list(TEXTS.values()), ids=list(TEXTS), model=model) as plain:
        return {hit.id: hit.score for hit in plain.search(QUESTION, k=3, mode="late")}


def test_another_model_and_back(server, index):
    server.make(index, TEXTS)
    plain = {model: pytest.approx(of_a_plain_index(model)) for model in ("hash", "hash:7")}
    assert answers(server, index) == plain["hash"] != plain["hash:7"]
    with Retriever.open(server.folder / index) as other:
        other.migrate("hash:7", progress=False)
        assert answers(server, index) == plain["hash:7"]
        body = {"passages": [{"id": "new", "text": "Another key."}]}
        added = server.ask("PUT", f"/v1/indexes/{index}/passages", body)
        assert added.is_success, added.text
        assert server.ask(
            "POST", f"/v1/indexes/{index}/passages:delete", {"ids": ["new"]}
        ).is_success
        assert answers(server, index) == plain["hash:7"]
        other.rollback(progress=False)
    assert answers(server, index) == plain["hash"]
