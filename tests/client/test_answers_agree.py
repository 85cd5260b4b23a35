"""A client gives what the index itself would give."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from lfm2_colbert_rag import AsyncClient, Client, Passage, Retriever, describe_fields, why_nothing
from lfm2_colbert_rag.errors import (
    ConfigError,
    FilterError,
    InputError,
    PassageNotFoundError,
    TooManyTokensError,
)

QUESTION = "How do I reset the router?"
EVERYTHING = {
    "search": lambda one: one.search(QUESTION),
    "fewer": lambda one: one.search(QUESTION, 2),
    "a filter": lambda one: one.search(QUESTION, where={"year": {"$gte": 2023}}),
    "values that are no JSON": lambda one: one.search(
        QUESTION, where={"lang": {"$in": (lang for lang in ("en", "de"))}}
    ),
    "a filter alone": lambda one: one.search(" ", where={"lang": "en"}),
    "late": lambda one: one.search(QUESTION, mode="late"),
    "lexical": lambda one: one.search(QUESTION, mode="lexical"),
    "diverse": lambda one: one.search(QUESTION, 3, diversity=0.7, fetch_k=4),
    "no adapter": lambda one: one.search(QUESTION, query_adapter="none"),
    "odd characters": lambda one: one.search("router\0 \ud800 \u202e key 🔑"),
    "many": lambda one: one.search_many([QUESTION, "library"] * 20, 2),
    "none of many": lambda one: one.search_many([]),
    "ranks": lambda one: one.rank_many([QUESTION, "library"] * 20),
    "rerank": lambda one: one.rerank(QUESTION, ["a lock", "the reset key", ""]),
    "rerank passages": lambda one: one.rerank(QUESTION, [Passage("7", "key", {"a": [1]})], 1),
    "rerank few tokens": lambda one: one.rerank(QUESTION, ["a lock"], max_tokens=2),
    "no candidates": lambda one: one.rerank(QUESTION, []),
    "explain": lambda one: one.explain(QUESTION, "reinicio"),
    "plan": lambda one: one.plan(QUESTION, k=3),
    "a plan of one leg": lambda one: one.plan(QUESTION, mode="late"),
    "get": lambda one: one.get(["library", "nope", "reset", "library"]),
    "get none": lambda one: one.get([]),
    "count": lambda one: one.count({"product": "router"}),
}
LATER = {
    "all passages": lambda one: one.passages(),
    "some passages": lambda one: one.passages({"lang": "en"}, limit=1),
    "passages after": lambda one: one.passages(after="kaffee"),
}
WRONG = {
    "a blank question": (lambda one: one.search(" "), InputError),
    "a number": (lambda one: one.search(7), InputError),
    "no hits": (lambda one: one.search("key", 0), InputError),
    "an unknown operator": (lambda one: one.search("key", where={"a": {"$near": 1}}), FilterError),
    "an unknown mode": (lambda one: one.search("key", mode="psychic"), ConfigError),
    "a weight": (lambda one: one.search("key", diversity=2), ConfigError),
    "a string of queries": (lambda one: one.search_many("key"), InputError),
    "no tokens": (lambda one: one.rerank("key", ["a"], max_tokens=0), ConfigError),
    "too many tokens": (
        lambda one: one.rerank("key", ["one two three four"], max_tokens=3),
        TooManyTokensError,
    ),
    "an unknown passage": (lambda one: one.explain("key", "nope"), PassageNotFoundError),
    "ids that are none": (lambda one: one.get("reset"), InputError),
    "a filter that is none": (lambda one: one.count({"$or": 7}), FilterError),
    "a limit": (lambda one: one.passages(limit=0), InputError),
    "after nothing": (lambda one: list(one.passages(after="nope")), PassageNotFoundError),
    "delete nothing": (lambda one: one.delete(), InputError),
    "delete by chance": (lambda one: one.delete(where={}), InputError),
}


@pytest.mark.parametrize("case", EVERYTHING)
def test_answers(client, index, case):
    ask = EVERYTHING[case]
    assert ask(client) == ask(index)


@pytest.mark.parametrize("case", LATER)
def test_lists(client, index, case):
    assert list(LATER[case](client)) == list(LATER[case](index))


@pytest.mark.parametrize("case", WRONG)
def test_errors(client, index, case):
    ask, expected = WRONG[case]
    for one in (client, index):
        with pytest.raises(expected) as caught:
            ask(one)
        assert type(caught.value) is expected


@pytest.mark.parametrize("case", EVERYTHING)
async def test_coroutines(server, key, index, case):
    ask = EVERYTHING[case]
    async with AsyncClient(server.url, key, index="corpus") as client:
        assert await ask(client) == ask(index)


@pytest.mark.parametrize("case", LATER)
async def test_lists_of_coroutines(server, key, index, case):
    async with AsyncClient(server.url, key, index="corpus") as client:
        assert [one async for one in LATER[case](client)] == list(LATER[case](index))


def test_facts(client, index):
    assert len(client) == len(index) == 5
    assert "reset" in client
    assert "nope" not in client
    assert 7 not in client
    assert (client.mode, client.model) == (index.mode, index.model)
    stats = index.stats()
    assert client.stats().to_dict().items() <= stats.to_dict().items()
    assert describe_fields(client) == describe_fields(index)
    where = {"product": "toaster"}
    assert why_nothing(client, where) == why_nothing(index, where)


async def test_facts_by_coroutines(server, key, client):
    async with AsyncClient(server.url, key, index="corpus") as other:
        assert await other.index() == client.index
        assert (await other.mode(), await other.model()) == (client.mode, client.model)
        assert await other.stats() == client.stats()
        assert await other.contains("reset")
        assert not await other.contains("nope")


def test_evidence_comes_along_or_when_it_is_wanted(client, index):
    expected = [hit.evidence for hit in index.search(QUESTION)]
    assert any(expected)
    assert [hit.evidence for hit in client.search(QUESTION)] == expected
    assert [hit.evidence for hit in client.search(QUESTION, evidence=True)] == expected
    assert [hit.evidence for hit in client.search_many([QUESTION])[0]] == expected
    where = {"lang": {"$ne": "de"}}
    for options in ({"where": where}, {"diversity": 0.5}, {"mode": "late", "k": 2}):
        some = [hit.evidence for hit in index.search(QUESTION, **options)]
        assert [hit.evidence for hit in client.search(QUESTION, **options)] == some
    texts = ["the reset key", "a lock"]
    ranked = [hit.evidence for hit in index.rerank(QUESTION, texts)]
    assert [hit.evidence for hit in client.rerank(QUESTION, texts)] == ranked
    assert [hit.evidence for hit in client.rerank(QUESTION, texts, evidence=True)] == ranked
    (hit,) = client.search(QUESTION, k=1)
    for again in (copy.copy(hit), pickle.loads(pickle.dumps(hit))):
        assert (again, again.evidence) == (hit, hit.evidence)


async def test_evidence_of_coroutines(server, key, index):
    async with AsyncClient(server.url, key, index="corpus") as client:
        expected = [hit.evidence for hit in index.search(QUESTION)]
        assert [hit.evidence for hit in await client.search(QUESTION)] == expected
        (hit,) = await client.search(QUESTION, k=1, evidence=False)
        with pytest.raises(ConfigError, match="evidence=True"):
            _ = hit.evidence


def test_evidence_of_what_is_there_no_longer(empty):
    empty.add(["the key", "the lock"], ids=["key", "lock"])
    first, second = empty.search("the key", mode="late")
    empty.delete([second.id])
    assert first.evidence
    with pytest.raises(PassageNotFoundError, match="evidence=True"):
        _ = second.evidence


def test_explanations_and_plans_draw_themselves(client, index):
    for ask in (EVERYTHING["explain"], EVERYTHING["plan"]):
        assert str(ask(client)) == str(ask(index))
    assert "<table" in client.plan(QUESTION)._repr_html_()
    assert "mark" in client.explain(QUESTION, "reset")._repr_html_()


def test_the_only_index_needs_no_name(server, client):
    key = server.key(indexes=["corpus"])
    with Client(server.url, key) as only:
        assert only.search(QUESTION) == client.search(QUESTION)
        assert only.index == "corpus"
    Retriever.open(server.folder / "another", model="hash").close()
    both = server.key(indexes=["corpus", "another"])
    with Client(server.url, both, index="another") as other:
        assert len(other) == 0
    with Client(server.url, both) as several, pytest.raises(ConfigError, match="'corpus'"):
        several.search(QUESTION)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_signatures_are_those_of_a_retriever(kind):
    """What takes an index takes a client as well."""
    left_out = {"progress"} if kind is AsyncClient else set()
    for name in ("search", "search_many", "rank_many", "rerank", "explain", "plan", "get"):
        assert_like(kind, name, left_out)
    for name in ("count", "passages", "stats", "add", "add_stream", "delete", "close"):
        assert_like(kind, name, left_out)


def assert_like(kind, name, left_out):
    mine = inspect.signature(getattr(kind, name)).parameters
    theirs = inspect.signature(getattr(Retriever, name)).parameters
    assert mine.keys() - {"evidence"} | left_out >= theirs.keys()
    for one, parameter in theirs.items():
        if one in mine:
            assert mine[one].kind is parameter.kind
            assert mine[one].default == parameter.default or one == "batch"
