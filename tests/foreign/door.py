"""A door before a server: it lets calls through, says that the server is busy, or says nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from lfm2_colbert_rag.server.problems import Problem, Told, plainly_told

from ..server.running import PATIENCE

_LEFT_OUT = {"connection", "transfer-encoding", "date", "server"}


@dataclass
class Door:
    """Where clients knock.

    Attributes:
        url: its address.
        told: how the server would tell that it is busy.
        calls: how many knocked.
        refusals: how many more are told that the server is busy.
        silent: whether nobody is answered.
    """

    url: str
    told: Told = plainly_told
    calls: int = 0
    refusals: int = 0
    silent: bool = False
    opened: threading.Event = field(default_factory=threading.Event)

    def is_refused(self) -> bool:
        """Count a call, and tell whether it is refused."""
        self.calls += 1
        if self.refusals:
            self.refusals -= 1
            return True
        return False


@contextmanager
def door(url: str, told: Told = plainly_told) -> Iterator[Door]:
    """Open a door before the server at an address, until the block ends."""
    with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as inner:
        threads = ThreadingHTTPServer(("127.0.0.1", 0), _Knocking)
        threads.daemon_threads = True
        opened = Door(f"http://127.0.0.1:{threads.server_address[1]}", told)
        threads.door, threads.inner = opened, inner  # type: ignore[attr-defined]
        serving = threading.Thread(target=threads.serve_forever, daemon=True)
        serving.start()
        try:
            yield opened
        finally:
            opened.opened.set()
            threads.shutdown()
            threads.server_close()
            serving.join(PATIENCE)


class _Knocking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        opened: Door = self.server.door  # type: ignore[attr-defined]
        if opened.is_refused():
            busy = Problem("overloaded")
            telling = opened.told(busy, "door")
            headers = busy.headers() | {"content-type": telling.media}
            self._send(telling.status, headers, telling.body)
        elif opened.silent:
            opened.opened.wait(PATIENCE)
            self.close_connection = True
        else:
            self._pass_on(body)

    def do_GET(self) -> None:
        self.do_POST()

    def _pass_on(self, body: bytes) -> None:
        inner: httpx.Client = self.server.inner  # type: ignore[attr-defined]
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        try:
            answer = inner.request(self.command, self.path, content=body, headers=headers)
        except httpx.ConnectError:
            self._send(502, {}, b"")
            return
        kept = {name: value for name, value in answer.headers.items() if name not in _LEFT_OUT}
        self._send(answer.status_code, kept, answer.content)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name != "content-length":
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Say nothing."""
