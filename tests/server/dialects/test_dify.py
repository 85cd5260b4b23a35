"""Dify's external knowledge: questions, its conditions on metadata, and its set-up check."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.filters import matches, parse_where
from lfm2_colbert_rag.server.dialects.dify_bodies import Condition, MetadataCondition
from lfm2_colbert_rag.server.dialects.dify_filters import where_of
from lfm2_colbert_rag.server.problems import Problem

PATH = "/dify/retrieval"


def ask(server, key, body=None, **more):
    return server.ask("POST", PATH, body, key=key, **more)


def body(filled, **more):
    return {
        "knowledge_id": filled,
        "query": "When does the library open?",
        "retrieval_setting": {"top_k": 2, "score_threshold": 0.0},
    } | more


def test_records_have_all_that_dify_reads(server, filled, key):
    records = ask(server, key, body(filled)).json()["records"]
    assert records[0]["content"] == "The library opens at nine."
    assert len(records) == 2
    first = records[0]
    assert (first["title"], first["metadata"]["passage_id"]) == ("Hours", "hours")
    assert first["metadata"]["year"] == 2024
    assert 0 <= first["score"] <= 1
    everything = {"top_k": 9, "score_threshold": 0}
    titles = {
        one["title"]
        for one in ask(server, key, body(filled, retrieval_setting=everything)).json()["records"]
    }
    assert titles == {"Hours", "faq.md", "reset"}
    strict = {"top_k": 9, "score_threshold": 1.0}
    assert ask(server, key, body(filled, retrieval_setting=strict)).json() == {"records": []}


def test_conditions_choose_records(server, filled, key):
    condition = {"name": ["lang"], "comparison_operator": "is", "value": "de"}
    asked = body(filled, metadata_condition={"conditions": [condition]})
    (record,) = ask(server, key, asked).json()["records"]
    assert record["metadata"]["passage_id"] == "öffnung"
    for nothing in (None, {"conditions": None}, {"conditions": [], "logical_operator": "or"}):
        assert (
            len(ask(server, key, body(filled, metadata_condition=nothing)).json()["records"]) == 2
        )


def test_the_check_at_set_up_tells_a_right_key_from_a_wrong_one(server, key):
    """It posts nothing, and takes 403, 404 and 502 alone for failures."""
    wrong = ask(server, key[:-3] + "abc")
    assert wrong.status_code == 403
    assert wrong.json()["error_code"] == 1001
    assert "key" in wrong.json()["error_msg"]
    assert ask(server, key).status_code == 400
    assert ask(server, server.key(["read"])).status_code == 403


def test_what_is_wrong_is_told_in_its_words(server, filled, key):
    unknown = ask(server, key, body("none-such"))
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, 2001)
    condition = {"name": "a", "comparison_operator": "end with", "value": "x"}
    refused = ask(server, key, body(filled, metadata_condition={"conditions": [condition]}))
    assert (refused.status_code, refused.json()["error_code"]) == (400, 2001)


NAMES = st.sampled_from(["a", "b"])
VALUES = st.one_of(st.sampled_from(["", "x", "xy", "y", "2024", "2024-05-01"]), st.integers(-2, 3))
METADATA = st.dictionaries(NAMES, st.none() | VALUES, max_size=2)


def number(value):
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def same_kind(one, other):
    return isinstance(one, str) == isinstance(other, str) and one is not None


MEANING = {
    "contains": lambda v, w: isinstance(v, str) and w in v,
    "start with": lambda v, w: isinstance(v, str) and v.startswith(w),
    "is": lambda v, w: v == w,
    "=": lambda v, w: v == number(w),
    ">": lambda v, w: same_kind(v, number(w)) and v > number(w),
    "<": lambda v, w: same_kind(v, number(w)) and v < number(w),
    "≥": lambda v, w: same_kind(v, number(w)) and v >= number(w),
    "≤": lambda v, w: same_kind(v, number(w)) and v <= number(w),
    "before": lambda v, w: same_kind(v, number(w)) and v < number(w),
    "after": lambda v, w: same_kind(v, number(w)) and v > number(w),
    "empty": lambda v, w: v is None or v == "",
}
OPPOSITES = {"not contains": "contains", "is not": "is", "≠": "=", "not empty": "empty"}


@given(METADATA, NAMES, st.sampled_from([*MEANING, *OPPOSITES]), VALUES)
def test_each_operator_means_what_it_says(metadata, name, operator, value):
    condition = MetadataCondition([Condition(name, operator.upper(), value)])
    needs_text = operator in ("contains", "not contains", "start with")
    if needs_text and (not isinstance(value, str) or not value):
        with pytest.raises(Problem):
            where_of(condition)
        return
    known = MEANING[OPPOSITES.get(operator, operator)]
    expected = known(metadata.get(name), value) != (operator in OPPOSITES)
    assert matches(parse_where(where_of(condition)), metadata) == expected


@given(METADATA, st.lists(VALUES, max_size=3), st.booleans())
def test_lists_and_several_names(metadata, values, negated):
    operator = "not in" if negated else "in"
    where = where_of(MetadataCondition([Condition(["a", "b"], operator, values)]))
    each = [(metadata.get(name) in values) != negated for name in ("a", "b")]
    assert matches(parse_where(where), metadata) == any(each)


@given(METADATA, st.sampled_from(["and", "or"]))
def test_conditions_are_joined(metadata, joint):
    conditions = [Condition("a", "is", "x"), Condition("b", "in", "x, y")]
    where = where_of(MetadataCondition(conditions, joint))
    each = [metadata.get("a") == "x", metadata.get("b") in ("x", "y")]
    assert matches(parse_where(where), metadata) == (all(each) if joint == "and" else any(each))
