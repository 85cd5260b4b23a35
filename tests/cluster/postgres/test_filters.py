"""Filters as SQL, asked of a real server, mean what filters mean."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.cluster.plan import Selection
from lfm2_colbert_rag.cluster.points import SEPARATOR, Point
from lfm2_colbert_rag.cluster.points import Key as PointKey
from lfm2_colbert_rag.cluster.postgres.filters import selected
from lfm2_colbert_rag.cluster.postgres.rows import written
from lfm2_colbert_rag.cluster.postgres.schema import PREFIX, create_tables
from lfm2_colbert_rag.cluster.postgres.writing import UPSERT
from lfm2_colbert_rag.filters import matches, parse_where
from lfm2_colbert_rag.filters.tree import Comparison, id_after

pytestmark = [pytest.mark.long, pytest.mark.subprocess]

_STRINGS = st.sampled_from(
    ["", "a", "A", "straße", "STRASSE", "é", "e\u0301", "İ", "ı", "%", "_", "a\\", "'; --", "漢字",
     "\U0001f600", "true", "null", "7"]
)  # fmt: skip
_NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -0.0, 1e300, 5e-324, 0.1, 1e23]),
    st.sampled_from([2**53, 2**53 + 1, float(2**60), 2**60, 2**63 - 1]),
)
_SCALARS = st.one_of(st.none(), st.booleans(), _NUMBERS, _STRINGS)
_FIELDS = st.sampled_from(["a", "b", "é", "A"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_FIELDS, inner, max_size=2),
    max_leaves=5,
)
_METADATA = st.dictionaries(_FIELDS, _VALUES, max_size=3)
_NAMES = st.sampled_from(["a", "b", "é", "A", "a.b", "a.a", "b.é", "$id", "$lang"])
_TESTS = st.one_of(
    _SCALARS,
    st.builds(lambda v: {"$eq": v}, _SCALARS),
    st.builds(lambda v: {"$ne": v}, _SCALARS),
    st.builds(lambda v: {"$in": v}, st.lists(_SCALARS, max_size=3)),
    st.builds(lambda v: {"$nin": v}, st.lists(_SCALARS, max_size=3)),
    st.builds(lambda v: {"$exists": v}, st.booleans()),
    st.builds(
        lambda op, v: {op: v},
        st.sampled_from(["$gt", "$gte", "$lt", "$lte"]),
        st.one_of(_NUMBERS, _STRINGS),
    ),
    st.builds(lambda op, v: {op: v}, st.sampled_from(["$contains", "$icontains"]), _STRINGS),
)
_WHERES = st.recursive(
    st.dictionaries(_NAMES, _TESTS, max_size=2),
    lambda inner: st.one_of(
        st.builds(lambda v: {"$not": v}, inner),
        st.builds(lambda v: {"$or": v}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda v: {"$and": v}, st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=3,
)
_IDS = st.sampled_from(["a", "A", "straße", f"acme{SEPARATOR}İd"])
_LANGUAGES = st.sampled_from(["und", "de", "en"])


@pytest.fixture(scope="module")
def table(fleet):
    """Return a connection that sees an empty table of points."""
    import psycopg

    with psycopg.connect(
        host="127.0.0.1", port=fleet.first.port, user="postgres", dbname="postgres",
        autocommit=True,
    ) as connection:  # fmt: skip
        create_tables(connection, "filters", 2, 0, 1)
        connection.execute(f"SET search_path TO {PREFIX}filters, public")
        yield connection


def holding(connection, node, metadata, id, language) -> bool:
    """Ask a server whether a passage matches."""
    point = Point(PointKey(id), 1, 1, (0, 0), 0, metadata, language, "text")
    parameters: dict[str, object] = {}
    where = selected(Selection(node), parameters)
    with connection.transaction(force_rollback=True):
        connection.execute(UPSERT, written(point))
        (found,) = connection.execute(f"SELECT {where} FROM points", parameters).fetchone()
    assert found is not None, "SQL that is never NULL"
    return bool(found)


@settings(max_examples=settings.default.max_examples * 6, deadline=None)
@given(where=_WHERES, metadata=_METADATA, id=_IDS, language=_LANGUAGES)
def test_a_filter_means_the_same(table, where, metadata, id, language):
    node = parse_where(where)
    assert holding(table, node, metadata, id, language) == matches(node, metadata, id, language)


@pytest.mark.parametrize("operator", ["$eq", "$gt", "$contains", "$icontains"])
@pytest.mark.parametrize("operand", ["id", "i", "acme"])
def test_an_id_without_its_owner(table, operator, operand):
    node = Comparison(id_after(5), operator, operand)
    for id in (f"acme{SEPARATOR}İd", f"acme{SEPARATOR}id"):
        assert holding(table, node, {}, id, "und") == matches(node, {}, id, "und")


@pytest.mark.parametrize("operator", ["$gt", "$gte", "$lt", "$lte"])
@pytest.mark.parametrize("operand", [False, True])
def test_booleans_have_an_order(table, operator, operand):
    """Which nobody can ask for, but a filter that is made otherwise than by parsing."""
    node = Comparison(("a",), operator, operand)
    for metadata in ({"a": False}, {"a": [True, 7]}, {"a": 1}, {}):
        assert holding(table, node, metadata, "id", "und") == matches(node, metadata, "id")


def test_no_value_becomes_sql():
    """Neither fields nor operands stand in the statement."""
    parameters: dict[str, object] = {}
    field, value = "x'); DROP TABLE points; --", "y'); DROP TABLE points; --"
    where = {field: {"$in": [value, 7]}, "$id": value, "z": {"$contains": value, "$gt": value}}
    text = selected(Selection(parse_where(where), owner=value, ids=(value,)), parameters)
    assert "DROP" not in text
    assert value in parameters.values()
