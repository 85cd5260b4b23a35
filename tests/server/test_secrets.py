"""What nobody may read afterwards: questions, texts, metadata, ids and keys are in no log."""

from __future__ import annotations

import json
import re

from lfm2_colbert_rag.server.access.callers import PARTIAL_SCOPES
from lfm2_colbert_rag.server.access.tokens import mint

from .running import running

CANARIES = {name: f"canary{name}9f3a" for name in ("query", "text", "key", "value", "id", "tenant")}
NDJSON = {"content-type": "application/x-ndjson"}


def test_nothing_that_was_asked_or_stored_is_written_down_or_counted(tmp_path):
    options = ("--isolation", "view", "--audit-log", str(tmp_path / "audit"), "--audit", "all")
    with running(tmp_path, *options) as server:
        server.make("docs")
        tenant = CANARIES["tenant"]
        parent = server.key(PARTIAL_SCOPES)
        token = mint(parent, tenant=tenant, expires_in=600)
        answers = list(everything(server, token))
        answers.append(server.ask("GET", "/metrics"))
        metrics = answers[-1].text
        refusals = [one.text for one in answers if not one.is_success]
        assert len(refusals) > 8
        secrets = [parent, parent.split("_")[2], token, token.split(".")[2], server.admin]
    audit = "".join(file.read_text() for file in (tmp_path / "audit").glob("*.jsonl"))
    log = server.log.read_text()
    assert len(audit.splitlines()) > len(answers)
    for canary in (*CANARIES.values(), *secrets):
        assert canary not in metrics
        assert canary not in log
        # Whose passages were read, and by which fields, is what an audit log is for.
        assert canary not in audit or canary in (tenant, CANARIES["key"])
    for canary in CANARIES.values():
        assert not [one for one in refusals if canary in one]
    for secret in secrets:
        kept = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert not [file for file in kept if secret.encode() in file.read_bytes()]


def everything(server, token):
    """Ask well and badly, with a canary wherever one can stand."""
    query, text, id, key, value = (CANARIES[one] for one in ("query", "text", "id", "key", "value"))
    index = "/v1/indexes/docs"

    def ask(method, path, body=None, **more):
        return server.ask(method, path, body, key=token, **more)

    passage = {"id": id, "text": text, "metadata": {key: value}}
    yield ask("PUT", f"{index}/passages", {"passages": [passage]})
    yield ask(
        "PUT",
        f"{index}/passages",
        {"passages": [passage | {"metadata": {key: [value] * 2}, "colour": 1}]},
    )
    yield ask("PUT", f"{index}/passages", {"passages": [{"text": {query: value}}]})
    lines = json.dumps(passage) + "\n" + json.dumps({"text": 3, "id": id, "colour": text}) + "\n"
    yield ask("POST", f"{index}/passages:stream", content=lines, headers=NDJSON)
    tenant = passage | {"metadata": {"tenant": value}}
    yield ask("PUT", f"{index}/passages", {"passages": [tenant]})
    for where in ({key: value}, {key: {"$near": value}}, {"$or": value}, {"$bad": query}):
        yield ask("POST", f"{index}/search", {"query": query, "where": where, "evidence": True})
        yield ask("POST", f"{index}/count", {"where": where})
        yield ask("POST", f"{index}/passages:delete", {"where": where, "colour": value})
    yield ask("POST", f"{index}/search", {"query": query * 1000})
    yield ask("POST", f"{index}/search", {"query": query, "colour": value})
    yield ask(
        "POST",
        f"{index}/search",
        content=f'{{"query":"{query}',
        headers={"content-type": "application/json"},
    )
    yield ask("POST", f"{index}/explain", {"query": query, "id": id + "x"})
    yield ask("POST", f"{index}/explain", {"query": query, "id": id})
    yield ask("GET", f"{index}/passages/{id}x")
    yield ask("GET", f"/v1/indexes/{value.lower()}")
    yield ask("GET", f"/{query}/{value}?{key}={text}")
    yield ask(
        "POST", f"{index}/rerank", {"query": query, "candidates": [text, {"id": id, "text": text}]}
    )
    yield server.client.get("/v1/indexes", headers={"authorization": f"Bearer {query}"})
    yield server.client.get("/v1/indexes", params={"api-key": token})
    odd = {"x-request-id": f"{query}\r\n{value}".replace("\r\n", "%0d%0a"), "user-agent": text}
    yield ask("GET", "/v1/indexes", headers=odd)


def test_ids_of_requests_are_the_clients_own_where_they_are_plain(server):
    answer = server.ask("GET", "/v1/indexes", headers={"x-request-id": "trace-1.2"})
    assert answer.headers["x-request-id"] == "trace-1.2"
    for odd in ("a b", "é", "x" * 200, "<script>"):
        found = server.client.get("/livez", headers={"x-request-id": odd.encode()})
        assert re.fullmatch(r"[0-9a-f-]{36}", found.headers["x-request-id"])
