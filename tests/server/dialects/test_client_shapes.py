"""What real clients of rerankers ask for beyond what their APIs document."""

from __future__ import annotations

import pytest

QUERY = "When does the library open?"
TEXTS = ["Hold the key.", "The library opens at nine.", ""]


@pytest.fixture
def ask(server, key):
    def asked(path, **body):
        answer = server.ask("POST", path, {"query": QUERY} | body, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return asked


def test_documents_come_back_as_texts_to_clients_of_infinity(ask):
    """LiteLLM asks for documents unless told not to, and refuses objects from Infinity."""
    documents = [TEXTS[0], {"text": TEXTS[1], "page": 2}]
    found = ask("/infinity/rerank", documents=documents, return_documents=True)["results"]
    assert [one["document"] for one in found] == [TEXTS[1], TEXTS[0]]
    named = [{"title": "Hours", "body": TEXTS[1]}]
    body = {"documents": named, "rank_fields": ["title", "body"], "return_documents": True}
    assert ask("/infinity/rerank", **body)["results"][0]["document"] == f"Hours\n{TEXTS[1]}"
    bare = ask("/infinity/rerank", documents=documents)["results"]
    assert all(set(one) == {"index", "relevance_score"} for one in bare)


@pytest.mark.parametrize("most", [1, 2, 99])
def test_as_many_texts_as_are_wanted_where_a_client_of_tei_says_so(ask, most):
    """TEI knows no such limit, but LiteLLM sends one, and hands on what comes."""
    every = ask("/rerank", texts=TEXTS)
    assert len(every) == len(TEXTS)
    assert ask("/rerank", texts=TEXTS, top_n=most) == every[:most]
    assert ask("/rerank", texts=TEXTS, top_n=None) == every
