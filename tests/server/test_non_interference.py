"""Whatever two tenants of a server do, each is answered as by an index of its own, byte for byte.

Ids of requests and times aside. ``LFM2_COLBERT_HISTORIES`` says how many histories are tried.
"""

from __future__ import annotations

import json
import os
import re
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.server.access.callers import PARTIAL_SCOPES
from lfm2_colbert_rag.server.access.tokens import mint
from lfm2_colbert_rag.server.request import NDJSON

from ..retriever.tenants.histories import (
    TENANTS,
    filters,
    ids,
    modes,
    passage,
    queries,
    texts,
)

HISTORIES = int(os.environ.get("LFM2_COLBERT_HISTORIES", "20"))
PARTS = ({}, {}, {"where": {"n": {"$gte": 1}}}, {"fields": ["n"]})
_OWN = re.compile(rb'"(instance|took_ms|created|request_id)":("[^"]*"|[0-9.e-]+)')
ACCEPT = {"accept": "application/json, text/event-stream"}


def present(members):
    return {name: value for name, value in members.items() if value is not None}


def body(**members):
    return st.fixed_dictionaries(members).map(present)


def called(tool, **arguments):
    return body(**arguments).map(
        lambda drawn: {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": drawn},
        }
    )


INDEX = st.just("INDEX")
new = passage.map(present)
asked = {"k": st.integers(1, 12), "where": filters, "mode": modes}
steps = st.one_of(
    st.tuples(
        *(st.just("PUT"), st.just("passages"), body(passages=st.lists(new, max_size=12))),
    ),
    st.tuples(st.just("STREAM"), st.just(""), st.lists(new, max_size=6)),
    *(
        st.tuples(st.just("POST"), st.just(path), drawn)
        for path, drawn in (
            ("search", body(query=queries, evidence=st.booleans(), **asked)),
            ("search", body(query=queries, evidence=st.just(True), **asked)),
            ("search", body(queries=st.lists(queries, min_size=1, max_size=3), **asked)),
            ("search", body(query=queries, diversity=st.just(0.4), k=st.just(5), where=filters)),
            ("rank", body(queries=st.lists(queries, max_size=3), **asked)),
            ("rerank", body(query=queries, candidates=st.lists(texts, max_size=4))),
            ("explain", body(query=queries, id=ids)),
            ("plan", body(query=queries, **asked)),
            ("count", body(where=filters)),
            ("passages:get", body(ids=st.lists(ids, max_size=4))),
            ("passages:list", body(where=filters, limit=st.none() | st.integers(1, 5))),
            ("passages:list", body(after=ids)),
            ("passages:delete", body(ids=st.lists(ids, max_size=3))),
            ("passages:delete", body(where=filters)),
            ("passages:delete", st.just({"all": True})),
        )
    ),
    # Paths of other APIs begin at the root; INDEX stands for the index in them and in bodies.
    *(
        st.tuples(st.just("POST"), st.just(path), drawn)
        for path, drawn in (
            (
                "/v2/rerank",
                body(
                    query=queries,
                    documents=st.lists(texts, max_size=4),
                    model=st.just("INDEX"),
                    relevant_spans=st.just({"mode": "enabled"}),
                ),
            ),
            ("/rerank", body(query=queries, texts=st.lists(texts, max_size=4), model=INDEX)),
            ("/score", body(text_1=queries, text_2=st.lists(texts, max_size=4), model=INDEX)),
            ("/dify/retrieval", body(query=queries, knowledge_id=INDEX)),
            ("/v1/vector_stores/INDEX/search", body(query=queries)),
            ("/mcp/INDEX", called("search", query=queries, where=filters)),
            ("/mcp/INDEX", called("fetch", ids=st.lists(ids, max_size=3))),
            ("/mcp/INDEX", called("stats")),
        )
    ),
    st.tuples(st.just("GET"), st.just("/v1/vector_stores/INDEX"), st.none()),
    st.tuples(st.just("GET"), ids.map(lambda id: f"passages/{quote(id, safe='')}"), st.none()),
    st.tuples(st.just("GET"), st.just(""), st.none()),
)
history = st.lists(
    st.tuples(st.sampled_from(TENANTS), st.integers(0, len(PARTS) - 1), steps),
    min_size=4,
    max_size=20,
)


@pytest.fixture(scope="module")
def tokens(shared):
    """Make a token for each tenant and part of what it has."""
    parent = shared.key(PARTIAL_SCOPES, rate=1e6)
    return {
        (tenant, place): mint(parent, tenant=tenant, expires_in=24 * 3600, **part)
        for tenant in TENANTS
        for place, part in enumerate(PARTS)
    }


@pytest.fixture(scope="module")
def indexes(shared):
    """Make an index for both, and one for each alone."""
    names = ("of-them-all", *(f"of-{tenant}" for tenant in TENANTS))
    for name in names:
        made = shared.ask("POST", "/v1/indexes", {"name": name, "storage": "exact"})
        assert made.status_code == 201
    return names


@given(taken=history)
@settings(
    max_examples=HISTORIES,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
def test_each_tenant_is_answered_as_by_an_index_of_its_own(shared, tokens, indexes, taken):
    for tenant in TENANTS:
        for name in ("of-them-all", f"of-{tenant}"):
            everything = {"all": True}
            path = f"/v1/indexes/{name}/passages:delete"
            assert shared.ask("POST", path, everything, key=tokens[tenant, 0]).is_success
    for tenant, part, step in taken:
        both, alone = (
            answer(shared, name, tokens[tenant, part], step)
            for name in ("of-them-all", f"of-{tenant}")
        )
        assert both == alone


def answer(server, index, key, step):
    method, path, sent = step
    whole = f"/v1/indexes/{index}{'/' if path else ''}{path}"
    if method == "STREAM":
        lines = "\n".join(map(json.dumps, sent))
        headers = {"content-type": NDJSON, "accept": NDJSON}
        path = f"/v1/indexes/{index}/passages:stream"
        found = server.ask("POST", path, key=key, content=lines.encode(), headers=headers)
    elif path.startswith("/"):
        sent = json.loads(json.dumps(sent).replace('"INDEX"', f'"{index}"'))
        path = path.replace("INDEX", index)
        found = server.ask(method, path, sent, key=key, headers=ACCEPT)
    else:
        found = server.ask(method, whole, sent, key=key)
    own = {"x-request-id", "date", "content-length"}
    headers = {name: value for name, value in found.headers.items() if name not in own}
    content = found.content.replace(index.encode(), b"INDEX")
    content = content.replace(found.headers["x-request-id"].encode(), b"ID")
    return found.status_code, headers, _OWN.sub(b"", content)
