"""Constraints: every operator, every nesting, all before the best nodes are chosen."""

from __future__ import annotations

import pytest
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTRetriever
from llama_index.retrievers.lfm2_colbert.filters import to_where

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import FilterError

EVERYTHING = {"reset", "guest", "descale", "warranty"}


def one(key, value=None, operator=FilterOperator.EQ):
    return MetadataFilter(key=key, value=value, operator=operator)


def group(condition, *filters):
    return MetadataFilters(filters=list(filters), condition=condition)


@pytest.fixture
def matching(unchanging):
    def search(**constraints) -> set[str]:
        narrowed = LFM2ColBERTRetriever(unchanging.retriever, similarity_top_k=4, **constraints)
        return {found.node.node_id for found in narrowed.retrieve("password")}

    return search


OPERATORS = [
    ("EQ", "product", "router", {"reset", "guest"}),
    ("EQ", "year", 2025, {"guest", "warranty"}),
    ("EQ", "tags", "button", {"reset"}),
    ("EQ", "absent", "x", set()),
    ("NE", "year", 2025, {"reset", "descale"}),
    ("NE", "note", "x", EVERYTHING),
    ("GT", "year", 2024, {"guest", "warranty"}),
    ("GTE", "year", 2024, {"guest", "warranty", "descale"}),
    ("LT", "year", 2024, {"reset"}),
    ("LTE", "year", 2024, {"reset", "descale"}),
    ("GT", "product", "d", {"reset", "guest"}),
    ("GT", "absent", 1, set()),
    ("IN", "year", [2023, 2024], {"reset", "descale"}),
    ("IN", "year", [], set()),
    ("NIN", "year", [2023, 2024], {"guest", "warranty"}),
    ("NIN", "note", ["x"], EVERYTHING),
    ("NIN", "year", [], EVERYTHING),
    ("CONTAINS", "tags", "button", {"reset"}),
    ("CONTAINS", "tags", "butt", set()),
    ("CONTAINS", "product", "out", {"reset", "guest"}),
    ("CONTAINS", "product", "Out", set()),
    ("CONTAINS", "year", 2025, {"guest", "warranty"}),
    ("CONTAINS", "maker.country", "t", {"guest"}),
    ("ANY", "tags", ["button", "lamp"], {"reset"}),
    ("ANY", "tags", ["butt"], set()),
    ("ANY", "product", ["lamp", "off"], {"descale", "warranty"}),
    ("ANY", "year", [2023, 1999], {"reset"}),
    ("ANY", "tags", [], set()),
    ("ALL", "tags", ["button", "password"], {"reset"}),
    ("ALL", "tags", ["button", "lamp"], set()),
    ("ALL", "tags", [], {"reset", "guest", "descale"}),
    ("ALL", "product", ["r", "out"], {"reset", "guest"}),
    ("ALL", "product", ["r", "off"], set()),
    ("IS_EMPTY", "tags", None, {"descale", "warranty"}),
    ("IS_EMPTY", "note", None, EVERYTHING),
    ("IS_EMPTY", "details", None, {"reset", "guest", "descale"}),
    ("IS_EMPTY", "product", None, set()),
    ("EQ", "maker.country", "it", {"guest"}),
    ("IS_EMPTY", "maker.country", None, EVERYTHING - {"guest"}),
    ("TEXT_MATCH", "product", "out", {"reset", "guest"}),
    ("TEXT_MATCH", "product", "OUT", set()),
    ("TEXT_MATCH", "year", "20", set()),
    ("TEXT_MATCH", "tags", "butt", {"reset"}),
    ("TEXT_MATCH_INSENSITIVE", "product", "COFF", {"descale", "warranty"}),
    ("TEXT_MATCH_INSENSITIVE", "absent", "x", set()),
    ("EQ", "doc_id", "router-manual", {"reset", "guest"}),
    ("NE", "ref_doc_id", "router-manual", {"descale", "warranty"}),
    ("IN", "document_id", ["warranty-card", "x"], {"warranty"}),
    ("CONTAINS", "doc_id", "card", {"warranty"}),
    ("IS_EMPTY", "doc_id", None, set()),
]


@pytest.mark.parametrize(("operator", "key", "value", "expected"), OPERATORS)
def test_operators(matching, operator, key, value, expected):
    filters = group(FilterCondition.AND, one(key, value, FilterOperator[operator]))
    assert matching(filters=filters) == expected
    assert matching(filters=group(FilterCondition.NOT, filters)) == EVERYTHING - expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (group(FilterCondition.AND, one("product", "router"), one("year", 2025)), {"guest"}),
        (group(None, one("product", "router"), one("year", 2025)), {"guest"}),
        (
            group(FilterCondition.OR, one("product", "router"), one("year", 2025)),
            {"reset", "guest", "warranty"},
        ),
        (group(FilterCondition.NOT, one("product", "router"), one("year", 2025)), {"descale"}),
        (
            group(
                FilterCondition.OR,
                group(FilterCondition.AND, one("product", "router"), one("year", 2025)),
                group(
                    FilterCondition.AND,
                    one("product", "coffee"),
                    group(FilterCondition.NOT, one("year", 2025)),
                ),
            ),
            {"guest", "descale"},
        ),
        (group(FilterCondition.AND), EVERYTHING),
        (group(FilterCondition.OR, group(FilterCondition.AND), one("year", 1)), EVERYTHING),
    ],
    ids=["and", "none is and", "or", "not: none of them", "nested", "empty", "empty inside or"],
)
def test_groups(matching, filters, expected):
    assert matching(filters=filters) == expected


