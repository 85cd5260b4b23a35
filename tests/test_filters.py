"""Metadata filters: what they mean, what they refuse, and that SQL means the same."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import itertools
import random
import tempfile
import uuid
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag import plain_metadata
from lfm2_colbert_rag.errors import FilterError, InputError
from lfm2_colbert_rag.filters import (
    MAX_CHARACTERS,
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_OPERANDS,
    And,
    Not,
    matches,
    parse_field,
    parse_where,
    settled,
)
from lfm2_colbert_rag.storage import matching
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
    "authors": [
        {"name": "Ada", "born": 1815},
        [{"name": ["Grace", "Hopper"], "born": 1906, "papers": [{"year": 1952}]}],
        "anonymous",
    ],
    "grid": [[1, 2], [[3], 4]],
    "empty": [],
    "stra\u00dfe": "Zu\u0308rich",
    "cafe\u0301": "Z\u00fcrich",
    "city": "Zu\u0308rich",
    "road": "Hauptstraße 5",
    "town": "\u0130stanbul",
    "greek": "οδος",
}


MATCHING = [
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
    {"authors.name": "Ada"},
    {"authors": {"name": {"$in": ["Grace"]}}},
    {"authors.name": {"$contains": "rac"}},
    {"authors.papers.year": {"$gt": 1950}},
    {"authors": {"name": "Ada", "born": 1906}},
    {"authors.born": {"$exists": True}},
    {"authors.died": {"$exists": False}},
    {"authors.name": {"$ne": "Alan"}},
    {"authors.name": {"$nin": ["Alan", "Kurt"]}},
    {"authors.name": {"$not": {"$in": ["Alan"]}}},
    {"grid": 4},
    {"grid": {"$gt": 3}},
    {"empty": {"$exists": True}},
    {"empty": {"$ne": 1}},
    {"stra\u00dfe": "Z\u00fcrich"},
    {"cafe\u0301": "Zu\u0308rich"},
    {"caf\u00e9": "Z\u00fcrich"},
    {"city": {"$eq": "Zu\u0308rich"}},
    {"city": "Z\u00fcrich"},
    {"city": {"$in": ["Bern", "Z\u00fcrich"]}},
    {"city": {"$contains": "\u00fcri"}},
    {"city": {"$icontains": "Z\u00dcRI"}},
    {"road": {"$icontains": "STRASSE"}},
    {"road": {"$icontains": "straße"}},
    {"town": {"$icontains": "istanbul"}},
    {"town": {"$icontains": "ISTANBUL"}},
    {"town": {"$icontains": "\u0130STANBUL"}},
    {"town": {"$icontains": "\u0131stanbul"}},
    {"greek": {"$icontains": "ΟΔΟΣ"}},
    {"$id": "r1"},
    {"$id": {"$in": ["r1", "r2"]}},
    {"$id": {"$contains": "1"}},
    {"$id": {"$exists": True}},
    {"$not": {"$id": {"$in": ["r2", 1, None]}}},
    {"$or": [{"$id": "other"}, {"year": 2024}]},
]
OTHERS = [
    {"product": "modem"},
    {"year": "2024"},
    {"year": True},
    {"sold": 1},
    {"absent": None},
    {"absent": {"$lt": 3}},
    {"note": {"$exists": False}},
    {"product": {"$in": []}},
    {"tags": {"$ne": "wifi"}},
    {"authors.name": "Alan"},
    {"authors.name": {"$ne": "Ada"}},
    {"authors.name": {"$nin": ["Alan", "Hopper"]}},
    {"authors.name": {"$not": {"$eq": "Grace"}}},
    {"authors.born": {"$exists": False}},
    {"authors": "Ada"},
    {"grid": 5},
    {"empty": None},
    {"empty.name": {"$exists": True}},
    {"road": {"$contains": "STRASSE"}},
    {"city": {"$ne": "Z\u00fcrich"}},
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
]


@pytest.mark.parametrize("where", MATCHING)
def test_matches(where):
    assert matches(parse_where(where), ROUTER, "r1")


@pytest.mark.parametrize("where", OTHERS)
def test_does_not_match(where):
    assert not matches(parse_where(where), ROUTER, "r1")


@pytest.mark.parametrize("indexed", [False, True], ids=["plain", "indexed"])
def test_a_catalog_answers_the_same(tmp_path, indexed):
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    catalog.commit(Commit(1, [StoredPassage(1, Passage("r1", "t", ROUTER), 1, 1)]))
    if indexed:
        for name in (*ROUTER, "authors.name", "authors.born", "authors.papers.year"):
            field = name if name.startswith("authors.") else name.replace(".", r"\.")
            catalog.create_filter_index(parse_field(field))
    for where in (*MATCHING, *OTHERS):
        node = parse_where(where)
        assert (catalog.select(node, 1).tolist() == [1]) == matches(node, ROUTER, "r1"), where
    catalog.close()


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
        ({"a": {"$in": {"b": 1}}}, "takes a list"),
        ({"a": {"$in": 5}}, "takes a list"),
        ({"a": {"$in": np.array(5)}}, "takes a list"),
        ({"a": {"$in": np.eye(2)}}, "takes a list"),
        ({"a": {"$in": itertools.repeat(1)}}, "1,000,000 values"),
        ({"$and": itertools.repeat({})}, "30,001 mappings"),
        ({"$or": iter(())}, "non-empty list"),
        ({"a": {1, 2}}, r"single value.*use \$in"),
        ({"a": np.array([1, 2])}, r"single value.*use \$in"),
        ({"a": {"$gt": np.datetime64("NaT")}}, "for null write None"),
        ({"a": datetime.timedelta(1)}, "not timedelta"),
        ({"a": b"x"}, "not bytes"),
        ({"a": {"$gt": decimal.Decimal("NaN")}}, "for null write None"),
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


class Language(enum.Enum):
    ENGLISH = "en"
    SPANISH = "es"


class Level(enum.IntEnum):
    HIGH = 3


NOON = datetime.datetime(2024, 1, 5, 12, tzinfo=datetime.UTC)
NUMBER = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"v": {"$in": {"a"}}}, {"v": {"$in": ["a"]}}),
        ({"v": {"$in": ("a", "b")}}, {"v": {"$in": ["a", "b"]}}),
        ({"v": {"$in": (word for word in "ab")}}, {"v": {"$in": ["a", "b"]}}),
        ({"v": {"$in": np.array(["a", "b"])}}, {"v": {"$in": ["a", "b"]}}),
        ({"v": {"$nin": np.arange(3)}}, {"v": {"$nin": [0, 1, 2]}}),
        ({"v": {"$in": np.array([True, False])}}, {"v": {"$in": [True, False]}}),
        ({"v": {"$in": {"a": 1, "b": 2}.keys()}}, {"v": {"$in": ["a", "b"]}}),
        ({"v": {"$in": {"a": 1, "b": 2.5}.values()}}, {"v": {"$in": [1, 2.5]}}),
        ({"v": {"$in": range(3)}}, {"v": {"$in": [0, 1, 2]}}),
        ({"v": {"$in": collections.deque("ab")}}, {"v": {"$in": ["a", "b"]}}),
        ({"v": {"$in": map(str, (1, 2))}}, {"v": {"$in": ["1", "2"]}}),
        ({"v": {"$in": list(Language)}}, {"v": {"$in": ["en", "es"]}}),
        ({"$id": {"$in": iter(["a"])}}, {"$id": {"$in": ["a"]}}),
        ({"$or": ({"v": n} for n in (1, 2))}, {"$or": [{"v": 1}, {"v": 2}]}),
        ({"v": np.int64(3)}, {"v": 3}),
        ({"v": {"$gte": np.float32(0.5)}}, {"v": {"$gte": 0.5}}),
        ({"v": np.True_}, {"v": True}),
        ({"v": {"$exists": np.False_}}, {"v": {"$exists": False}}),
        ({"v": np.str_("a")}, {"v": "a"}),
        ({"v": np.array(7)}, {"v": 7}),
        ({"v": {"$gte": datetime.date(2024, 1, 5)}}, {"v": {"$gte": "2024-01-05"}}),
        ({"v": {"$lt": NOON}}, {"v": {"$lt": NOON.isoformat()}}),
        ({"v": np.datetime64("2024-01-05")}, {"v": "2024-01-05"}),
        ({"v": Language.ENGLISH}, {"v": "en"}),
        ({"v": {"$gt": Level.HIGH}}, {"v": {"$gt": 3}}),
        ({"v": NUMBER}, {"v": str(NUMBER)}),
        ({"v": decimal.Decimal("1.50")}, {"v": "1.50"}),
        ({"v": PurePosixPath("a/b")}, {"v": "a/b"}),
        ({"v": {"$contains": PurePosixPath("a/b")}}, {"v": {"$contains": "a/b"}}),
    ],
)
def test_values_of_programs_mean_what_they_are_stored_as(given, plain):
    node = parse_where(given)
    assert node == parse_where(plain)
    assert repr(node) == repr(parse_where(plain))  # to the types of its values
    if "v" in given and not isinstance(given["v"], dict):
        assert matches(node, plain_metadata(given))


names = st.sampled_from(["a", "b", "c d", "é", "e\u0301", "x.y", ""])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.sampled_from([0.0, 1.0, -1.5, 2.5, 1e300]),
    st.sampled_from(
        ["", "a", "b", "1", "1.0", "true", "ü", "𝔞", "\uffff", "Straße", "u\u0308", "İ"]
    ),
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
        st.sampled_from(["", "a", "A", "1", "Ü", "ss", "ß", "i", "u\u0308"]),
    ),
)
fields = st.one_of(
    names.map(lambda n: n.replace(".", "\\.")), st.sampled_from(["a.b", "b.a", "a.b.a", "é.a"])
)
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


def stored_catalog(folder: Path, metadata: list[dict[str, object]]) -> Catalog:
    catalog = Catalog.create(folder / FILE_NAME, SETTINGS, durable=False)
    stored = [StoredPassage(i, Passage(str(i), "t", one), 1, 1) for i, one in enumerate(metadata)]
    catalog.commit(Commit(1, stored))
    return catalog


@settings(max_examples=max(20, settings.default.max_examples * 7 // 10), deadline=None)
@given(st.lists(objects, min_size=1, max_size=6), st.lists(filters, min_size=1, max_size=8))
def test_sql_means_the_same_as_the_definition(metadata, wheres):
    with tempfile.TemporaryDirectory() as folder:
        catalog = stored_catalog(Path(folder), metadata)
        for where in wheres:
            node = parse_where(where)
            expected = [i for i, one in enumerate(metadata) if matches(node, one, str(i))]
            assert catalog.select(node, 1).tolist() == expected, where
        catalog.close()


@settings(max_examples=max(10, settings.default.max_examples * 3 // 10), deadline=None)
@given(
    metadata=st.lists(objects, min_size=1, max_size=6),
    wheres=st.lists(filters, min_size=1, max_size=8),
    indexed=st.lists(fields, max_size=3),
    comparisons=st.integers(1, 4),
    depth=st.integers(1, 3),
)
def test_a_filter_answered_in_parts_means_the_same(metadata, wheres, indexed, comparisons, depth):
    """However little one statement may be asked."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "_COMPARISONS", comparisons)
        patch.setattr(matching, "_DEPTH", depth)
        catalog = stored_catalog(Path(folder), metadata)
        for name in indexed:
            catalog.create_filter_index(parse_field(name))
        for where in wheres:
            node = parse_where(where)
            expected = [i for i, one in enumerate(metadata) if matches(node, one, str(i))]
            assert catalog.select(node, 1).tolist() == expected, where
        catalog.close()


