"""What reranking and agents' calls cost, one at a time."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterable
from typing import Any

from ..harness import percentiles
from .bench import PERCENTS, Bench, Figures

CALLS = 100
ACCEPT = "application/json, text/event-stream"


class Caller:
    """Posts bodies over one connection, and takes the time."""

    def __init__(self, bench: Bench) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", bench.served.port)
        self._headers = {
            "authorization": f"Bearer {bench.served.key}",
            "content-type": "application/json",
            "accept": ACCEPT,
        }

    def seconds(self, path: str, body: dict[str, Any]) -> float:
        """Return how long an answer took."""
        began = time.perf_counter()
        self._connection.request("POST", path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return time.perf_counter() - began

    def times(self, path: str, bodies: Iterable[dict[str, Any]]) -> Figures:
        """Return percentiles over calls; the first of them only warms up."""
        return percentiles([self.seconds(path, body) for body in bodies][1:], PERCENTS)


def rerank(bench: Bench) -> Figures:
    """Rerank fifty texts that the index holds, and fifty that it does not; twenty again."""
    caller, queries = Caller(bench), bench.take(3 * CALLS)
    spread = len(bench.texts) // 50

    def held(number: int) -> list[str]:
        return [bench.texts[(number + place * spread) % len(bench.texts)] for place in range(50)]

    def bodies(change: str, often: int, few: int = 50) -> list[dict[str, Any]]:
        return [
            {
                "query": queries[number],
                # Another word makes another text, of the same length.
                "documents": [
                    f"{change.format(number)}{text}" for text in held(number % often)[:few]
                ],
            }
            for number in range(CALLS)
        ]

    in_index = caller.times("/v2/rerank", bodies("", CALLS))
    unknown = caller.times("/v2/rerank", bodies("{} ", CALLS))
    again = caller.times("/v2/rerank", bodies("again ", 1, 20))
    return {
        "50 in the index": in_index,
        "50 unknown": unknown,
        "in the index / unknown": in_index["p50_ms"] / unknown["p50_ms"],
        "20 reranked before": again,
    }


def tools(bench: Bench) -> Figures:
    """Search as an agent does, in turn with our own API."""
    caller, native, agents = Caller(bench), list[float](), list[float]()
    own = f"/v1/indexes/{bench.index}/search"
    for query in bench.take(CALLS):
        arguments = {"query": query, "k": 5}
        native.append(caller.seconds(own, arguments | {"evidence": True}))
        call = {"name": "search", "arguments": arguments | {"query": f"{query} "}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        agents.append(caller.seconds("/mcp", body))
    mine, theirs = percentiles(native[5:], PERCENTS), percentiles(agents[5:], PERCENTS)
    return {"own API": mine, "MCP": theirs, "added": {k: theirs[k] - mine[k] for k in mine}}