@pytest.mark.parametrize("operator", ["TEXT_MATCH", "TEXT_MATCH_INSENSITIVE"])
def test_text_matching_needs_a_string(matching, operator):
    part = one("product", 3, FilterOperator[operator])
    nested = group(FilterCondition.AND, group(FilterCondition.OR, part))
    with pytest.raises(FilterError, match=f"'product' uses {operator}.*a string"):
        matching(filters=nested)


@pytest.mark.parametrize("operator", ["IN", "NIN", "ANY", "ALL"])
def test_operators_over_lists_need_one(matching, operator):
    with pytest.raises(FilterError, match=f"'year' uses {operator}.*a list"):
        matching(filters=group(FilterCondition.AND, one("year", 2025, FilterOperator[operator])))


def test_malformed_where_is_refused_at_once(matching):
    with pytest.raises(FilterError, match="almost"):
        matching(where={"year": {"$almost": 2025}})


def test_every_operator_of_llama_index_is_covered_here():
    assert {name for name, *_ in OPERATORS} == set(FilterOperator.__members__)


class TestOtherConstraints:
    def test_where_reaches_nested_keys_and_booleans(self, matching):
        assert matching(where={"details.pages.from": {"$gte": 3}}) == {"warranty"}
        assert matching(where={"details": {"draft": True}}) == {"warranty"}

    def test_node_ids(self, matching):
        assert matching(node_ids=["guest", "warranty", "never there"]) == {"guest", "warranty"}

    def test_node_ids_of_passages_from_elsewhere(self):
        core = Retriever.from_texts(["one", "two"], ids=["1", "2"], model="hash")
        retriever = LFM2ColBERTRetriever(core, node_ids=["2"])
        assert [found.node.node_id for found in retriever.retrieve("one two")] == ["2"]

    def test_doc_ids(self, matching):
        assert matching(doc_ids=["coffee-manual", "warranty-card"]) == {"descale", "warranty"}

    @pytest.mark.parametrize("empty", [{"where": {}}, {"filters": group(FilterCondition.AND)}, {}])
    def test_empty_filters_do_not_constrain(self, matching, empty):
        assert matching(**empty) == EVERYTHING

    @pytest.mark.parametrize("ids", [[], (), set(), iter([])])
    @pytest.mark.parametrize("name", ["node_ids", "doc_ids"])
    def test_an_empty_list_of_ids_permits_nothing(self, matching, name, ids):
        assert matching(**{name: ids}) == set()
        assert matching(**{name: ids}, where={"product": "router"}) == set()

    @pytest.mark.parametrize("ids", ["guest", [1], [None], 7])
    @pytest.mark.parametrize("name", ["node_ids", "doc_ids"])
    def test_ids_are_strings_in_a_list(self, matching, name, ids):
        with pytest.raises(FilterError, match=f"{name} must be a list of strings, not"):
            matching(**{name: ids})

    @pytest.mark.parametrize("where", ["abc", [("year", 2025)], 7])
    def test_a_where_that_is_no_mapping_is_refused(self, matching, where):
        with pytest.raises(FilterError, match="mapping"):
            matching(where=where, node_ids=["guest"])

    def test_all_hold_together(self, matching):
        filters = group(FilterCondition.AND, one("product", "router"))
        assert matching(filters=filters, node_ids=["guest", "descale"]) == {"guest"}
        assert matching(filters=filters, doc_ids=["coffee-manual"]) == set()
        assert matching(filters=filters, where={"year": {"$lt": 2025}}) == {"reset"}

    @pytest.mark.parametrize(
        "constraint",
        [
            {"filters": group(FilterCondition.AND, one("product", "coffee"), one("year", 2025))},
            {"node_ids": ["warranty"]},
            {"doc_ids": ["warranty-card"]},
            {"where": {"details.draft": True}},
        ],
        ids=lambda constraint: next(iter(constraint)),
    )
    async def test_apply_before_the_best_are_chosen(self, unchanging, constraint, ask):
        narrowed = LFM2ColBERTRetriever(unchanging.retriever, similarity_top_k=1, **constraint)
        assert [found.node.node_id for found in await ask(narrowed)] == ["warranty"]


def test_groups_are_nested_within_limits(matching):
    """However deep: never the interpreter's own error."""
    for levels, fits in ((20, True), (40, False), (20_000, False)):
        nested = group(FilterCondition.AND, one("year", 2025))
        for _ in range(levels):
            # Not checked as it is made: checks would go as deep.
            nested = MetadataFilters.model_construct(
                filters=[nested], condition=FilterCondition.AND
            )
        if fits:
            assert matching(filters=nested) == {"guest", "warranty"}
        else:
            with pytest.raises(FilterError, match="more than 32 levels"):
                to_where(nested)
    wide = group(
        FilterCondition.OR, *(one("year", 2025 - i, FilterOperator.GT) for i in range(1200))
    )
    assert matching(filters=wide) == EVERYTHING


def test_an_iterator_in_a_filter_is_asked_of_as_often_as_its_values():
    with LFM2ColBERTRetriever.from_nodes(
        [TextNode(text="a", metadata={"lang": lang}) for lang in ("en", "es", "fr")], model="hash"
    ).retriever as core:
        where = {"lang": {"$in": iter(["en", "es"])}}
        asked = LFM2ColBERTRetriever(core, where=where)
        assert len(asked.retrieve("a")) == len(asked.retrieve("a")) == 2
