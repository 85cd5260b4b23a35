"""Clients that wait to be told to go on before they send a body (RFC 9110, 10.1.1)."""

from __future__ import annotations

import json
import socket

import pytest

from lfm2_colbert_rag.server.request import NDJSON

from .running import PATIENCE

pytestmark = pytest.mark.subprocess


def until(connection, ending):
    """Read until something comes."""
    said = b""
    while ending not in said:
        part = connection.recv(4096)
        assert part, said
        said += part
    return said


def test_a_stream_is_answered_while_it_is_sent_once_it_was_told_to_go_on(server, index):
    server.make(index)
    host, port = server.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/indexes/{index}/passages:stream HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {server.admin}\r\nContent-Type: {NDJSON}\r\nAccept: {NDJSON}\r\n"
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    lines = b"".join(json.dumps({"text": f"Passage {n}"}).encode() + b"\n" for n in range(256))
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(head.encode())
        assert until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"%x\r\n%b\r\n" % (len(lines), lines))
        assert b'{"committed":256,"through_line":256}' in until(connection, b'committed":256')
        connection.sendall(b"0\r\n\r\n")
        assert b'"lines":256' in until(connection, b'"end":true')


def test_who_may_not_is_told_so_before_the_body(server, index):
    host, port = server.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/indexes/{index}/passages:stream HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: {NDJSON}\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(head.encode())
        assert until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 401 ")
