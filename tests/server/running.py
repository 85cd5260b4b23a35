"""A real server in a process of its own, with keys, for the tests."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from lfm2_colbert_rag.server.access.callers import SCOPES
from lfm2_colbert_rag.server.access.keys import KeyFile

_NUMBERS = itertools.count()

PATIENCE = 60  # seconds for whatever a test waits for


@dataclass
class Server:
    """A server that runs.

    Attributes:
        folder: where its indexes are.
        keys: its keys.
        url: where it listens.
        process: its process.
        admin: the text of a key for everything, of no tenant.
        log: what it and the process that writes say.
    """

    folder: Path
    keys: KeyFile
    url: str
    process: subprocess.Popen[str]
    admin: str
    log: Path
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)

    def key(self, scopes: Iterable[str] = SCOPES, **rights: Any) -> str:
        """Make a key, and return its text."""
        name = f"test-{next(_NUMBERS)}"
        return self.keys.create(name, sorted(scopes), **rights)[1]

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **more: Any
    ) -> httpx.Response:
        """Ask for something, as whoever has all rights unless a key is given."""
        headers = {"authorization": f"Bearer {self.admin if key is None else key}"}
        if body is not None:
            more["json"] = body
        return self.client.request(method, path, headers=headers | more.pop("headers", {}), **more)

    def make(self, index: str, texts: dict[str, str] | None = None, *, key: str = "") -> None:
        """Make an index with some passages."""
        made = self.ask("POST", "/v1/indexes", {"name": index})
        assert made.status_code == 201, made.text
        if texts:
            passages = [{"id": id, "text": text} for id, text in texts.items()]
            added = self.ask(
                *("PUT", f"/v1/indexes/{index}/passages", {"passages": passages}),
                key=key or self.admin,
            )
            assert added.status_code == 200, added.text

    def start_again(self, place: Path) -> None:
        """Start it again after it was killed."""
        self.process.wait(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.client.close()
        again = start(place, self.keys, self.admin)
        self.process, self.url, self.client = again.process, again.url, again.client

    def writer(self) -> int:
        """Return the number of the process that writes, once there is one."""
        for _ in waiting():
            found = children(self.process.pid)
            if found:
                return found[0]
        raise AssertionError("no process writes")

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Stop it, and return its exit code."""
        self.client.close()
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def waiting() -> Iterator[None]:
    """Yield now and then, until the patience is over."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        yield
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in found.read_text(encoding="utf-8").split()] if found.exists() else []


@contextmanager
def running(
    place: Path, *options: str, environment: dict[str, str] | None = None
) -> Iterator[Server]:
    """Run a server on the indexes in a folder ``indexes``, until the block ends.

    Args:
        place: a folder for all of it.
        options: of ``lfm2-colbert serve``.
        environment: more variables.
    """
    keys = KeyFile(place / "keys.json")
    admin = keys.create("admin", sorted(SCOPES))[1]
    server = start(place, keys, admin, *options, environment=environment)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def start(
    place: Path,
    keys: KeyFile,
    admin: str,
    *options: str,
    environment: dict[str, str] | None = None,
) -> Server:
    """Start a server, and wait until it is ready."""
    log = place / "server.log"
    command = [sys.executable, "-m", "lfm2_colbert_rag.cli", "serve", str(place / "indexes")]
    common = ["--keys", str(keys.path), "--port", "0", "--model", "hash"]
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [*command, *common, *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"LFM2_COLBERT_KERNELS": "wait"} | (environment or {}),
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert " at " in line, log.read_text()
    server = Server(place / "indexes", keys, line.split(" at ")[-1].strip(), process, admin, log)
    if server.url.startswith("http://"):
        for _ in waiting():
            if server.client.get("/readyz").status_code == 200:
                return server
        raise AssertionError(log.read_text())
    return server


class Upload:
    """A stream of passages on a connection of its own, which tells of commits while it sends.

    Clients that read the answer only once all is sent would not see them.
    """

    def __init__(self, server: Server, index: str, key: str | None = None) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self._answer = self._socket.makefile("rb")
        head = (
            f"POST /v1/indexes/{index}/passages:stream HTTP/1.1",
            f"Host: {host}:{port}",
            f"Authorization: Bearer {key or server.admin}",
            "Content-Type: application/x-ndjson",
            "Accept: application/x-ndjson",
            "Transfer-Encoding: chunked",
        )
        self._socket.sendall("\r\n".join([*head, "", ""]).encode())

    def send(self, lines: bytes) -> None:
        """Send some lines."""
        self._socket.sendall(f"{len(lines):x}\r\n".encode() + lines + b"\r\n")

    def end(self) -> None:
        """Say that there are no more."""
        self._socket.sendall(b"0\r\n\r\n")

    def told(self) -> Iterator[dict[str, Any]]:
        """Yield what the server tells, as it comes, until it hangs up or is done."""
        for line in self._answer:
            if line.startswith(b"{"):
                yield json.loads(line)
            elif line == b"0\r\n":
                return

    def close(self) -> None:
        """Hang up."""
        self._answer.close()
        self._socket.close()
