"""Keys over the network: nobody hands out more than he has."""

from __future__ import annotations

import time

import pytest

from lfm2_colbert_rag.server.access.callers import PARTIAL_SCOPES, SCOPES
from lfm2_colbert_rag.server.access.tokens import mint

from .running import waiting


def make(server, key, **body):
    return server.ask("POST", "/v1/keys", {"name": "made", **body}, key=key)


def listed(server, key):
    return {one["id"]: one for one in server.ask("GET", "/v1/keys", key=key).json()["keys"]}


def test_a_key_that_is_made_works_until_it_is_revoked(server, index):
    server.make(index, {"one": "Hold the key."})
    answer = make(server, server.admin, name=f"{index}-made", scopes=["search"], indexes=[index])
    assert answer.status_code == 201
    made = answer.json()
    text = made.pop("key")
    path = f"/v1/indexes/{index}/search"
    assert server.ask("POST", path, {"query": "key"}, key=text).is_success
    assert server.ask("GET", f"/v1/indexes/{index}/passages/one", key=text).status_code == 403
    shown = server.ask("GET", "/v1/keys")
    assert listed(server, server.admin)[made["id"]] == made
    assert text not in shown.text
    assert "sha256" not in shown.text
    for _ in range(2):  # once more changes nothing
        revoked = server.ask("DELETE", f"/v1/keys/{made['id']}")
        assert revoked.json()["revoked"] is not None
    for _ in waiting():
        if server.ask("POST", path, {"query": "key"}, key=text).status_code == 401:
            break
    assert server.ask("DELETE", "/v1/keys/a2a2a2a2").json()["code"] == "key-not-found"
    by_name = server.ask("DELETE", f"/v1/keys/{index}-made")
    assert by_name.json()["code"] == "key-not-found"


@pytest.mark.parametrize(
    "more",
    [
        {"scopes": ["admin", "audit"]},
        {"scopes": ["search"]},
        {"indexes": ["another"]},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"indexes": []},
        {"tenant": "acme"},
        {"where": {"$no": 1}},
        {"expires_in": 0},
        {"rate": -1},
        {"name": " "},
        {"unknown": 1},
    ],
)
def test_a_key_never_makes_another_for_more_than_its_own(server, more):
    key = server.key(["admin"], indexes=["one"])
    before = listed(server, server.admin)
    answer = make(server, key, **more)
    assert answer.status_code == 400, answer.text
    assert listed(server, server.admin) == before


def test_a_key_that_is_made_ends_and_asks_as_the_one_that_made_it(server):
    ends = time.time() + 3600
    key = server.key(SCOPES, indexes=["one", "two"], expires=ends, rate=5)
    inherited = make(server, key, name="inherited").json()
    assert inherited["scopes"] == sorted(SCOPES)
    assert (inherited["expires"], inherited["rate"]) == (ends, 5)
    assert inherited["indexes"] == ["one", "two"]
    later = make(server, key, name="later", expires_in=1e6, rate=50, indexes=["one"]).json()
    assert (later["expires"], later["rate"], later["indexes"]) == (ends, 5, ["one"])
    sooner = make(server, key, name="sooner", expires_in=60, rate=1).json()
    assert sooner["expires"] < ends
    assert sooner["rate"] == 1


def test_a_key_for_some_indexes_sees_and_revokes_only_keys_for_these(server):
    all_, one, two = (
        server.key(SCOPES, indexes=given) for given in (None, ["one"], ["one", "two"])
    )
    id_of = {key: key.split("_")[1] for key in (all_, one, two)}
    assert id_of[one] in listed(server, one)
    assert not {id_of[all_], id_of[two]} & set(listed(server, one))
    assert {id_of[one], id_of[two]} <= set(listed(server, two))
    for other in (all_, two):
        refused = server.ask("DELETE", f"/v1/keys/{id_of[other]}", key=one)
        assert refused.json()["code"] == "key-not-found"
    assert server.ask("DELETE", f"/v1/keys/{id_of[one]}", key=two).is_success


def test_tokens_make_neither_keys_nor_tokens(server):
    token = mint(server.admin, expires_in=60)
    id = server.key(["search"]).split("_")[1]
    for answer in (
        make(server, token),
        server.ask("DELETE", f"/v1/keys/{id}", key=token),
        server.ask("POST", "/v1/tokens", {"expires_in": 60}, key=token),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_token_is_that_which_a_back_end_would_have_made(shared, index):
    shared.make(index)
    parent = shared.key(PARTIAL_SCOPES)
    body = {"tenant": "acme", "scopes": ["search", "write"], "subject": "user 7", "expires_in": 60}
    answer = shared.ask("POST", "/v1/tokens", body, key=parent)
    assert answer.status_code == 201
    assert answer.json()["expires"] <= time.time() + 60
    token = answer.json()["token"]
    passages = {"passages": [{"id": "one", "text": "Hold the key."}]}
    assert shared.ask("PUT", f"/v1/indexes/{index}/passages", passages, key=token).is_success
    found = shared.ask("POST", f"/v1/indexes/{index}/search", {"query": "key"}, key=token).json()
    assert [hit["id"] for hit in found["results"][0]["hits"]] == ["one"]
    assert shared.ask("POST", f"/v1/indexes/{index}/count", {}, key=token).status_code == 403
    narrow = shared.key(PARTIAL_SCOPES, tenant="beta")
    for more in ({"tenant": "acme"}, {"scopes": ["admin"]}, {"expires_in": 1e6}, {"unknown": 1}):
        refused = shared.ask("POST", "/v1/tokens", more, key=narrow)
        assert refused.status_code == 400, refused.text
