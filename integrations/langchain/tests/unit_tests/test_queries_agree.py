"""The translation of structured queries means what their words say of fields of any kind."""

from __future__ import annotations

import operator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.structured_query import Comparator, Comparison, Operation, Operator
from langchain_lfm2_colbert import LFM2ColBERTTranslator

from lfm2_colbert_rag.errors import FilterError
from lfm2_colbert_rag.filters import matches, parse_where

ORDERS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
LOGIC = {"and": all, "or": any, "not": lambda parts: not any(parts)}

values = st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["", "a", "B", "aB"])
metadata = st.fixed_dictionaries(
    {}, optional={name: values | st.lists(values, max_size=3) for name in ("x", "y")}
)


def asked(names, value):
    return st.builds(
        Comparison,
        comparator=st.sampled_from([Comparator(name) for name in names]),
        attribute=st.sampled_from(["x", "y"]),
        value=value,
    )


comparisons = st.one_of(
    asked(["eq", "ne", "contain"], values),
    asked(["gt", "gte", "lt", "lte"], st.integers(-1, 2) | st.sampled_from(["", "a", "B"])),
    asked(["in", "nin"], st.lists(values, max_size=3)),
    asked(["like"], st.sampled_from(["a", "%b", "AB%", "%%"])),
)
conditions = st.recursive(
    comparisons,
    lambda parts: st.builds(
        Operation,
        operator=st.sampled_from([Operator(name) for name in LOGIC]),
        arguments=st.lists(parts, min_size=1, max_size=3),
    ),
    max_leaves=5,
)


def holds(condition, metadata) -> bool:
    """Say the same in plain Python: a list stands for its elements, a missing field for none."""
    if isinstance(condition, Operation):
        return LOGIC[condition.operator.value](
            [holds(part, metadata) for part in condition.arguments]
        )
    given = metadata.get(condition.attribute, [])
    found = given if isinstance(given, list) else [given]
    return compared(condition.comparator.value, found, condition.value)


def compared(name, found, value) -> bool:
    if name in ("ne", "nin"):
        return not compared({"ne": "eq", "nin": "in"}[name], found, value)
    if name == "in":
        return any(compared("eq", found, one) for one in value)
    if name == "like" or (name == "contain" and isinstance(value, str)):
        fold = str.lower if name == "like" else str
        piece = fold(value.strip("%") if name == "like" else value)
        return any(piece in fold(one) for one in found if isinstance(one, str))
    same_kind = [one for one in found if type(one) is type(value)]
    return any(ORDERS.get(name, operator.eq)(one, value) for one in same_kind)


@given(metadata, conditions)
@example({"x": []}, Comparison(comparator=Comparator.NIN, attribute="x", value=[]))
@example({"x": [None]}, Comparison(comparator=Comparator.NE, attribute="x", value=None))
def test_agreement(metadata, condition):
    where = condition.accept(LFM2ColBERTTranslator())
    assert matches(parse_where(where), metadata) == holds(condition, metadata)


@pytest.mark.parametrize("name", LOGIC)
def test_an_operation_on_nothing_is_refused(name):
    where = Operation(operator=Operator(name), arguments=[]).accept(LFM2ColBERTTranslator())
    with pytest.raises(FilterError, match="takes a non-empty list of filters"):
        parse_where(where)
