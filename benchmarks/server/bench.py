"""What the parts work with, and how they sum up what clients were told."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from lfm2_colbert_rag import Retriever

from ..harness import percentiles
from .load import Plan, bodies
from .serving import Served

Figures = dict[str, Any]
PERCENTS = (50, 95, 99)


@dataclass
class Bench:
    """What a part works with.

    Attributes:
        served: the server.
        own: the same index, in this process.
        index: its name.
        texts: its passages.
        asked: questions, each to be asked once.
        seconds: for which a part lasts.
        requests: of the soak.
    """

    served: Served
    own: Retriever
    index: str
    texts: list[str]
    asked: list[str]
    seconds: float
    requests: int

    def take(self, number: int) -> list[str]:
        """Return so many questions that were not asked before, as long as there are any."""
        taken, self.asked = self.asked[:number], self.asked[number:]
        return taken

    def plan(self, queries: list[str], **how: Any) -> Plan:
        """Return how to ask some questions."""
        path = f"/v1/indexes/{self.index}/search"
        return Plan(self.served.port, self.served.key, path, bodies(queries), **how)


def summary(told: list[tuple[float, float, int, bool]], seconds: float) -> Figures:
    """Return how many requests were answered, and how fast."""
    return {
        "requests": len(told),
        "a second": len(told) / seconds,
        **percentiles([one[1] for one in told], PERCENTS),
        "errors": sum(one[2] != 200 for one in told),
    }


def stream(bench: Bench) -> int:
    """Send all passages again, with a word before each, and return how many were committed."""
    lines = (
        json.dumps({"id": f"p{place}", "text": f"Again: {text}"}).encode() + b"\n"
        for place, text in enumerate(bench.texts)
    )
    connection = http.client.HTTPConnection("127.0.0.1", bench.served.port, timeout=3600)
    path = f"/v1/indexes/{bench.index}/passages:stream"
    headers = {
        "authorization": f"Bearer {bench.served.key}",
        "content-type": "application/x-ndjson",
    }
    connection.request("POST", path, lines, headers, encode_chunked=True)
    answer = connection.getresponse()
    found = json.loads(answer.read())
    assert answer.status == 200, found
    return int(found["added"])
