"""A server, an index and a key for the clients of other people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lfm2_colbert_rag.server.access.keys import KeyFile

from ..server.running import Server, running, start
from .cases import QUERY, TEXTS, Case

# Wrong keys are what several of these tests send, all from one address.
_OPTIONS = ("--auth-failures", "1000000")


@dataclass
class Asked:
    """A server that clients ask, of an index ``docs`` that holds all texts that are not blank.

    Attributes:
        server: it.
        place: where it lies.
        key: a key that sees the index, and changes nothing.
        stranger: a key of another server.
    """

    server: Server
    place: Path
    key: str
    stranger: str

    def natively(self, case: Case, k: int | None = None) -> list[tuple[Any, float]]:
        """Return what our own API answers: places of texts or ids of passages, with relevance."""
        if case.kind == "search":
            (found,) = self._ask("search", {"query": QUERY, "k": k or len(TEXTS)})["results"]
            hits = found["hits"]
            return [(hit["id"], hit["relevance"]) for hit in hits]
        texts = [{"id": str(place), "text": text} for place, text in enumerate(TEXTS)]
        body = {"query": QUERY, "candidates": texts} | ({} if k is None else {"k": k})
        hits = self._ask("rerank", body)["hits"]
        return [(int(hit["id"]), hit["relevance"]) for hit in hits]

    def start_again(self) -> None:
        """Stop the server, and start another on the same port."""
        port = self.server.url.rpartition(":")[2]
        self.server.stop()
        options = (*_OPTIONS, "--port", port)
        again = start(self.place, self.server.keys, self.server.admin, *options)
        assert again.url == self.server.url
        self.server.process, self.server.client = again.process, again.client

    def _ask(self, what: str, body: dict[str, Any]) -> Any:
        answer = self.server.ask("POST", f"/v1/indexes/docs/{what}", body, key=self.key)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """Start a server with an index."""
    place = tmp_path_factory.mktemp("foreign")
    with running(place, *_OPTIONS) as server:
        server.make("docs")
        passages = [
            {"id": f"text-{at}", "text": text, "metadata": {"place": at, "lang": "de" * (at == 4)}}
            for at, text in enumerate(TEXTS)
            if text.strip()
        ]
        added = server.ask("PUT", "/v1/indexes/docs/passages", {"passages": passages})
        assert added.status_code == 200, added.text
        key = server.key(["search", "rerank", "read"], indexes=["docs"])
        _, stranger = KeyFile(place / "others.json").create("stranger", ["search", "rerank"])
        yield Asked(server, place, key, stranger)
