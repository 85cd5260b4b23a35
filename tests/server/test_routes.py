"""The table of routes: each asks for the scope that it declares, and shows no tenant another's."""

from __future__ import annotations

import json
import time

import pytest

from lfm2_colbert_rag.server.access.callers import PARTIAL_SCOPES, SCOPES
from lfm2_colbert_rag.server.access.tokens import mint
from lfm2_colbert_rag.server.audit.verifying import verify_log
from lfm2_colbert_rag.server.openapi import document
from lfm2_colbert_rag.server.problems import CODES, Problem
from lfm2_colbert_rag.server.request import NDJSON
from lfm2_colbert_rag.server.routes import ROUTES

from .running import waiting

KEYED = [route for route in ROUTES if route.scope is not None]
OF_AN_INDEX = [route for route in KEYED if "{index}" in route.path and route.scope != "admin"]

TOOL_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "search", "arguments": {"query": "the key"}},
}

# A body for each route that has one, such that it is answered well.
BODIES = {
    "create_index": {"name": "made"},
    "search": {"query": "the key"},
    "rank": {"queries": ["the key"]},
    "rerank": {"query": "the key", "candidates": ["a key", "a door"]},
    "explain": {"query": "the key", "id": "one"},
    "plan": {"query": "the key"},
    "count": {},
    "get_passages": {"ids": ["one"]},
    "list_passages": {},
    "delete_passages": {"ids": ["none such"]},
    "add_passages": {"passages": [{"id": "two", "text": "another"}]},
    "begin_job": {"kind": "verify"},
    "create_key": {"name": "made", "expires_in": 60},
    "create_token": {"expires_in": 60},
    "rerank_documents": {"query": "the key", "documents": ["a key", "a door"]},
    "rerank_documents_v1": {"query": "the key", "documents": [{"text": "a key"}], "model": "INDEX"},
    "rerank_documents_v2": {"query": "the key", "texts": ["a key", "a door"]},
    "rerank_documents_infinity": {"query": "the key", "documents": ["a key"]},
    "score_documents": {"text_1": "the key", "text_2": ["a key", "a door"], "model": "INDEX"},
    "score_documents_v1": {"queries": ["the key"], "documents": ["a key"]},
    "call_tools": TOOL_CALL,
    "call_tools_of_index": TOOL_CALL,
    "retrieve_knowledge": {"knowledge_id": "INDEX", "query": "the key"},
    "search_vector_store": {"query": "the key"},
}


def ask(server, route, index, key, **named):
    path = route.path.replace("{index}", index).replace("{id:path}", named.get("id", "one"))
    path = path.replace("{job}", named.get("job", "none")).replace("{day}", "2000-01-01")
    path = path.replace("{key}", named.get("key", "none")).replace("{model}", index)
    if route.name == "stream_passages":
        headers = {"content-type": NDJSON}
        line = json.dumps({"id": "three", "text": "a third"})
        return server.ask(route.method, path, key=key, content=line, headers=headers)
    body = json.loads(json.dumps(BODIES.get(route.name)).replace("INDEX", index))
    headers = {"accept": "application/json, text/event-stream"}
    return server.ask(route.method, path, body, key=key, headers=headers)


def code_of(answer):
    body = answer.json()
    return body.get("error_code") or body["code"]


def test_the_document_and_the_router_are_one(server):
    spec = document("1", ROUTES)
    declared = {
        (method.upper(), path) for path, methods in spec["paths"].items() for method in methods
    }
    described = [one for one in ROUTES if one.is_described]
    assert declared == {(one.method, one.path.replace(":path}", "}")) for one in described}
    assert {one.api for one in ROUTES if not one.is_described} == {"mcp"}
    names = [one["operationId"] for path in spec["paths"].values() for one in path.values()]
    assert len(set(names)) == len(names)
    for path in {one.path for one in ROUTES}:
        known = {one.method for one in ROUTES if one.path == path}
        plain = path.replace("{index}", "none").replace("{id:path}", "x")
        plain = plain.replace("{job}", "x").replace("{day}", "x").replace("{key}", "x")
        plain = plain.replace("{model}", "x")
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - known:
            answer = server.ask(method, plain)
            if answer.status_code == 405:
                assert answer.headers["allow"] == ", ".join(sorted(known))
            else:  # another route's literal path
                assert any(one.method == method for one in ROUTES if one.path != path)


