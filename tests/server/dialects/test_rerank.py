"""Rerank calls in the words of Cohere, Jina, vLLM, Infinity and TEI."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag.server.dialects.spans import spans_of
from lfm2_colbert_rag.types import Hit, Match

QUERY = "When does the library open?"
TEXTS = ["Hold the key.", "The library opens at nine.", "", "𝒳🏛️ The library: it opens early."]


@pytest.fixture
def ask(server, key):
    def asked(path, body, **more):
        return server.ask("POST", path, body, key=key, **more)

    return asked


@pytest.fixture(scope="module")
def native(server, filled, key):
    """Return what our own API says of the texts: relevance by place, best first."""
    body = {"query": QUERY, "candidates": TEXTS}
    hits = server.ask("POST", f"/v1/indexes/{filled}/rerank", body, key=key).json()["hits"]
    return [(int(hit["id"]), hit["relevance"]) for hit in hits]


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
def test_documents_come_back_as_our_own_api_orders_them(ask, native, path):
    answer = ask(path, {"query": QUERY, "documents": TEXTS, "model": "anything", "new": [1]})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [(one["index"], one["relevance_score"]) for one in body["results"]] == native
    assert all(set(one) == {"index", "relevance_score"} for one in body["results"])
    assert body["id"] == answer.headers["x-request-id"]
    assert (body["object"], body["model"]) == ("rerank", "hash")
    assert body["usage"] == {"prompt_tokens": 0, "total_tokens": 0}
    version = body["meta"]["api_version"]["version"]
    assert version == ("1" if path.startswith("/v1") else "2")
    assert dict(native)[2] == 0.0


def test_texts_are_answered_as_tei_does(ask, native):
    body = {"query": QUERY, "texts": TEXTS, "raw_scores": False, "truncate": True}
    assert [(one["index"], one["score"]) for one in ask("/rerank", body).json()] == native
    raw = ask("/rerank", body | {"raw_scores": True, "return_text": True}).json()
    assert [one["index"] for one in raw] == [place for place, _ in native]
    assert [one["text"] for one in raw] == [TEXTS[place] for place, _ in native]
    assert max(one["score"] for one in raw) > 1
    assert ask("/rerank", {"query": QUERY, "texts": []}).json() == []


def test_what_is_null_is_not_there(ask, native):
    names = ("top_n", "return_documents", "rank_fields", "relevant_spans", "model", "texts")
    body = {"query": QUERY, "documents": TEXTS} | dict.fromkeys(names)
    found = ask("/v2/rerank", body).json()["results"]
    assert [one["index"] for one in found] == [place for place, _ in native]


def test_as_many_as_are_wanted_with_their_documents(ask, native):
    documents = [{"text": text, "page": place} for place, text in enumerate(TEXTS)]
    body = {"query": QUERY, "documents": documents, "top_n": 2, "return_documents": True}
    found = ask("/v1/rerank", body).json()["results"]
    assert [one["index"] for one in found] == [place for place, _ in native[:2]]
    assert [one["document"] for one in found] == [documents[place] for place, _ in native[:2]]
    many = ask("/v1/rerank", body | {"top_n": 99}).json()["results"]
    assert len(many) == len(TEXTS)
    bare = ask("/v1/rerank", body | {"documents": TEXTS}).json()["results"]
    assert [one["document"] for one in bare] == [{"text": TEXTS[place]} for place, _ in native[:2]]


def test_fields_that_are_named_are_read(ask):
    documents = [{"a": "The library opens at nine.", "b": "x"}, {"a": "x", "b": "A key.", "c": 1}]
    body = {"query": QUERY, "documents": documents, "rank_fields": ["a"]}
    assert ask("/v1/rerank", body).json()["results"][0]["index"] == 0
    found = ask("/v1/rerank", body | {"rank_fields": ["b", "none"]}).json()["results"]
    assert found[0]["relevance_score"] < 0.9


def test_spans_are_code_points_of_the_document(ask):
    body = {"query": QUERY, "documents": TEXTS, "relevant_spans": {"mode": "enabled"}}
    found = {one["index"]: one for one in ask("/v2/rerank", body).json()["results"]}
    spans = found[3]["relevant_spans"]
    words = [TEXTS[3][span["start"] : span["end"]] for span in spans]
    assert any("The library" in one for one in words)
    assert [span["score"] for span in spans] == sorted((s["score"] for s in spans), reverse=True)
    assert all(0.1 <= span["score"] <= 1 for span in spans)
    assert "relevant_spans" not in found[2]
    few = {"mode": "enabled", "max_spans": 1, "threshold": 0.5}
    one = ask("/v2/rerank", body | {"relevant_spans": few}).json()["results"][0]
    assert len(one["relevant_spans"]) == 1
    off = ask("/v2/rerank", body | {"relevant_spans": {"mode": "disabled"}}).json()
    assert "relevant_spans" not in off["results"][0]


@pytest.mark.parametrize(
    "names", [("text_1", "text_2"), ("queries", "documents"), ("data_1", "data_2")]
)
def test_scores_come_in_the_order_of_the_texts(ask, native, names):
    first, second = names
    answer = ask("/v1/score", {first: QUERY, second: TEXTS}).json()
    assert [(one["index"], one["score"]) for one in answer["data"]] == sorted(native)
    assert (answer["object"], answer["data"][0]["object"]) == ("list", "score")
    pairs = ask("/score", {first: [QUERY, "Which key?"], second: TEXTS[1::-1]}).json()["data"]
    assert pairs[0]["score"] == pytest.approx(dict(native)[1])
    assert pairs[1]["score"] > dict(native)[0]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/rerank", {"query": QUERY}),
        ("/rerank", {"query": QUERY, "documents": ["a"], "texts": ["a"]}),
        ("/rerank", {"documents": ["a"]}),
        ("/rerank", {"query": QUERY, "documents": "a"}),
        ("/rerank", {"query": QUERY, "documents": [1]}),
        ("/rerank", {"query": QUERY, "documents": [{"image": "a"}]}),
        ("/rerank", {"query": QUERY, "documents": ["a"], "top_n": 0}),
        ("/rerank", {"query": QUERY, "documents": ["a"] * 1001}),
        ("/rerank", {"query": "a" * 4097, "documents": ["a"]}),
        ("/rerank", {"query": " ", "documents": ["a"]}),
        ("/score", {"text_1": QUERY}),
        ("/score", {"text_1": QUERY, "text_2": "a", "queries": QUERY, "documents": "a"}),
        ("/score", {"text_1": ["a", "b"], "text_2": ["a", "b", "c"]}),
        ("/score", {"text_1": [str(n) for n in range(40)], "text_2": ["a"] * 40}),
        ("/score", {"text_1": "a" * 4097, "text_2": "a"}),
    ],
)
def test_what_makes_no_sense_is_400_as_each_client_reads_it(ask, path, body):
    answer = ask(path, body)
    assert answer.status_code == 400, answer.text
    told = answer.json()
    assert told["detail"] == told["message"] == told["error"]
    assert told["code"] == told["error_type"] in ("invalid", "input")


def test_more_tokens_than_may_be_encoded_are_refused_with_the_figure(ask):
    texts = [f"{place} " + "word " * 3000 for place in range(8)]
    answer = ask("/v2/rerank", {"query": QUERY, "documents": texts})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-many-tokens")
    assert "more than 20,000 tokens" in answer.json()["message"]
    texts = [f"{place} " + "word " * 1800 for place in range(8, 16)]
    pairs = {"text_1": [f"{QUERY} {place}" for place in range(8)], "text_2": texts}
    answer = ask("/score", pairs | {"text_2": ["word " * 3000, *texts[1:]]})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-many-tokens")
    assert "more than 2,500 tokens" in answer.json()["message"]
    assert ask("/score", pairs).status_code == 200


def test_a_body_of_no_named_kind_is_json(server, key):
    """As some clients send it."""
    headers = {"authorization": f"Bearer {key}"}
    content = b'{"query": "a", "documents": ["b"]}'
    assert server.client.post("/rerank", content=content, headers=headers).status_code == 200
    headers["content-type"] = "text/plain"
    assert server.client.post("/rerank", content=content, headers=headers).status_code == 415


def test_the_model_may_name_an_index(server, filled, index):
    server.make(index, {"1": "The library opens at nine."})
    body = {"query": QUERY, "documents": TEXTS}
    key = server.key(["rerank"], indexes=[filled, index])
    for name in (filled, index, "none-such", None):
        assert server.ask("POST", "/rerank", body | {"model": name}, key=key).status_code == 200
    nothing = server.key(["rerank"], indexes=["none-such"])
    answer = server.ask("POST", "/rerank", body, key=nothing)
    assert (answer.status_code, answer.json()["code"]) == (404, "index-not-found")


def test_parts_are_words_side_by_side():
    def hit(*words):
        matches = tuple(Match((0, 1), span, strength) for span, strength in words)
        return Hit("1", 1.0, 1.0, "x" * 40, {}, _find_evidence=lambda: matches)

    found = spans_of(
        hit(((4, 7), 0.5), ((0, 3), 0.9), ((20, 25), 0.95), ((9, 12), 0.05)), 0.1, None
    )
    assert [(one.start, one.end, one.score) for one in found] == [(20, 25, 0.95), (0, 7, 0.9)]
    twice = spans_of(hit(((4, 9), 0.5), ((4, 9), 0.7), ((5, 7), 0.2)), 0.1, None)
    assert [(one.start, one.end, one.score) for one in twice] == [(4, 9, 0.7)]
    assert spans_of(hit(((0, 3), 1.00001)), 0.1, 1)[0].score == 1.0
    assert spans_of(hit(), 0.1, None) == []
