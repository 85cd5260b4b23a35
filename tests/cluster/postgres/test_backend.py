"""The calls of a backend, on two real servers, against a dictionary."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.cluster.address import Address
from lfm2_colbert_rag.cluster.plan import Candidates, Plan, Selection
from lfm2_colbert_rag.cluster.points import Key, Point, Sparse, Vectors
from lfm2_colbert_rag.cluster.postgres import PostgresBackend
from lfm2_colbert_rag.cluster.settings import ClusterSettings
from lfm2_colbert_rag.cluster.side import cut, joined
from lfm2_colbert_rag.errors import (
    ConfigError,
    IndexExistsError,
    IndexMismatchError,
    IndexNotFoundError,
    RemoteUnavailableError,
)
from lfm2_colbert_rag.filters import parse_where
from lfm2_colbert_rag.index.maxsim import maxsim
from lfm2_colbert_rag.storage.settings import IndexSettings

from ...conftest import CORPUS, METADATA

pytestmark = [pytest.mark.long, pytest.mark.subprocess]

DIM = 8
SETTINGS = ClusterSettings(IndexSettings("hash", DIM, {"kind": "hash"}), shards=2)


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    values = rng.standard_normal(shape).astype(np.float32)
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float16)


def points(number: int, seed: int = 0, rev: int = 1) -> list[Point]:
    """Make passages of one or two windows, some of a tenant."""
    rng = np.random.default_rng(seed)
    made = []
    for place in range(number):
        id = f"acme\x1fp{place}" if place % 5 == 0 else f"p{place}"
        windows = 1 + place % 2
        for window in range(windows):
            matrix = unit(rng, 3 + place % 4, DIM).astype(np.float32)
            mean = matrix.mean(axis=0) / np.linalg.norm(matrix.mean(axis=0))
            words = Sparse(np.array([place % 7, 4_000_000_000]), np.array([1.5, 0.5], np.float32))
            made.append(
                Point(
                    Key(id, window), rev, windows, (window, window + 9), len(matrix),
                    {"n": place, "even": place % 2 == 0}, "de" if place % 3 else "en",
                    *((f"text {place}", f"digest {place}") if window == 0 else (None, "")),
                    tokens=f"tokens {place}",
                    vectors=Vectors(
                        matrix, mean.astype(np.float16).astype(np.float32),
                        words if place % 4 else None, words if window == 0 else None,
                    ),
                )
            )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def held() -> list[Point]:
    return points(60)


@pytest.fixture(scope="module")
def backend(fleet, held):
    opened = PostgresBackend.at(Address.parse(fleet.address()))
    opened.create(SETTINGS)
    opened.write(held)
    yield opened
    opened.close()


def same(one: Point, other: Point) -> bool:
    plain = replace(one, vectors=Vectors()), replace(other, vectors=Vectors())
    return all(
        getattr(plain[0], name) == getattr(plain[1], name)
        for name in ("key", "rev", "windows", "span", "count", "metadata", "language", "text",
                     "digest", "tokens")
    )  # fmt: skip


def test_both_servers_have_a_part(fleet, backend, held):
    parts = [
        server.ask('SELECT count(*) FROM "lfm2_' + backend.name.rpartition("/")[2] + '".points')
        for server in (fleet.first, fleet.second)
    ]
    numbers = [part[0][0] for part in parts]
    assert sum(numbers) == len(held)
    assert min(numbers) > len(held) / 4


def test_what_was_written_comes_back(backend, held):
    found = backend.get(
        [one.key for one in held] + [Key("nobody")],
        ("colbert", "mean", "cent", "words"), tokens=True,
    )  # fmt: skip
    by_key = {one.key: one for one in found}
    assert set(by_key) == {one.key for one in held}
    for one in held:
        other = by_key[one.key]
        assert same(one, other)
        np.testing.assert_array_equal(one.vectors.colbert, other.vectors.colbert)
        np.testing.assert_array_equal(one.vectors.mean, other.vectors.mean)
        for name in ("cent", "words"):
            before, after = getattr(one.vectors, name), getattr(other.vectors, name)
            assert (before is None) == (after is None)
            if before is not None:
                np.testing.assert_array_equal(before.ids, after.ids)
                np.testing.assert_array_equal(before.weights, after.weights)


SELECTIONS = {
    "all": (Selection(), lambda p: True),
    "heads": (Selection(heads=True), lambda p: p.is_head),
    "tenant": (Selection(owner="acme"), lambda p: p.owner == "acme"),
    "ids": (Selection(ids=("p1", "p3", "none")), lambda p: p.key.id in ("p1", "p3")),
    "where": (Selection(parse_where({"n": {"$lt": 9}})), lambda p: p.metadata["n"] < 9),
    "old": (Selection(before=1), lambda p: False),
    "lang": (Selection(parse_where({"$lang": "en"})), lambda p: p.language == "en"),
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_selections(backend, held, name):
    selection, holds = SELECTIONS[name]
    expected = sorted((p for p in held if holds(p)), key=lambda p: p.key.uuid.bytes)
    assert backend.count(selection) == len(expected)
    found, last = [], None
    while part := backend.scroll(selection, 7, last):
        found += part
        last = part[-1].key
    assert [one.key for one in found] == [one.key for one in expected]
    languages: dict[str, int] = {}
    for one in expected:
        languages[one.language] = languages.get(one.language, 0) + 1
    assert dict(backend.languages(selection)) == languages
    query = unit(np.random.default_rng(5), 4, DIM).astype(np.float32)
    plan = Plan("colbert", query, 9, selection=selection, fetch=("mean",))
    (ranked,) = backend.search([plan])
    scores = maxsim([query], [p.vectors.colbert for p in expected])[0] if expected else []
    best = sorted(zip(scores, (p.key for p in expected), strict=True), reverse=True)[:9]
    assert [one.point.key for one in ranked] == [key for _, key in best]
    np.testing.assert_allclose([one.score for one in ranked], [s for s, _ in best], atol=1e-5)
    assert all(one.point.vectors.mean is not None for one in ranked)


@pytest.mark.parametrize("exact", [False, True])
def test_candidates_by_the_mean(backend, held, exact):
    query = unit(np.random.default_rng(6), 4, DIM).astype(np.float32)
    mean = query.mean(axis=0)
    plan = Plan("colbert", query, 60, (Candidates("mean", mean, 5),), exact=exact)
    (found,) = backend.search([plan])
    assert len(found) == 10, "five of each server"
    if exact:
        for shard in range(2):
            part = [
                p for p in held
                if backend._connections.servers.shard_of(p.key.id) == shard
            ]  # fmt: skip
            nearest = sorted(part, key=lambda p: -float(p.vectors.mean @ mean))[:5]
            assert {p.key for p in nearest} <= {one.point.key for one in found}


def test_terms_are_rare_in_the_whole_index(backend, held):
    heads = [p for p in held if p.is_head]
    asked = Sparse(np.array([3, 4_000_000_000]), np.array([1.0, 2.0], np.float32))
    plan = Plan("words", asked, 100, selection=Selection(heads=True), fetch=("words",))
    (found,) = backend.search([plan])
    having = {term: sum(term in p.vectors.words.ids for p in heads) for term in asked.ids.tolist()}
    idf = {t: math.log(1 + (len(heads) - n + 0.5) / (n + 0.5)) for t, n in having.items()}
    expected = {
        p.key: sum(
            float(w) * float(q) * idf[t]
            for t, q in zip(asked.ids.tolist(), asked.weights, strict=True)
            for term, w in zip(p.vectors.words.ids.tolist(), p.vectors.words.weights, strict=True)
            if term == t
        )
        for p in heads
    }
    assert {one.point.key for one in found} == set(expected)
    for one in found:
        assert one.score == pytest.approx(expected[one.point.key])
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_writing_and_deleting(fleet):
    backend = PostgresBackend.at(Address.parse(fleet.address()))
    backend.create(SETTINGS)
    backend.create(SETTINGS)
    before = points(12)
    backend.write(before)
    backend.write(before)
    assert backend.count(Selection()) == len(before)
    again = points(12, seed=1, rev=2)
    backend.write(again[:5])
    assert backend.count(Selection(before=2)) == len(before) - 5
    backend.delete(Selection(parse_where({"n": {"$gte": 3}})))
    assert backend.count(Selection()) == sum(p.metadata["n"] < 3 for p in before)
    asked = Sparse(np.array([4_000_000_000]), np.array([1.0], np.float32))
    (found,) = backend.search([Plan("words", asked, 100)])
    assert len(found) == 3, "terms go with their passage"
    backend.drop()
    assert not backend.exists()
    backend.close()


def test_what_is_kept_beside_the_points(backend):
    assert backend.read_side("codebook") == []
    data = bytes(range(256)) * 5_000
    backend.write_side("codebook", cut(data))
    backend.write_side("codebook", cut(data))
    assert joined(backend.read_side("codebook"), "it") == data
    backend.write_side("codebook", cut(b"short"))
    assert joined(backend.read_side("codebook"), "it") == b"short"


def test_a_name_stands_for_another_index_in_one_step(fleet):
    first, second = (PostgresBackend.at(Address.parse(fleet.address())) for _ in range(2))
    for backend, number in ((first, 3), (second, 6)):
        backend.create(SETTINGS)
        backend.write(points(number))
    served = PostgresBackend.at(Address.parse(fleet.address("served")))
    assert not served.exists()
    with pytest.raises(IndexNotFoundError):
        served.count(Selection())
    first.alias("served")
    assert served.count(Selection(heads=True)) == 3
    second.alias("served")
    first.drop()
    assert served.count(Selection(heads=True)) == 6
    taken = second.name.rpartition("/")[2]
    with pytest.raises(IndexExistsError, match="an index"):
        served.alias(taken)
    for backend in (first, second, served):
        backend.close()


def test_the_servers_must_be_those_that_it_was_made_with(fleet, backend):
    name = backend.name.rpartition("/")[2]
    swapped = (
        f"postgresql://postgres@127.0.0.1:{fleet.second.port}/postgres/{name}"
        f"?servers=127.0.0.1:{fleet.first.port}"
    )
    with pytest.raises(IndexMismatchError, match=r"has part 2 of 2 .* makes it part 1 of 2"):
        PostgresBackend.at(Address.parse(swapped)).exists()
    alone = f"postgresql://postgres@127.0.0.1:{fleet.first.port}/postgres/{name}"
    with pytest.raises(IndexMismatchError, match=r"has part 1 of 2 .* makes it part 1 of 1"):
        PostgresBackend.at(Address.parse(alone)).exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://h/db/n?server=h2", "no option 'server'"),
        ("postgresql://h/db/n?servers=h:5432", "names a server twice"),
        ("postgresql://h/db/n?servers=h2;DROP", "servers are written host:port"),
        ("postgresql://h/db/n?sslmode=maybe", "sslmode must be one of"),
        (f"postgresql://h/db/{'n' * 59}", "longer than 58 characters"),
    ],
)
def test_addresses_that_mean_nothing(address, said):
    with pytest.raises(ConfigError, match=said):
        PostgresBackend.at(Address.parse(address))


def test_nobody_listens():
    address = Address.parse("postgresql://postgres@127.0.0.1:1/postgres/n?retries=0&timeout=2")
    with pytest.raises(RemoteUnavailableError, match=r"127\.0\.0\.1:1\) cannot be reached"):
        PostgresBackend.at(address).exists()


def test_it_answers_as_a_folder_does(fleet, tmp_path, caplog):
    """The whole way: the same passages, ids and filters, in one folder and on two servers."""
    local = Retriever.open(tmp_path / "an.index", model="hash")
    with local, Retriever.open(fleet.address(), model="hash") as remote:
        for one in (local, remote):
            one.add(list(CORPUS.values()), ids=list(CORPUS), metadata=list(METADATA.values()))
        for question in ("the router of the library", "Kaffee", "lave-linge"):
            for where in (None, {"product": "router"}, {"year": {"$gte": 2023}}):
                before = local.search(question, k=5, where=where, mode="late")
                after = remote.search(question, k=5, where=where, mode="late")
                assert [hit.id for hit in before] == [hit.id for hit in after]
                np.testing.assert_allclose(
                    [hit.score for hit in before], [hit.score for hit in after], rtol=1e-3
                )
        assert remote.delete(where={"lang": {"$in": ["en", "de"]}}) == 3
        assert sorted(one.id for one in remote.passages()) == ["linge", "reinicio"]
    assert not [one for one in caplog.records if "has no index" in one.message]
