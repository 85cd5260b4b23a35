"""Servers that are none of ours: they read a request, and answer with the bytes they were given."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterable
from pathlib import Path

HTML = "<html><h1>It works!</h1></html>"


def reply(
    status: int = 200, body: object = "", kind: str = "application/json", **headers: object
) -> bytes:
    """Return an answer; the connection ends with it."""
    content = body if isinstance(body, bytes) else str(body).encode()
    if not isinstance(body, bytes | str):
        content = json.dumps(body).encode()
    lines = {"content-type": kind, "content-length": len(content), "connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Any\r\n{head}\r\n".encode() + content


def problem(code: str, status: int, detail: str = "So it is.", **headers: object) -> bytes:
    """Return a problem as servers of ours tell it."""
    body = {"code": code, "detail": detail, "instance": "urn:uuid:r-1", "errors": []}
    return reply(status, body, "application/problem+json", **headers)


class Scripted:
    """Answers each connection with the next of some answers, and the last one again and again.

    Attributes:
        requests: what came, head and body.
        url: where it is.
    """

    def __init__(
        self,
        answers: Iterable[bytes],
        context: ssl.SSLContext | None = None,
        file: Path | None = None,
    ) -> None:
        self._answers = list(answers)
        self._context = context
        self.requests: list[bytes] = []
        if file is None:
            self._socket = socket.create_server(("127.0.0.1", 0))
            kind = "http" if context is None else "https"
            self.url = f"{kind}://127.0.0.1:{self._socket.getsockname()[1]}"
        else:
            self._socket = socket.create_server(str(file), family=socket.AF_UNIX)
            self.url = "http://localhost"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                try:
                    self._answer(connection)
                except OSError:
                    continue

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        with connection:
            self.requests.append(_request(connection))
            answer = self._answers[min(len(self.requests), len(self._answers)) - 1]
            connection.sendall(answer)


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (part := connection.recv(65536)):
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        line.split(b":")[1] for line in head.split(b"\r\n") if b"ontent-length" in line.lower()
    ]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
