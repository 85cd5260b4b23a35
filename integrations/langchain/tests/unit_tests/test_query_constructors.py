"""Structured queries mean here what they mean in LangChain."""

from __future__ import annotations

import pytest
from langchain_core.structured_query import (
    Comparator,
    Comparison,
    Operation,
    Operator,
    StructuredQuery,
)
from langchain_lfm2_colbert import LFM2ColBERTTranslator

from lfm2_colbert_rag.errors import FilterError


def comparison(name, attribute, value):
    return Comparison(comparator=Comparator(name), attribute=attribute, value=value)


COMPARISONS = [
    ("eq", "year", 2025, {"guest", "warranty"}),
    ("ne", "year", 2025, {"reset", "descale"}),
    ("gt", "year", 2024, {"guest", "warranty"}),
    ("gte", "year", 2024, {"guest", "warranty", "descale"}),
    ("lt", "year", 2024, {"reset"}),
    ("lte", "year", 2024, {"reset", "descale"}),
    ("in", "year", [2023, 2024], {"reset", "descale"}),
    ("nin", "year", [2023, 2024], {"guest", "warranty"}),
    ("contain", "tags", "button", {"reset"}),
    ("contain", "product", "out", {"reset", "guest"}),
    ("contain", "year", 2023, {"reset"}),
    ("like", "product", "%ROUT%", {"reset", "guest"}),
    ("like", "source.file", "guest", {"guest"}),
    ("eq", "source.page", 2, {"guest"}),
]


@pytest.fixture
def matching(store):
    def search(condition) -> set[str]:
        query = StructuredQuery(query="password", filter=condition, limit=None)
        text, options = LFM2ColBERTTranslator().visit_structured_query(query)
        return {document.id for document in store.similarity_search(text, **options)}

    return search


@pytest.mark.parametrize(("name", "attribute", "value", "expected"), COMPARISONS)
def test_comparisons(matching, name, attribute, value, expected):
    condition = comparison(name, attribute, value)
    assert matching(condition) == expected
    negated = Operation(operator=Operator.NOT, arguments=[condition])
    assert matching(negated) == {"reset", "guest", "descale", "warranty"} - expected


def test_every_comparator_of_langchain_is_covered_and_allowed():
    assert {name for name, *_ in COMPARISONS} == {one.value for one in Comparator}
    assert set(LFM2ColBERTTranslator.allowed_comparators) == set(Comparator)
    assert set(LFM2ColBERTTranslator.allowed_operators) == set(Operator)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("and", {"guest"}), ("or", {"reset", "guest", "warranty"}), ("not", {"descale"})],
)
def test_operations(matching, operator, expected):
    parts = [comparison("eq", "product", "router"), comparison("eq", "year", 2025)]
    operation = Operation(operator=Operator(operator), arguments=parts)
    assert matching(operation) == expected
    nested = Operation(operator=Operator.AND, arguments=[operation, comparison("gt", "year", 0)])
    assert matching(nested) == expected


def test_dates_are_strings(store, matching):
    store.add_texts(["password"], [{"day": "2025-03-01"}], ids=["dated"])
    for value in ({"type": "date", "date": "2025-02-01"}, "2025-02-01"):
        assert matching(comparison("gt", "day", value)) == {"dated"}
    later = {"type": "datetime", "datetime": "2025-04-01T00:00:00"}
    assert matching(comparison("gt", "day", later)) == set()


def test_patterns_with_a_gap_are_refused(matching):
    with pytest.raises(FilterError, match="'a%b' on 'product'"):
        matching(comparison("like", "product", "a%b"))


def test_no_filter_is_no_filter(matching):
    assert len(matching(None)) == 4


def test_operations_are_nested_within_limits(matching):
    """However deep: never the interpreter's own error."""
    for levels, fits in ((20, True), (40, False), (20_000, False)):
        condition = comparison("eq", "year", 2025)
        for _ in range(levels):
            # Not checked as it is made: checks would go as deep.
            condition = Operation.model_construct(operator=Operator.AND, arguments=[condition])
        query = StructuredQuery.model_construct(query="password", filter=condition, limit=None)
        if fits:
            assert matching(condition) == {"guest", "warranty"}
        else:
            with pytest.raises(FilterError, match="more than 32 levels"):
                LFM2ColBERTTranslator().visit_structured_query(query)
    wide = Operation(
        operator=Operator.OR, arguments=[comparison("gt", "year", 2025 - i) for i in range(1200)]
    )
    assert matching(wide) == {"reset", "guest", "descale", "warranty"}