def test_every_code_has_a_status_and_every_schema_is_whole():
    spec = document("1", ROUTES)
    text = json.dumps(spec)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in spec["components"]["schemas"]
    assert all(400 <= status < 600 for status in CODES.values())


@pytest.fixture(scope="module")
def keys(server):
    """Make a key for each scope."""
    return {scope: server.key([scope]) for scope in sorted(SCOPES)}


@pytest.fixture(scope="module")
def strangers(server):
    """Make headers of those who may not come in."""
    expired = server.key(["search"], expires=time.time() + 0.05)
    revoked = server.key(SCOPES)
    assert server.ask("GET", "/v1/indexes", key=revoked).is_success
    server.keys.revoke(revoked.split("_")[1])
    for _ in waiting():
        if not server.ask("GET", "/v1/indexes", key=revoked).is_success:
            break
    old = mint(server.admin, expires_in=60, clock=lambda: time.time() - 3600)
    return {
        "no key": {},
        "malformed": {"authorization": "Bearer nothing"},
        "not ours": {"authorization": f"Bearer {server.admin[:-3]}abc"},
        "expired": {"authorization": f"Bearer {expired}"},
        "revoked": {"authorization": f"Bearer {revoked}"},
        "twice": {"authorization": f"Bearer {server.admin}", "api-key": server.admin},
        "old token": {"authorization": f"Bearer {old}"},
    }


@pytest.mark.parametrize("route", KEYED, ids=lambda one: one.name)
def test_a_route_lets_in_its_own_scope_only(server, index, keys, route):
    server.make(index, {"one": "Hold the key."})
    for scope in set() if route.scope == "any" else SCOPES - {route.scope}:
        answer = ask(server, route, index, keys[scope])
        assert answer.status_code == 403, scope
        assert code_of(answer) in ("forbidden", 1002)
    if "{index}" in route.path:
        others = server.key([route.scope], indexes=["none-such"])
        assert code_of(ask(server, route, index, others)) == "index-not-found"
    if route.name == "drop_index":
        return
    own = ask(server, route, index, keys["search" if route.scope == "any" else route.scope])
    # The last: the key sees several indexes, and the path names none.
    unnamed = ("get_job", "cancel_job", "read_audit", "revoke_key", "call_tools")
    expected = 404 if route.name in unnamed else route.status
    assert own.status_code in (expected, 409), own.text


@pytest.mark.parametrize("route", KEYED, ids=lambda one: one.name)
def test_a_route_lets_in_nobody_without_a_living_key(server, strangers, route):
    path = route.path.replace("{index}", "none").replace("{id:path}", "one")
    for why, headers in strangers.items():
        answer = server.client.request(route.method, path, headers=headers)
        assert answer.status_code in (route.told(Problem("unauthorized"), "").status, 429), why
        assert code_of(answer) in ("unauthorized", "rate-limited", 1001, 1002)
        assert answer.headers.get("www-authenticate") == "Bearer" or answer.status_code == 429


