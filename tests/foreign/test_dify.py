"""External knowledge of Dify: what it does when it is set up, and when a chat asks."""

from __future__ import annotations

import pytest

from ..server.running import waiting
from .cases import QUERY, TEXTS, Case
from .dify import SetUpError, check, retrieve
from .door import door

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def endpoint(asked):
    return f"{asked.server.url}/dify"


def answered(*asked, **more):
    """Ask until the server does not say that it takes longer than Dify would wait."""
    for _ in waiting():
        try:
            return retrieve(*asked, **more)
        except RuntimeError as error:
            if "busy" not in str(error):
                raise
    raise AssertionError("it was busy all the time")


def test_it_is_set_up_with_the_right_address_and_key_alone(asked, endpoint):
    check(endpoint, asked.key)
    for key in (asked.stranger, "anything", asked.server.key(["write"])):
        with pytest.raises(SetUpError, match="key"):
            check(endpoint, key)
    with pytest.raises(SetUpError, match="place"):
        check(asked.server.url, asked.key)


def test_a_chat_gets_what_our_own_api_finds(asked, endpoint):
    found = answered(endpoint, asked.key, "docs", QUERY, 3)
    ids = [one["metadata"].pop("passage_id") for one in found]
    scores = [one["score"] for one in found]
    assert list(zip(ids, scores, strict=True)) == asked.natively(Case("", "", "search", ""), 3)
    assert [one["content"] for one in found] == [TEXTS[one["metadata"]["place"]] for one in found]
    assert all(one["title"] for one in found)
    most = answered(endpoint, asked.key, "docs", QUERY, 9, threshold=scores[1])
    assert [one["score"] for one in most] == scores[:2]


@pytest.mark.parametrize(
    ("operator", "conditions", "places"),
    [
        ("and", [("lang", "is", "de")], {4}),
        ("and", [("place", "≥", "3"), ("lang", "empty", None)], {3, 6}),
        ("or", [("place", "<", 1), (["lang", "other"], "start with", "d")], {0, 4}),
        ("and", [("place", "in", [2, 3]), ("lang", "not contains", "de")], {2, 3}),
    ],
)
def test_conditions_on_metadata_are_kept(asked, endpoint, operator, conditions, places):
    names = ("name", "comparison_operator", "value")
    condition = {
        "logical_operator": operator,
        "conditions": [dict(zip(names, one, strict=True)) for one in conditions],
    }
    found = answered(endpoint, asked.key, "docs", QUERY, 10, condition=condition)
    assert {one["metadata"]["place"] for one in found} == places


def test_what_goes_wrong_is_told_in_its_own_codes(asked, endpoint):
    for key, knowledge, code in (
        (asked.stranger, "docs", 1001),
        (asked.key, "none-such", 2001),
    ):
        with pytest.raises(RuntimeError, match=f'"error_code":{code}'):
            retrieve(endpoint, key, knowledge, QUERY, 1)


def test_a_server_that_starts_again_is_survived(asked, endpoint):
    before = answered(endpoint, asked.key, "docs", QUERY, 3)
    asked.start_again()
    assert answered(endpoint, asked.key, "docs", QUERY, 3) == before


def test_a_gateway_without_a_server_behind_it_fails_the_set_up(asked):
    with door("http://127.0.0.1:9") as opened, pytest.raises(SetUpError, match="reached"):
        check(f"{opened.url}/dify", asked.key)
