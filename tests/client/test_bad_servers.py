"""Whatever answers, the caller gets an error of the library that names it."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl

import pytest

from lfm2_colbert_rag import AsyncClient, Client
from lfm2_colbert_rag.client import answers
from lfm2_colbert_rag.errors import (
    FilterError,
    IndexNotFoundError,
    InputError,
    KeyRefusedError,
    LFM2ColBERTError,
    PassageNotFoundError,
    ReadOnlyError,
    ServerAnswerError,
    ServerError,
    ServerUnavailableError,
    StorageFullError,
)

from .scripted import HTML, Scripted, problem, reply

KEY = "lcb_secret"
HIT = {
    "id": "reset",
    "score": 2.5,
    "relevance": 0.5,
    "text": "Hold the key.",
    "window": None,
    "metadata": {},
    "legs": {"late": {"rank": 1, "score": 2.5}},
}


def found(**changes: object) -> bytes:
    return reply(body={"results": [{"hits": [{**HIT, **changes}]}], "took_ms": 1.0})


def without(name: str) -> bytes:
    hit = {key: value for key, value in HIT.items() if key != name}
    return reply(body={"results": [{"hits": [hit]}]})


def search(url: str) -> object:
    with Client(url, KEY, index="support", retries=0, timeout=5) as client:
        return client.search("the key")


def search_async(url: str) -> object:
    async def ask() -> object:
        async with AsyncClient(url, KEY, index="support", retries=0, timeout=5) as client:
            return await client.search("the key")

    return asyncio.run(ask())


ANSWERS = {
    "a web page": (reply(body=HTML, kind="text/html"), ServerAnswerError),
    "a page that is not found": (reply(404, HTML, "text/html"), ServerAnswerError),
    "no type": (reply(body={}, kind=""), ServerAnswerError),
    "no JSON": (reply(body="{"), ServerAnswerError),
    "not a number": (reply(body='{"results": NaN}'), ServerAnswerError),
    "deep JSON": (reply(body="[" * 100_000), ServerAnswerError),
    "no UTF-8": (reply(body=b'"\xff"'), ServerAnswerError),
    "another JSON": (reply(body={"hello": "world"}), ServerAnswerError),
    "a list": (reply(body=[]), ServerAnswerError),
    "no HTTP": (b"220 mail.example.org ESMTP\r\n\r\n", ServerAnswerError),
    "nothing": (b"", ServerUnavailableError),
    "half a head": (b"HTTP/1.1 200 OK\r\ncontent-", ServerUnavailableError),
    "half a body": (reply(body={}, content_length=500), ServerUnavailableError),
    "too much": (reply(body={}, content_length=10 << 30), ServerAnswerError),
    "a length beyond any": (reply(body={}, content_length="9" * 400), ServerAnswerError),
    "something packed": (
        reply(body=gzip.compress(b"{}"), content_encoding="gzip"),
        ServerAnswerError,
    ),
    "a long head": (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 500_000, ServerAnswerError),
    "another place": (reply(307, location="http://evil.example/?q=1"), ServerAnswerError),
    "a proxy's 502": (reply(502, HTML, "text/html"), ServerUnavailableError),
    "a proxy's 504": (reply(504), ServerUnavailableError),
    "a proxy's 413": (reply(413, HTML, "text/html"), InputError),
    "a proxy's 401": (reply(401, HTML, "text/html"), KeyRefusedError),
    "a proxy's 500": (reply(500, HTML, "text/html"), ServerAnswerError),
    "a problem without a code": (
        reply(400, {"detail": "no"}, "application/problem+json"),
        ServerAnswerError,
    ),
    "no results": (reply(body={"results": []}), ServerAnswerError),
    "a score that is a text": (found(score="2.5"), ServerAnswerError),
    "a score that is true": (found(score=True), ServerAnswerError),
    "an infinite score": (
        reply(body=json.dumps({"results": [{"hits": [HIT]}]}).replace("2.5", "1e999")),
        ServerAnswerError,
    ),
    "an id that is a number": (found(id=7), ServerAnswerError),
    "metadata that are a list": (found(metadata=[]), ServerAnswerError),
    "a window beyond the text": (found(window=[0, 99]), ServerAnswerError),
    "a window backwards": (found(window=[5, 2]), ServerAnswerError),
    "a rank of zero": (found(legs={"late": {"rank": 0, "score": 1}}), ServerAnswerError),
    "evidence beyond the question": (
        found(evidence=[{"query": [0, 99], "passage": [0, 1], "strength": 0.5}]),
        ServerAnswerError,
    ),
    **{f"no {name}": (without(name), ServerAnswerError) for name in HIT},
}


@pytest.mark.parametrize("ask", [search, search_async])
@pytest.mark.parametrize("case", ANSWERS)
def test_answers_that_are_none(case, ask):
    answer, expected = ANSWERS[case]
    with Scripted([answer]) as server:
        with pytest.raises(expected) as caught:
            ask(server.url)
        assert type(caught.value) is expected
        assert len(server.requests) == 1  # never the key to another place
    message = str(caught.value)
    assert server.url in message or isinstance(caught.value, InputError)
    assert len(message) < 1000
    assert message.isprintable()
    assert KEY not in message


PROBLEMS = {
    "filter": (400, FilterError),
    "input": (400, InputError),
    "invalid": (400, InputError),
    "malformed": (400, InputError),
    "unauthorized": (401, KeyRefusedError),
    "forbidden": (403, KeyRefusedError),
    "tenant-required": (403, KeyRefusedError),
    "read-only": (403, ReadOnlyError),
    "read-only-server": (403, ReadOnlyError),
    "index-not-found": (404, IndexNotFoundError),
    "passage-not-found": (404, PassageNotFoundError),
    "no-route": (404, ServerAnswerError),
    "too-large": (413, InputError),
    "host": (421, ServerError),
    "rate-limited": (429, ServerUnavailableError),
    "internal": (500, ServerError),
    "overloaded": (503, ServerUnavailableError),
    "something-new": (400, ServerError),
    "something-busy": (503, ServerUnavailableError),
    "storage-full": (507, StorageFullError),
}


@pytest.mark.parametrize("code", PROBLEMS)
def test_problems_are_the_errors_of_the_library(code):
    status, expected = PROBLEMS[code]
    with (
        Scripted([problem(code, status, "So it is.\n\x1b[2J")]) as server,
        pytest.raises(LFM2ColBERTError) as caught,
    ):
        search(server.url)
    assert type(caught.value) is expected
    assert "So it is." in str(caught.value)
    assert str(caught.value).endswith("[request r-1]")
    assert str(caught.value).isprintable()


def test_an_answer_may_have_so_many_bytes(monkeypatch):
    monkeypatch.setattr("lfm2_colbert_rag.client.exchange.MAX_BYTES", 1000)
    chunk = b"ffff\r\n" + b" " * 0xFFFF + b"\r\n"
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    with Scripted([head + chunk * 4]) as server, pytest.raises(ServerAnswerError, match="1,000"):
        search(server.url)
    assert answers.MAX_BYTES == 256 << 20


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(ServerUnavailableError, match="cannot be reached"):
        search(url)
    with pytest.raises(ConnectionError):
        search_async(url)


def test_one_that_never_answers():
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Client(f"http://127.0.0.1:{silent.getsockname()[1]}", index="a", timeout=0.2) as client,
        pytest.raises(TimeoutError, match="timeout="),
    ):
        client.count()


@pytest.fixture(scope="module")
def authority():
    return pytest.importorskip("trustme").CA()


@pytest.fixture
def secure(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Scripted([reply(body={"count": 3})], context) as server:
        yield server


def test_a_certificate_of_an_authority_that_is_trusted(secure, authority, tmp_path):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    for verify in (tmp_path / "ca.pem", str(tmp_path / "ca.pem"), context):
        with Client(secure.url, KEY, index="a", verify=verify) as client:
            assert client.count() == 3


def test_a_certificate_of_nobody(secure):
    with (
        Client(secure.url, KEY, index="a", retries=5) as client,
        pytest.raises(ServerAnswerError, match="verify="),
    ):
        client.count()
    assert secure.requests == []


LISTS = {
    "without an end": (b'{"id":"a","text":"t","metadata":{}}\n', ServerUnavailableError),
    "with half a line": (b'{"id":"a","te', ServerUnavailableError),
    "with another line": (b'{"id":"a"}\n', ServerAnswerError),
    "with no JSON": (b"<html>\n", ServerAnswerError),
    "after its end": (b'{"end":true}\n{"id":"a","text":"t","metadata":{}}\n', ServerAnswerError),
    "with a problem": (b'{"problem":{"code":"index-gone","detail":"Gone."}}\n', LFM2ColBERTError),
    "with a problem of nobody": (b'{"problem":7}\n', ServerAnswerError),
}


@pytest.mark.parametrize("case", LISTS)
def test_lists_that_break_off(case):
    body, expected = LISTS[case]
    with (
        Scripted([reply(body=body, kind="application/x-ndjson")]) as server,
        Client(server.url, index="a", retries=0) as client,
        pytest.raises(expected),
    ):
        list(client.passages())
