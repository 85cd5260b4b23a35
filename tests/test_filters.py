"""Metadata filters: what they mean, what they refuse, and that SQL means the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.errors import FilterError, InputError
from lfm2_colbert_rag.filters import matches, parse_where
from lfm2_colbert_rag.storage.catalog import FILE_NAME, Catalog
from lfm2_colbert_rag.storage.commits import Commit, StoredPassage
from lfm2_colbert_rag.types import Passage

from .inside import SETTINGS

ROUTER = {
    "product": "router",
    "year": 2024,
    "price": 59.5,
    "sold": True,
    "note": None,
    "tags": ["wifi", "home", 7],
    "maker": {"country": "it", "staff": {"count": 12}},
    "dotted.name": "x",
}


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"product": "router"},
        {"product": {"$eq": "router"}, "year": 2024},
        {"year": {"$gte": 2024, "$lt": 2025.5}},
        {"year": 2024.0},
        {"price": {"$gt": 59}},
        {"product": {"$gt": "apple"}},
        {"product": {"$ne": "modem"}},
        {"absent": {"$ne": "anything"}},
        {"absent": {"$nin": ["anything"]}},
        {"product": {"$in": ["modem", "router"]}},
        {"product": {"$nin": ["modem"]}},
        {"sold": True},
        {"note": None},
        {"note": {"$exists": True}},
        {"absent": {"$exists": False}},
        {"tags": "wifi"},
        {"tags": {"$in": [7]}},
        {"tags": {"$gt": 6}},
        {"maker.country": "it"},
        {"maker": {"country": "it"}},
        {"maker": {"staff": {"count": {"$lte": 12}}}},
        {"maker.staff.count": {"$not": {"$gt": 12}}},
        {"dotted\\.name": "x"},
        {"$or": [{"year": 1999}, {"product": "router"}]},
        {"$and": [{"year": 2024}, {"sold": True}]},
        {"$not": {"product": "modem"}},
        {"$not": {"absent": {"$gt": 3}}},
        {"product": {"$contains": "out"}},
        {"product": {"$contains": ""}},
        {"product": {"$icontains": "OUTER"}},
        {"tags": {"$contains": "if"}},
        {"maker": {"country": {"$icontains": "IT"}}},
        {"$id": "r1"},
        {"$id": {"$in": ["r1", "r2"]}},
        {"$id": {"$contains": "1"}},
        {"$id": {"$exists": True}},
        {"$not": {"$id": {"$in": ["r2", 1, None]}}},
        {"$or": [{"$id": "other"}, {"year": 2024}]},
    ],
)
def test_matches(where):
    assert matches(parse_where(where), ROUTER, "r1")


@pytest.mark.parametrize(
    "where",
    [
        {"product": "modem"},
        {"year": "2024"},
        {"year": True},
        {"sold": 1},
        {"absent": None},
        {"absent": {"$lt": 3}},
        {"note": {"$exists": False}},
        {"product": {"$in": []}},
        {"tags": {"$ne": "wifi"}},
        {"maker": {"country": "de"}},
        {"maker.country.code": "it"},
        {"dotted.name": "x"},
        {"product": {"$gt": 3}},
        {"$not": {}},
        {"product": {"$contains": "OUT"}},
        {"year": {"$contains": "20"}},
        {"note": {"$contains": ""}},
        {"absent": {"$contains": ""}},
        {"$id": "r2"},
        {"$id": {"$exists": False}},
        {"$id": {"$gt": 1}},
        {"maker": {"$not": {"$icontains": "x"}}, "$id": "r2"},
    ],
)
def test_does_not_match(where):
    assert not matches(parse_where(where), ROUTER, "r1")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("router", "must be a mapping"),
        ({"year": {"$near": 3}}, r"unknown operator '\$near'"),
        ({"$xor": [{"a": 1}]}, r"'\$xor' is no operator here"),
        ({"$eq": 3}, "no operator here"),
        ({"a": {}}, "is empty"),
        ({"a": {"$gt": 1, "b": 2}}, "mixes operators"),
        ({"a": [1, 2]}, r"use \$in"),
        ({"a": {"$in": "abc"}}, "takes a list"),
        ({"a": {"$in": [[1]]}}, "single value"),
        ({"a": {"$exists": 1}}, "True or False"),
        ({"a": {"$gt": True}}, "a number or a string"),
        ({"a": {"$gt": None}}, "a number or a string"),
        ({"a": float("nan")}, "finite"),
        ({"a": 2**63}, "64 bits"),
        ({"a": object()}, "not object"),
        ({"a": "\ud800"}, "lone surrogate"),
        ({"a": "x\0"}, "NUL"),
        ({'a"b': 1}, "cannot reach"),
        ({3: 1}, "field names are strings"),
        ({"$and": []}, "non-empty list"),
        ({"$or": {"a": 1}}, "non-empty list"),
        ({"a": {"$not": 3}}, "takes operators"),
        ({"$not": 3}, "must be a mapping"),
        ({"a": {"$contains": 3}}, r"\$contains takes a string, not 3; for others use \$eq"),
        ({"a": {"$icontains": ["x"]}}, "single value"),
        ({"a": {"$id": "x"}}, r"unknown operator '\$id'"),
        ({"a": {"b": {"$id": {"$eq": "x"}}}}, r"unknown operator '\$id'"),
        ({"$id": {"a": 1}}, "takes no nested names"),
        ({"$id": {}}, "is empty"),
    ],
)
def test_malformed_filters_say_what_is_wrong(where, message):
    with pytest.raises(FilterError, match=message) as caught:
        parse_where(where)
    assert isinstance(caught.value, InputError)
    assert isinstance(caught.value, ValueError)


names = st.sampled_from(["a", "b", "c d", "é", "x.y", ""])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.sampled_from([0.0, 1.0, -1.5, 2.5, 1e300]),
    st.sampled_from(["", "a", "b", "1", "1.0", "true", "ü", "𝔞", "\uffff", "Straße"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
objects = st.dictionaries(names, values, max_size=4)
ordered = scalars.filter(lambda v: v is not None and not isinstance(v, bool))
conditions = st.one_of(
    scalars,
    st.builds(lambda v: {"$eq": v}, scalars),
    st.builds(lambda v: {"$ne": v}, scalars),
    st.builds(lambda o, v: {o: v}, st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), ordered),
    st.builds(lambda o, v: {o: v}, st.sampled_from(["$in", "$nin"]), st.lists(scalars, max_size=4)),
    st.builds(lambda v: {"$exists": v}, st.booleans()),
    st.builds(
        lambda o, v: {o: v},
        st.sampled_from(["$contains", "$icontains"]),
        st.sampled_from(["", "a", "A", "1", "Ü", "ss", "ß"]),
    ),
)
fields = st.one_of(names.map(lambda n: n.replace(".", "\\.")), st.just("a.b"), st.just("b.a"))
ids = st.builds(lambda c: {"$id": c}, st.sampled_from(["0", "1", {"$in": ["1", "2"]}]) | conditions)
filters = st.recursive(
    st.dictionaries(fields, conditions, max_size=2) | ids,
    lambda inner: st.one_of(
        st.builds(lambda f: {"$not": f}, inner),
        st.builds(lambda fs: {"$and": fs}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda fs: {"$or": fs}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=4,
)


@settings(max_examples=max(20, settings.default.max_examples * 7 // 10), deadline=None)
@given(st.lists(objects, min_size=1, max_size=6), st.lists(filters, min_size=1, max_size=8))
def test_sql_means_the_same_as_the_definition(metadata, wheres):
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog.create(Path(folder) / FILE_NAME, SETTINGS, durable=False)
        stored = [
            StoredPassage(i, Passage(str(i), "t", one), 1, 1) for i, one in enumerate(metadata)
        ]
        catalog.commit(Commit(1, stored))
        for where in wheres:
            node = parse_where(where)
            expected = [i for i, one in enumerate(metadata) if matches(node, one, str(i))]
            assert catalog.select(node, 1).tolist() == expected, where
        catalog.close()


def test_a_long_list_of_operands_is_no_problem(tmp_path):
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    stored = [StoredPassage(i, Passage(str(i), "t", {"n": i}), 1, 1) for i in range(10)]
    catalog.commit(Commit(1, stored))
    node = parse_where({"n": {"$in": [*range(3, 50_000), "x", None, True]}})
    assert catalog.select(node, 1).tolist() == list(range(3, 10))
    catalog.close()
