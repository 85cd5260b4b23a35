"""A stand-in for the wire: what Qdrant's client really sends is answered, or broken off, here."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Fault = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as a server does, or with the next fault."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        wire: Wire = self.server.wire  # type: ignore[attr-defined]
        wire.seen.append((self.command, self.path))
        fault = wire.next_fault(self.command, self.path)
        if fault is not None:
            fault(self)
            return
        result = wire.answer(self.command, self.path, json.loads(body) if body else None)
        self.send_json(200, {"result": result, "status": "ok", "time": 0.0})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server's names

    def send_json(self, status: int, body: Any, **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class Wire:
    """A server that holds points as they were sent.

    Attributes:
        seen: methods and paths of all requests.
        faults: what happens to the next batches of points, in order; None where nothing does.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.faults: list[Fault | None] = []
        self._collections: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def next_fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            if method == "PUT" and path.startswith("/collections/docs/points") and self.faults:
                return self.faults.pop(0)
            return None

    def answer(self, method: str, path: str, body: Any) -> Any:
        parts = path.partition("?")[0].strip("/").split("/")
        points = self._collections.get(parts[1], {})
        if parts[2:] == ["exists"]:
            return {"exists": parts[1] in self._collections}
        if method == "PUT" and len(parts) == 2:
            self._collections[parts[1]] = {}
            return True
        if method == "PUT" and parts[2] == "points":
            points.update({one["id"]: one for one in body["points"]})
            return {"operation_id": 1, "status": "completed"}
        if parts[2:] == ["points"]:
            found = [points[id] for id in body["ids"] if id in points]
            return [{"id": one["id"], "payload": one["payload"]} for one in found]
        return {"operation_id": 1, "status": "completed"}

    def ids(self, collection: str) -> set[str]:
        """Return the ids of passages of which the first window is there."""
        held = self._collections.get(collection, {}).values()
        return {one["payload"]["pid"] for one in held if one["payload"]["w"] == 0}


def busy(handler: Handler) -> None:
    """Say that the server is busy."""
    handler.send_json(503, {"status": {"error": "busy"}})


def slow_down(handler: Handler) -> None:
    """Say that there were too many requests."""
    handler.send_json(429, {"status": {"error": "too many"}}, retry_after="0")


def refuse(handler: Handler) -> None:
    """Say that the key allows nothing."""
    handler.send_json(403, {"status": {"error": "forbidden"}})


def malformed(handler: Handler) -> None:
    """Say that the request makes no sense."""
    handler.send_json(400, {"status": {"error": "wrong vector size"}})


def reset(handler: Handler) -> None:
    """Break the connection off, as a server does that is killed."""
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()
    handler.close_connection = True


def hang(handler: Handler) -> None:
    """Say nothing for longer than anybody waits."""
    time.sleep(3)
    handler.close_connection = True


@contextmanager
def wire() -> Iterator[tuple[Wire, str]]:
    """Give a wire, and the address behind it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.wire = made = Wire()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        port = server.server_address[1]
        yield made, f"qdrant://127.0.0.1:{port}/docs?grpc=false&tls=false&timeout=1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
