"""Rights become less, and never more, whatever is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.errors import ConfigError, FilterError, InputError, LFM2ColBERTError
from lfm2_colbert_rag.filters import matches, parse_where
from lfm2_colbert_rag.server.access.callers import PARTIAL_SCOPES, SCOPES, conjunction
from lfm2_colbert_rag.server.access.rights import Rights

NAMES = ["a", "b", "c"]
KEYS = ["year", "owner", "kind"]


def some(names: list[str], least: int = 0) -> st.SearchStrategy[list[str] | None]:
    return st.none() | st.lists(st.sampled_from(names), min_size=least, unique=True)


wheres = st.none() | st.dictionaries(st.sampled_from(KEYS), st.integers(0, 2), max_size=2)
asked = st.fixed_dictionaries(
    {
        "scopes": some(sorted(SCOPES), 1),
        "indexes": some(NAMES, 1),
        "tenant": st.none() | st.sampled_from(["acme", "beta"]),
        "where": wheres,
        "fields": some(KEYS),
    }
)


@st.composite
def rights(draw: st.DrawFn) -> Rights:
    given = draw(asked)
    partial = given["tenant"] or given["where"] or given["fields"] is not None
    known = sorted(PARTIAL_SCOPES if partial else SCOPES)
    given["scopes"] = draw(st.lists(st.sampled_from(known), min_size=1, unique=True))
    return Rights.of(**given)


def is_within(less: Any, more: Any) -> bool:
    return more is None or (less is not None and less <= more)


def fits(key: Rights, want: dict[str, Any]) -> bool:
    """Tell whether what is asked for is within a key's rights; the law, in other words."""
    partial = key.is_partial or want["tenant"] or want["where"] or want["fields"] is not None
    own = key.scopes & PARTIAL_SCOPES if partial else key.scopes
    return (
        (own if want["scopes"] is None else set(want["scopes"])) <= own
        and bool(own)
        and (want["indexes"] is None or is_within(set(want["indexes"]), key.indexes))
        and (want["fields"] is None or is_within(set(want["fields"]), key.fields))
        and (None in (want["tenant"], key.tenant) or want["tenant"] == key.tenant)
        and (key.fields is None or set(want["where"] or ()) <= key.fields)
    )


@given(key=rights(), want=asked, metadata=st.lists(wheres, min_size=1, max_size=3))
def test_less_is_never_more_and_what_is_less_is_given(key, want, metadata):
    try:
        less = key.narrowed(**want)
    except InputError:
        assert not fits(key, want)
        return
    assert fits(key, want)
    assert less.scopes <= key.scopes
    assert is_within(less.indexes, key.indexes)
    assert is_within(less.fields, key.fields)
    assert less.tenant == (key.tenant or want["tenant"])
    for one in metadata:
        seen = matches(parse_where(conjunction(less.where) if less.where else {}), one or {})
        for where in (*key.where, want["where"] or {}):
            assert not seen or matches(parse_where(where), one or {})


@given(key=rights(), first=asked, second=asked)
def test_what_was_narrowed_cannot_be_widened(key, first, second):
    try:
        once = key.narrowed(**first)
        twice = once.narrowed(**second)
    except InputError:
        return
    assert twice.scopes <= once.scopes
    assert is_within(twice.indexes, once.indexes)
    assert is_within(twice.fields, once.fields)
    assert once.tenant in (None, twice.tenant)
    assert twice.where[: len(once.where)] == once.where


def test_a_filter_cannot_ask_for_what_is_hidden():
    """Its hits would tell what is in there."""
    key = Rights.of(["search"], tenant="acme", fields=["title"])
    for where in ({"salary": 1}, {"$or": [{"title": 1}, {"salary": {"$gt": 3}}]}):
        with pytest.raises(InputError, match="hidden field 'salary'"):
            key.narrowed(where=where)
    for where in ({"title": "x"}, {"$id": "page-1"}, {"$lang": "de"}, {"title": {"part": 1}}):
        assert key.narrowed(where=where).where == (where,)


def test_a_part_of_an_index_has_no_scopes_of_all():
    for part in ({"tenant": "acme"}, {"where": {"a": 1}}, {"fields": []}):
        for scope in SCOPES - PARTIAL_SCOPES:
            with pytest.raises(InputError, match=scope):
                Rights.of(["search", scope], **part)
        left = Rights.of(SCOPES).narrowed(**part)
        assert left.scopes == PARTIAL_SCOPES
    assert Rights.of(SCOPES, indexes=["a"]).scopes == SCOPES


DEEP: dict[str, Any] = {"a": 1}
for _ in range(40):
    DEEP = {"$not": DEEP}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"scopes": []}, {"scopes": ["root"]}, {"scopes": "search"}, {"scopes": [["search"]]}),
        *({"indexes": []}, {"indexes": ["../etc"]}, {"indexes": ["A"]}, {"indexes": ["a" * 64]}),
        *({"indexes": "a"}, {"indexes": [None]}, {"indexes": {"a": 1}}),
        *({"tenant": ""}, {"tenant": 7}, {"tenant": "a\x1fb"}, {"tenant": "a" * 257}),
        *({"where": []}, {"where": "a"}, {"where": {"a": {"$near": 1}}}, {"where": DEEP}),
        *({"where": {"a": {"$in": list(range(10_001))}}}, {"fields": "a"}, {"fields": ["a.b"]}),
        *({"fields": [""]}, {"fields": [None]}, {"fields": ["$id"]}),
    ],
    ids=lambda wrong: str(wrong)[:40],
)
def test_what_cannot_be_a_right_is_refused(wrong):
    with pytest.raises((InputError, ConfigError, FilterError)):
        Rights.of(**{"scopes": ["search"], **wrong})
    with pytest.raises(LFM2ColBERTError):
        Rights.of(["search"]).narrowed(**wrong | ({"indexes": ["/"]} if "indexes" in wrong else {}))


def test_filters_that_are_right_alone_may_be_too_large_together():
    half = {"a": {"$in": list(range(6_000))}}
    key = Rights.of(["search"], where=half)
    with pytest.raises(FilterError):
        key.narrowed(where=half)
