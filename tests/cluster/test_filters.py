"""What a filter means to an engine is what it means to us."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.cluster.fields import flatten
from lfm2_colbert_rag.cluster.plan import Selection
from lfm2_colbert_rag.cluster.points import Key, Point, Vectors, pack_tokens
from lfm2_colbert_rag.cluster.settings import ClusterSettings
from lfm2_colbert_rag.errors import FilterError
from lfm2_colbert_rag.filters import matches, parse_where
from lfm2_colbert_rag.storage.settings import IndexSettings
from lfm2_colbert_rag.types import TokenVectors

from .engines import ENGINES, engine_of

NAMES = ("a", "b", "\u00e9", "e\u0301", "a.b", "$x")
FIELDS = ("a", "b", "\u00e9", "e\u0301", "a.b", "a\\.b", "b.a.b")
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, -2.0, 2.0**53, 1e300]),
    st.sampled_from(["", "x", "1", "true", "\u00e9", "e\u0301"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=6,
)
objects = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)
numbers = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, -2.0, 2.0**53]))
comparisons = st.one_of(
    st.builds(lambda f, v: {f: v}, st.sampled_from(FIELDS), scalars),
    st.builds(
        lambda f, o, v: {f: {o: v}},
        st.sampled_from(FIELDS),
        st.sampled_from(["$in", "$nin"]),
        st.lists(scalars, max_size=3),
    ),
    st.builds(
        lambda f, o, v: {f: {o: v}},
        st.sampled_from(FIELDS),
        st.sampled_from(["$eq", "$ne"]),
        scalars,
    ),
    st.builds(
        lambda f, o, v: {f: {o: v}},
        st.sampled_from(FIELDS),
        st.sampled_from(["$gt", "$gte", "$lt", "$lte"]),
        numbers,
    ),
    st.builds(lambda f, v: {f: {"$exists": v}}, st.sampled_from(FIELDS), st.booleans()),
    st.builds(lambda ids: {"$id": {"$in": ids}}, st.lists(st.sampled_from("0123"), max_size=2)),
    st.builds(lambda one: {"$lang": one}, st.sampled_from(["de", "en"])),
)
wheres = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(lambda one: {"$not": one}, inner),
        st.builds(
            lambda name, some: {name: some},
            st.sampled_from(["$and", "$or"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=5,
)


def point(number: int, metadata: dict[str, object]) -> Point:
    vectors = np.eye(1, 4, dtype=np.float32)
    encoded = TokenVectors(vectors, np.zeros(1, np.int32), np.zeros((1, 2), np.int32))
    return Point(
        Key(str(number)),
        1,
        1,
        (0, 1),
        1,
        metadata,
        "de" if number % 2 else "en",
        "x",
        "d",
        pack_tokens(encoded),
        Vectors(vectors, vectors[0]),
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_answers_as_the_definition_does(engine):
    with engine_of(engine) as backend:
        backend.create(ClusterSettings(IndexSettings("hash", 4, {"kind": "hash"})))

        @settings(max_examples=settings.default.max_examples, deadline=None)
        @given(st.lists(objects, min_size=1, max_size=6), st.lists(wheres, min_size=1, max_size=4))
        def check(held, asked):
            backend.delete(Selection())
            backend.write([point(number, one) for number, one in enumerate(held)])
            for where in asked:
                node = parse_where(where)
                found = {one.key.id for one in backend.scroll(Selection(node), 100)}
                languages = ["de" if number % 2 else "en" for number in range(len(held))]
                assert found == {
                    str(number)
                    for number, one in enumerate(held)
                    if matches(node, one, str(number), languages[number])
                }, where
                assert backend.count(Selection(node)) == len(found)

        check()


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ({"a": {"$contains": "x"}}, r"a \$contains"),
        ({"a": {"$icontains": "x"}}, r"a \$icontains"),
        ({"a": {"$gt": "x"}}, r"a \$gt"),
        ({"$id": {"$lte": "x"}}, r"\$id \$lte"),
        ({"$not": {"$or": [{"b": 1}, {"a.b": {"$lt": "2024-01-01"}}]}}, r"a\.b \$lt"),
        ({"a": 2**53 + 1}, "9007199254740993"),
    ],
)
def test_what_an_engine_cannot_answer_is_refused_by_name(backend, where, named):
    backend.create(ClusterSettings(IndexSettings("hash", 4, {"kind": "hash"})))
    with pytest.raises(FilterError, match=named):
        backend.count(Selection(parse_where(where)))


def test_an_indexed_field_changes_no_answer(backend):
    backend.create(ClusterSettings(IndexSettings("hash", 4, {"kind": "hash"})))
    for path in (("a",), ("b",), ("a", "b")):
        backend.index_field(path)
    held = [{"a": 1}, {"a": [True, None, "1"]}, {"a": {"b": 1.5}}, {}, {"b": ["x", 2]}]
    backend.write([point(number, one) for number, one in enumerate(held)])
    for where in ({"a": 1}, {"a": True}, {"a": None}, {"a": "1"}, {"a.b": {"$gt": 1}}, {"b": "x"}):
        node = parse_where(where)
        wanted = {str(number) for number, one in enumerate(held) if matches(node, one)}
        assert {one.key.id for one in backend.scroll(Selection(node), 10)} == wanted


@settings(max_examples=settings.default.max_examples, deadline=None)
@given(objects)
def test_flat_metadata_have_no_more_than_there_is(metadata):
    def leaves(value: object) -> int:
        if isinstance(value, dict):
            return sum(map(leaves, value.values()))
        return sum(map(leaves, value)) if isinstance(value, list) else 1

    flat = flatten(metadata)
    found = sum(
        len(one) for kind in (flat.strings, flat.numbers, flat.others) for one in kind.values()
    )
    assert found <= leaves(metadata)
    assert (found == 0) == (leaves(metadata) == 0)