@pytest.mark.parametrize("route", OF_AN_INDEX, ids=lambda one: one.name)
def test_another_tenants_passages_are_those_that_never_were(shared, index, route):
    shared.make(index)
    scopes = [route.scope, "read", "write"]
    acme, beta = (shared.key(scopes, tenant=name) for name in ("acme", "beta"))
    path = f"/v1/indexes/{index}/passages"
    body = {"passages": [{"id": "one", "text": "Hold the key."}]}
    assert shared.ask("PUT", path, body, key=acme).status_code == 200
    found = ask(shared, route, index, beta, id="one")
    untouched = shared.ask("GET", f"{path}/one", key=acme)
    assert untouched.json() == {"id": "one", "text": "Hold the key.", "metadata": {}}
    assert "Hold" not in found.text
    empty = f"{index}-empty"
    shared.make(empty)
    never = ask(shared, route, empty, beta, id="one")
    assert never.status_code == found.status_code
    assert without_times(never, empty) == without_times(found, index)


def without_times(answer, index):
    body = answer.text.replace(index, "INDEX").replace(answer.headers["x-request-id"], "ID")
    return body.split('"took_ms"')[0]


def test_where_passages_belong_to_tenants_a_key_without_one_reads_none(shared, index):
    shared.make(index)
    for route in OF_AN_INDEX:
        answer = ask(shared, route, index, shared.admin)
        if route.name == "call_tools_of_index":  # told to whoever called the tool
            assert "names no tenant" in answer.text
            continue
        assert (answer.status_code, answer.json()["code"]) == (403, "tenant-required"), route.name


def test_a_tenants_token_is_all_that_a_back_end_hands_out(shared, index):
    shared.make(index)
    parent = shared.key(PARTIAL_SCOPES)
    acme = mint(parent, tenant="acme", indexes=[index], scopes=["search", "write"], expires_in=60)
    body = {"passages": [{"id": "one", "text": "Hold the key.", "metadata": {"n": 1}}]}
    assert shared.ask("PUT", f"/v1/indexes/{index}/passages", body, key=acme).status_code == 200
    found = shared.ask("POST", f"/v1/indexes/{index}/search", {"query": "key"}, key=acme).json()
    assert [hit["id"] for hit in found["results"][0]["hits"]] == ["one"]
    narrow = mint(parent, tenant="acme", where={"n": 2}, expires_in=60)
    found = shared.ask("POST", f"/v1/indexes/{index}/search", {"query": "key"}, key=narrow).json()
    assert found["results"][0]["hits"] == []
    refused = shared.ask("PUT", f"/v1/indexes/{index}/passages", body, key=narrow)
    assert (refused.status_code, refused.json()["code"]) == (403, "read-only")
    read = shared.ask("POST", f"/v1/indexes/{index}/count", {}, key=acme)
    assert read.status_code == 403


def test_administration_is_for_keys_that_see_an_index_whole(server, index):
    server.make(index)
    narrow = server.key(["search"], where={"n": 1})
    assert server.ask("POST", f"/v1/indexes/{index}/search", {"query": "a"}, key=narrow).is_success
    for left in ("unknown", "x" * 300, "..", "%2e%2e", "a%2fb"):
        answer = server.ask("GET", f"/v1/indexes/{left}")
        assert answer.status_code == 404, left


def test_the_audit_log_can_be_read_and_verified_elsewhere(server, index, tmp_path):
    server.make(index, {"1": "a key"})
    key = server.key(["audit"])
    days = server.ask("GET", "/v1/audit", key=key).json()["days"]
    assert days
    folder = tmp_path / "copy"
    folder.mkdir(mode=0o700)
    for one in days:
        lines = server.ask("GET", f"/v1/audit/{one['day']}", key=key)
        assert lines.headers["content-type"] == NDJSON
        (folder / f"audit-{one['day']}.jsonl").write_bytes(lines.content)
    assert verify_log(folder).problems == ()
    assert index in lines.text
    for odd in ("2000-01-01", "..", "%2e%2e%2fkeys.json", "audit.lock", ""):
        assert server.ask("GET", f"/v1/audit/{odd}", key=key).status_code == 404
    narrow = server.key(["audit"], indexes=[index])
    assert server.ask("GET", "/v1/audit", key=narrow).json()["code"] == "forbidden"
