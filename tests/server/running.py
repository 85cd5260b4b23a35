"""A real server in a process of its own, with keys, for the tests."""

from __future__ import annotations

import itertools
import os
import signal
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
    return [int(one) for one in found.read_text().split()] if found.exists() else []


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
    with log.open("a") as errors:
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
