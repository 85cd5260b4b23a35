"""Indexes as OpenAI's vector stores and models."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.filters import matches, parse_where
from lfm2_colbert_rag.server.dialects.openai_filters import where_of
from lfm2_colbert_rag.server.dialects.shaping import flat_metadata
from lfm2_colbert_rag.server.problems import Problem
from lfm2_colbert_rag.types import Hit


def search(server, filled, key, **body):
    asked = {"query": "When does the library open?"} | body
    return server.ask("POST", f"/v1/vector_stores/{filled}/search", asked, key=key)


def test_a_page_of_what_was_found(server, filled, key):
    page = search(server, filled, key, rewrite_query=True).json()
    assert page["object"] == "vector_store.search_results.page"
    assert page["search_query"] == ["When does the library open?"]
    assert (page["has_more"], page["next_page"]) == (False, None)
    files = {one["file_id"]: one for one in page["data"]}
    assert page["data"][0]["file_id"] == "hours"
    assert files["hours"]["filename"] == "Hours"
    assert files["hours"]["content"] == [{"type": "text", "text": "The library opens at nine."}]
    assert files["reset"]["attributes"] == {"maker.country": "ie"}
    assert all(0 <= one["score"] <= 1 for one in page["data"])


def test_results_are_as_many_and_as_relevant_as_is_wanted(server, filled, key):
    assert len(search(server, filled, key, max_num_results=2).json()["data"]) == 2
    strict = {"score_threshold": 1.0, "ranker": "auto"}
    assert search(server, filled, key, ranking_options=strict).json()["data"] == []
    for odd in (0, 51, "2"):
        assert search(server, filled, key, max_num_results=odd).status_code == 400


def test_several_questions_give_the_best_of_each(server, filled, key):
    page = search(server, filled, key, query=["library", "reset key"], max_num_results=3).json()
    assert len({one["file_id"] for one in page["data"]}) == 3
    scores = [one["score"] for one in page["data"]]
    assert scores == sorted(scores, reverse=True)


def test_filters(server, filled, key):
    both = {
        "type": "and",
        "filters": [
            {"type": "gte", "key": "year", "value": 2020},
            {"type": "ne", "key": "lang", "value": "en"},
        ],
    }
    page = search(server, filled, key, filters=both).json()
    assert [one["file_id"] for one in page["data"]] == ["öffnung"]
    nested = {"type": "eq", "key": "maker.country", "value": "ie"}
    page = search(server, filled, key, filters=nested).json()
    assert [one["file_id"] for one in page["data"]] == ["reset"]


@pytest.mark.parametrize(
    "filters",
    [
        {"type": "near", "key": "a", "value": 1},
        {"type": "eq", "value": 1},
        {"type": "eq", "key": "a"},
        {"type": "eq", "key": "a", "value": [1]},
        {"type": "in", "key": "a", "value": 1},
        {"type": "and"},
        {"type": "or", "filters": []},
        {"type": "and", "filters": ["a"]},
        {"type": "gt", "key": "$or", "value": 1},
    ],
)
def test_a_filter_that_is_none_is_refused_as_its_clients_read_it(server, filled, key, filters):
    answer = search(server, filled, key, filters=filters)
    assert answer.status_code == 400
    body = answer.json()
    assert body["error"]["message"] == body["message"]
    assert body["error"]["code"] == body["code"] in ("invalid", "filter")


def test_too_deep_a_filter_is_refused():
    filters = {"type": "eq", "key": "a", "value": 1}
    for _ in range(40):
        filters = {"type": "and", "filters": [filters]}
    with pytest.raises(Problem):
        where_of(filters)


SCALARS = st.sampled_from(["x", "y", 1, 2, 2.5])
COMPARED = st.builds(
    lambda kind, key, value: {"type": kind, "key": key, "value": value},
    *(st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]), st.sampled_from("ab"), SCALARS),
)
LISTED = st.builds(
    lambda kind, key, value: {"type": kind, "key": key, "value": value},
    *(st.sampled_from(["in", "nin"]), st.sampled_from("ab"), st.lists(SCALARS, max_size=3)),
)
FILTERS = st.recursive(
    COMPARED | LISTED,
    lambda inner: st.builds(
        lambda kind, parts: {"type": kind, "filters": parts},
        *(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=5,
)


def means(given, metadata):
    kind = given["type"]
    if kind in ("and", "or"):
        return (all if kind == "and" else any)(means(one, metadata) for one in given["filters"])
    found, value = metadata.get(given["key"]), given["value"]
    if kind in ("in", "nin"):
        return (found in value) == (kind == "in")
    if kind in ("eq", "ne"):
        return (found == value) == (kind == "eq")
    if found is None or isinstance(found, str) != isinstance(value, str):
        return False
    return {
        "gt": found > value,
        "gte": found >= value,
        "lt": found < value,
        "lte": found <= value,
    }[kind]


@given(FILTERS, st.dictionaries(st.sampled_from("ab"), SCALARS))
def test_filters_mean_what_openai_says(given_filter, metadata):
    assert matches(parse_where(where_of(given_filter)), metadata) == means(given_filter, metadata)


def test_stores_and_models_are_the_indexes_of_the_key(server, filled, key):
    stores = server.ask("GET", "/v1/vector_stores", key=key).json()
    assert [one["id"] for one in stores["data"]] == [filled]
    assert (stores["object"], stores["first_id"], stores["has_more"]) == ("list", filled, False)
    one = server.ask("GET", f"/v1/vector_stores/{filled}", key=key).json()
    assert one["file_counts"]["total"] == 3
    models = server.ask("GET", "/v1/models", key=key).json()
    assert [model["id"] for model in models["data"]] == [filled]
    assert server.ask("GET", f"/v1/models/{filled}", key=key).json()["object"] == "model"
    unknown = server.ask("GET", "/v1/models/none-such", key=key)
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "index-not-found")
    none = server.key(["search"], indexes=["none-such"])
    assert server.ask("GET", "/v1/vector_stores", key=none).json()["data"] == []
    assert server.ask("GET", f"/v1/models/{filled}", key=none).status_code == 404


def test_attributes_are_flat():
    deep = {"a": {"b": {"c": 1}}, "list": [1], "none": None, "ok": True, "_file": {"name": "x"}}
    assert flat_metadata(Hit("1", 1.0, 1.0, "", deep)) == {"a.b.c": 1, "ok": True}
