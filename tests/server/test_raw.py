"""What a socket can send that no client would: each gets a short answer, and the next is well."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lfm2_colbert_rag.server import protocol
from lfm2_colbert_rag.server.reading import LONGEST_LINE

LONG = 20 << 10


def talk(server, sent: bytes, *, end: bool = False, patience: float = 30) -> bytes:
    """Send bytes, and return all that comes until the server hangs up or waits."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=patience) as made:
        try:
            made.sendall(sent)
            if end:
                made.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        found = b""
        made.settimeout(patience)
        try:
            while part := made.recv(1 << 16):
                found += part
                if complete(found):
                    break
        except (TimeoutError, ConnectionResetError):
            pass
        return found


def complete(found: bytes) -> bool:
    head, mark, rest = found.partition(b"\r\n\r\n")
    if not mark:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(rest) >= int(line.split(b":")[1])
    return False


def request(server, path="/v1/indexes", method="POST", headers=(), body=b"", host=None):
    name = host or server.url.removeprefix("http://")
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {name}",
        f"Authorization: Bearer {server.admin}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


JSON = "Content-Type: application/json"
BODY = b'{"name":"smuggled"}'
SMUGGLED = {
    "a folded line": ["X-Folded: a\r\n b", JSON, f"Content-Length: {len(BODY)}"],
    "two lengths": [JSON, "Content-Length: 19", "Content-Length: 4"],
    "length and chunks": [JSON, "Content-Length: 4", "Transfer-Encoding: chunked"],
    "chunks of an odd kind": [JSON, "Transfer-Encoding: chunked, identity"],
    "chunks twice": [JSON, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "a length with a sign": [JSON, "Content-Length: +19"],
    "a length below nothing": [JSON, "Content-Length: -1"],
    "a blank before the colon": [JSON, "Content-Length : 19"],
    "a compressed body": [JSON, "Content-Encoding: gzip", "Content-Length: 19"],
    "a head without end": [f"X-Long: {'a' * LONG}"],
    "too many headers": [f"X-{number}: a" for number in range(100)],
    "control characters": ["X-Odd: a\x00b"],
}


@pytest.mark.parametrize("how", SMUGGLED)
def test_what_proxies_may_read_in_two_ways_is_refused(server, how):
    answer = talk(server, request(server, headers=SMUGGLED[how], body=BODY))
    status = int(answer.split()[1])
    assert status in (400, 413, 415, 431), answer[:200]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == status
    names = [one["name"] for one in server.ask("GET", "/v1/indexes").json()["indexes"]]
    assert "smuggled" not in names


@pytest.mark.parametrize(
    "head",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n" * 100 + b"GET",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"G" * LONG,
        b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: evil\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n",
    ],
)
def test_what_is_no_request_is_told_so_and_hung_up_on(server, head):
    answer = talk(server, head, end=True)
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), answer
    assert b"Traceback" not in answer
    assert server.client.get("/livez").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil", "127.0.0.1@evil", "", "[::1", "a" * 5000, "0x7f.1"]
)
def test_a_server_answers_to_its_own_names_only(server, host):
    """Or a web page could reach it under a name of its own (DNS rebinding)."""
    answer = talk(server, request(server, method="GET", host=host or " "))
    assert answer.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400")), answer[:100]


def test_a_body_larger_than_its_route_takes_is_refused_before_it_is_sent(server):
    for headers in (["Content-Length: 99999999999"], ["Content-Length: 3000000"]):
        answer = talk(server, request(server, headers=[JSON, *headers]))
        assert answer.startswith(b"HTTP/1.1 413")
    chunks = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
    headers = [JSON, "Transfer-Encoding: chunked"]
    answer = talk(server, request(server, headers=headers, body=chunks * 4))
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_stranger_cannot_send_a_body(server):
    head = (
        b"PUT /v1/indexes/none/passages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000000\r\n"
    )
    answer = talk(server, head + b"Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401")  # and never 100
    assert b"connection: close" in answer.lower()


def test_a_line_of_a_stream_has_an_end(server, index):
    server.make(index)
    path = f"/v1/indexes/{index}/passages:stream"
    long = b'{"text":"' + b"a" * LONGEST_LINE + b'"}'
    good = b'{"id":"1","text":"a"}\n'
    headers = {"content-type": "application/x-ndjson"}
    answer = server.ask("POST", path, content=good * 3 + long, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["path"] == "line 4"


def test_nested_lists_and_large_numbers_are_refused(server, index):
    server.make(index, {"1": "a key"})
    path = f"/v1/indexes/{index}/search"
    deep = b'{"query":"a","where":' + b'{"$not":' * 900 + b"{}" + b"}" * 900 + b"}"
    deeper = b'{"query":"a","where":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}"
    wide = json.dumps({"query": "a", "where": {"n": {"$in": list(range(20_000))}}}).encode()
    numbers = b'{"query":"a","k":1e400}', b'{"query":"a","k":' + b"9" * 5000 + b"}"
    odd = (
        b'{"query":"\\ud800"}',
        b'{"query":"\xff"}',
        b'{"query":"a","where":{"a":NaN}}',
        b"",
        b"[]",
    )
    headers = {"content-type": "application/json"}
    for body in (deep, deeper, wide, *numbers, *odd):
        answer = server.ask("POST", path, content=body, headers=headers)
        assert answer.status_code == 400, body[:60]
    assert server.ask("POST", path, {"query": "a key"}).is_success


def test_one_connection_answers_in_turn(server):
    both = request(server, method="GET") + request(server, method="GET", path="/livez")
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as made:
        made.sendall(both)
        found = b""
        while found.count(b"HTTP/1.1 200") < 2 or not found.endswith(b'{"status":"ok"}'):
            part = made.recv(1 << 16)
            assert part, found
            found += part


@pytest.mark.slow
def test_a_slow_head_is_hung_up_on(server):
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        nothing, half = pool.map(lambda sent: talk(server, sent, patience=60), (b"", b"GET / HT"))
    assert nothing == b""
    assert half.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began >= protocol.PATIENCE


def test_whoever_half_closes_or_leaves_harms_nobody(server, index):
    server.make(index, {"1": "a key"})
    body = b'{"query":"a key"}'
    headers = [JSON, f"Content-Length: {len(body)}"]
    whole = request(server, path=f"/v1/indexes/{index}/search", headers=headers, body=body)
    talk(server, whole, end=True)
    host, port = server.url.removeprefix("http://").split(":")
    for cut in (10, len(whole) - len(body), len(whole) - 3, len(whole)):
        for _ in range(5):
            with socket.create_connection((host, int(port))) as made:
                made.sendall(whole[:cut])
    assert server.ask("POST", f"/v1/indexes/{index}/search", json.loads(body)).is_success