def large_filter(source: random.Random, width: int, depth: int) -> dict[str, object]:
    """Return a filter with about so many conditions side by side, and so many levels."""
    pick = source.choice
    field = pick(["a", "b", "c.d"])
    if not depth:
        operand = pick([1, 2, 2.5, "x", "y", None, True])
        ordered = pick([1, 2, "x"])
        return {
            field: pick(
                [
                    *(operand, {"$ne": operand}, {"$in": [operand, 1]}),
                    *({"$gt": ordered}, {"$lte": ordered}, {"$exists": pick([True, False])}),
                ]
            )
        }
    if pick([True, False, False]):
        return {"$not": large_filter(source, width, depth - 1)}
    parts = [large_filter(source, 1, 0) for _ in range(width)]
    parts.append(large_filter(source, max(1, width // 4), depth - 1))
    source.shuffle(parts)
    return {pick(["$and", "$or"]): parts}


@pytest.mark.parametrize("indexed", [(), ("a", "c.d")], ids=["plain", "indexed"])
@pytest.mark.parametrize(("width", "depth"), [(2500, 2), (992, 3), (300, 6), (2, 27), (1, 30)])
def test_large_filters_mean_the_same(tmp_path, width, depth, indexed):
    values = [1, 2, 3, "x", "y", "z", None, True, [1, "x"], [], {}]
    source = random.Random(f"{width} {depth}")
    metadata = [
        {key: source.choice(values) for key in "ab" if source.random() < 0.8}
        | ({"c": {"d": source.choice(values)}} if source.random() < 0.8 else {})
        for _ in range(40)
    ]
    catalog = stored_catalog(tmp_path, metadata)
    for name in indexed:
        catalog.create_filter_index(parse_field(name))
    for _ in range(3):
        node = parse_where(large_filter(source, width, depth))
        expected = [i for i, one in enumerate(metadata) if matches(node, one, str(i))]
        assert catalog.select(node, 1).tolist() == expected
        assert hash(node) == hash(node)
    catalog.close()


@pytest.mark.parametrize(
    "where",
    [
        {"$or": [{"n": i} for i in range(MAX_CONDITIONS)]},
        {"$and": [{"n": {"$ne": i + 40}} for i in range(MAX_CONDITIONS)]},
        {"$or": [{"n": {"$gt": -i, "$lt": i % 9}} for i in range(MAX_CONDITIONS // 2)]},
        {f"field {i}": {"$exists": False} for i in range(MAX_CONDITIONS)},
        {"$or": [{}] * MAX_CONDITIONS},
        {"n": {"$in": range(MAX_OPERANDS)}},
    ],
    ids=["or", "and", "ranges", "fields", "empty", "list"],
)
def test_a_filter_of_the_largest_size_is_answered(tmp_path, where):
    metadata = [{"n": i} for i in range(10)]
    catalog = stored_catalog(tmp_path, metadata)
    node = parse_where(where)
    expected = [i for i, one in enumerate(metadata) if matches(node, one)]
    assert catalog.select(node, 1).tolist() == expected
    catalog.close()


def test_a_settled_filter_can_be_read_again_and_again():
    parts = ({"w": iter(())}, {"x": {"$nin": map(str, (1,))}})
    where = {"v": {"$in": iter("ab")}, "$or": iter(parts)}
    again = settled(where)
    plain = {"v": {"$in": ["a", "b"]}, "$or": [{"w": []}, {"x": {"$nin": ["1"]}}]}
    assert again == plain
    assert settled(plain) == plain
    for wide in (nested(40, lambda f: {"$and": [f, f]}, {"a": 1}), endless("$or"), None, "x"):
        with pytest.raises(FilterError):
            parse_where(settled(wide))
    with pytest.raises(FilterError, match="1,000,000 values"):
        parse_where(settled({"a": {"$in": itertools.repeat(1)}}))
    assert parse_where(settled({"a": {"$in": ["b"]}})) == parse_where({"a": {"$in": ["b"]}})


def nested(levels: int, wrap, inner: object) -> object:
    for _ in range(levels):
        inner = wrap(inner)
    return inner


def endless(operator: str) -> dict[str, object]:
    """Return a filter that holds itself."""
    where: dict[str, object] = {}
    where[operator] = where if operator == "$not" else [where]
    return where


DEEP = 100_000


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (lambda: nested(DEEP, lambda f: {"$not": f}, {"a": 1}), f"more than {MAX_DEPTH} levels"),
        (lambda: nested(DEEP, lambda f: {"$and": [f]}, {"a": 1}), f"more than {MAX_DEPTH} levels"),
        (lambda: nested(DEEP, lambda f: {"a": f}, 1), "33 names"),
        (
            lambda: {"a": nested(DEEP, lambda f: {"$not": f}, {"$gt": 1})},
            f"more than {MAX_DEPTH} levels",
        ),
        (lambda: endless("$not"), f"more than {MAX_DEPTH} levels"),
        (lambda: endless("$or"), f"more than {MAX_DEPTH} levels"),
        (lambda: {"a": nested(DEEP, lambda v: [v], 1)}, "single value"),
        (lambda: {"a": {"$in": nested(DEEP, lambda v: [v], 1)}}, "single value"),
        (lambda: {"a": {"$in": nested(DEEP, lambda v: {"b": v}, 1)}}, "takes a list"),
        (lambda: {"$or": nested(DEEP, lambda v: {"b": v}, 1)}, "non-empty list"),
        (lambda: nested(DEEP, lambda v: [v], 1), "must be a mapping"),
        (lambda: {"a": {"$not": nested(DEEP, lambda v: [v], 1)}}, "takes operators"),
        (lambda: {"$or": [{"n": i} for i in range(MAX_CONDITIONS + 1)]}, "10,000 conditions"),
        (
            lambda: nested(40, lambda f: {"$and": [f, f]}, {"a": 1}),
            f"more than {MAX_DEPTH} levels|conditions|mappings",
        ),
        (lambda: nested(30, lambda f: {"$or": [f, f, f]}, {}), "30,001 mappings"),
        (lambda: {"a": {"$in": range(MAX_OPERANDS + 1)}}, "1,000,000 values"),
        (lambda: {"a": {"$in": range(10**30)}}, "1,000,000 values"),
        (
            lambda: {"$or": [{str(i): {"$in": range(200_000)}} for i in range(6)]},
            "1,000,000 values",
        ),
        (lambda: {"a": "x" * (MAX_CHARACTERS + 1)}, "50,000,000 characters"),
        (lambda: {".".join("a" * (MAX_DEPTH + 1)): 1}, "33 names"),
        (lambda: {"a": 10**5000}, "64 bits"),
        (lambda: {"a": {"$in": [10**5000]}}, "64 bits"),
        (lambda: {"a": {"$in": b"ab"}}, "takes a list"),
        (lambda: {"a": float("inf")}, "finite"),
        (lambda: {10**5000: 1}, "field names are strings"),
        (lambda: {"$near" * 100_000: 1}, "no operator here"),
    ],
)
def test_what_is_too_large_is_refused_by_name(where, message):
    with pytest.raises(FilterError, match=message) as caught:
        parse_where(where())
    assert len(str(caught.value)) < 400


def test_no_tree_is_too_deep_to_be_walked():
    with pytest.raises(FilterError, match="nodes deep"):
        nested(DEEP, Not, And(()))


@pytest.mark.parametrize("name", [10**4000, ["a"], ".".join("a" * 33), "\ud800"])
def test_a_field_is_named_within_limits(name):
    with pytest.raises(FilterError):
        parse_field(name)


@pytest.mark.parametrize(
    "value", ["\ud7ff", "x" * 1_000_000, "", "'", '"; DROP TABLE passages', 2**63 - 1, 5e-324]
)
def test_strange_operands_are_found(tmp_path, value):
    names = ["", "it's", "a b", "x" * 10_000, "$", "日本"]
    metadata = [{name: value} for name in names if name != "$"] + [{"other": 1}]
    catalog = stored_catalog(tmp_path, metadata)
    for name in names:
        if name.startswith("$"):
            continue
        for where in ({name: value}, {name: {"$in": [value]}}, {name: {"$ne": value}}):
            node = parse_where(where)
            expected = [i for i, one in enumerate(metadata) if matches(node, one, str(i))]
            assert catalog.select(node, 1).tolist() == expected
    catalog.close()


def test_a_long_list_of_operands_is_no_problem(tmp_path):
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    stored = [StoredPassage(i, Passage(str(i), "t", {"n": i}), 1, 1) for i in range(10)]
    catalog.commit(Commit(1, stored))
    node = parse_where({"n": {"$in": [*range(3, 50_000), "x", None, True]}})
    assert catalog.select(node, 1).tolist() == list(range(3, 10))
    catalog.close()
