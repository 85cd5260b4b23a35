"""What tenants may not write or see, and what a server does when there is too much of something."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.server.access.callers import PARTIAL_SCOPES
from lfm2_colbert_rag.server.access.tokens import mint
from lfm2_colbert_rag.server.bodies import MOST_HITS, MOST_PASSAGES, MOST_QUERIES
from lfm2_colbert_rag.server.indexes import Shelf

from .running import running, start


@pytest.fixture
def parent(shared):
    return shared.key(PARTIAL_SCOPES)


def test_nobody_writes_for_another_tenant(shared, index, parent):
    shared.make(index)
    acme = mint(parent, tenant="acme", expires_in=60)
    path = f"/v1/indexes/{index}/passages"
    for odd in ({"tenant": "beta"}, {"tenant": None}, {"tenant": ["acme"]}):
        body = {"passages": [{"id": "1", "text": "a key", "metadata": odd}]}
        refused = shared.ask("PUT", path, body, key=acme)
        assert (refused.status_code, refused.json()["code"]) == (400, "input")
    body = {"passages": [{"id": "beta\x1f1", "text": "a key"}]}
    assert shared.ask("PUT", path, body, key=acme).is_success
    beta = mint(parent, tenant="beta", expires_in=60)
    for ask in ("count", "passages:delete"):
        asked = {} if ask == "count" else {"all": True}
        found = shared.ask("POST", f"/v1/indexes/{index}/{ask}", asked, key=beta).json()
        assert list(found.values()) == [0]
    assert shared.ask("POST", f"/v1/indexes/{index}/count", {}, key=acme).json() == {"count": 1}


def test_fields_that_a_token_does_not_name_are_not_seen(shared, index, parent):
    shared.make(index)
    acme = mint(parent, tenant="acme", expires_in=60)
    passage = {"id": "1", "text": "a key", "metadata": {"title": "Keys", "wage": 7}}
    path = f"/v1/indexes/{index}"
    assert shared.ask("PUT", f"{path}/passages", {"passages": [passage]}, key=acme).is_success
    narrow = mint(parent, tenant="acme", fields=["title"], expires_in=60)
    assert shared.ask("GET", f"{path}/passages/1", key=narrow).json()["metadata"] == {
        "title": "Keys"
    }
    assert "wage" not in shared.ask("GET", path, key=narrow).text
    for where in ({"wage": 7}, {"$not": {"wage": {"$gt": 6}}}, {"tenant": "acme"}):
        refused = shared.ask("POST", f"{path}/count", {"where": where}, key=narrow)
        assert (refused.status_code, refused.json()["code"]) == (400, "filter")


@pytest.mark.parametrize(
    ("route", "good", "bad"),
    [
        ("search", {"query": "a" * 4096}, {"query": "a" * 4097}),
        ("search", {"query": "a", "k": MOST_HITS}, {"query": "a", "k": MOST_HITS + 1}),
        ("rank", {"queries": ["a"] * MOST_QUERIES}, {"queries": ["a"] * (MOST_QUERIES + 1)}),
        (
            "passages:get",
            {"ids": ["a"] * MOST_PASSAGES},
            {"ids": ["a"] * (MOST_PASSAGES + 1)},
        ),
        ("passages:get", {"ids": ["a" * 512]}, {"ids": ["a" * 513]}),
        (
            "count",
            {"where": {"n": {"$in": list(range(10_000))}}},
            {"where": {"n": {"$in": list(range(10_001))}}},
        ),
    ],
)
def test_a_limit_is_where_it_is_said_to_be(server, index, route, good, bad):
    server.make(index, {"1": "a key"})
    assert server.ask("POST", f"/v1/indexes/{index}/{route}", good).is_success
    refused = server.ask("POST", f"/v1/indexes/{index}/{route}", bad)
    assert refused.status_code == 400


def test_more_passages_than_one_commit_takes_are_refused_whole(server, index):
    server.make(index)
    path = f"/v1/indexes/{index}/passages"
    many = {"passages": [{"text": f"a {one}"} for one in range(MOST_PASSAGES + 1)]}
    refused = server.ask("PUT", path, many)
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (400, "$.passages")
    assert server.ask("POST", f"/v1/indexes/{index}/count", {}).json() == {"count": 0}


@pytest.mark.subprocess
def test_too_many_searches_are_told_to_come_back_and_the_others_are_answered(tmp_path):
    with running(tmp_path, "--searches", "1", "--queue", "4") as server:
        server.make("docs", {str(one): f"door number {one}" for one in range(120)})
        keys = [server.key(["search"], rate=1e6) for _ in range(4)]
        together = threading.Barrier(24)

        def ask(place):
            with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
                together.wait(60)
                return client.post(
                    "/v1/indexes/docs/search",
                    json={"query": f"door {place}", "k": 100, "evidence": True},
                    headers={"authorization": f"Bearer {keys[place % 4]}"},
                )

        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(ask, range(24)))
        statuses = {one.status_code for one in answers}
        assert statuses == {200, 503}
        for one in answers:
            if one.status_code == 503:
                assert one.json()["code"] == "overloaded"
                assert int(one.headers["retry-after"]) >= 1
        assert server.ask("POST", "/v1/indexes/docs/search", {"query": "a door"}).is_success


@pytest.mark.slow
@pytest.mark.subprocess
def test_two_servers_on_one_folder_see_one_anothers_commits(tmp_path):
    with running(tmp_path) as one:
        one.make("docs", {"1": "a key"})
        other = start(tmp_path, one.keys, one.admin)
        try:
            for place, server in enumerate((one, other) * 3):
                body = {"passages": [{"id": f"p{place}", "text": f"door {place}"}]}
                added = server.ask("PUT", "/v1/indexes/docs/passages", body)
                assert added.is_success, added.text
            for server in (one, other):
                assert server.ask("POST", "/v1/indexes/docs/count", {}).json() == {"count": 7}
        finally:
            other.stop()


def test_a_thousand_indexes_are_listed_and_few_are_open(tmp_path):
    """Each is a copy of one, and opened when it is asked for."""
    first = tmp_path / "index-0"
    Retriever.open(first, model="hash").close()
    catalog = (first / "catalog.sqlite").read_bytes()
    for place in range(1, 1000):
        (tmp_path / f"index-{place}").mkdir()
        (tmp_path / f"index-{place}" / "catalog.sqlite").write_bytes(catalog)
    (tmp_path / "Not_a_name!").mkdir()
    (tmp_path / "link").symlink_to(first)
    shelf = Shelf(tmp_path, most=4, read_only=True)
    try:
        assert len(shelf.names()) == 1000
        assert not shelf.has("link")
        for place in range(40):
            with shelf.lend_index(f"index-{place}") as opened:
                assert len(opened) == 0
            assert len(shelf.opened()) <= 4
    finally:
        shelf.close()
