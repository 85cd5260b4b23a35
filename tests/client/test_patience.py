"""When something is asked again, and when it is not."""

from __future__ import annotations

import time

import pytest

from lfm2_colbert_rag import AsyncClient, Client
from lfm2_colbert_rag.client import link
from lfm2_colbert_rag.errors import ConfigError, ServerUnavailableError

from .scripted import HTML, Scripted, problem, reply

COUNT = reply(body={"count": 3})
ADDED = reply(body={"ids": ["a"], "left_out": []})
BUSY = problem("overloaded", 503, retry_after=0)
TRANSIENT = {
    "a broken connection": b"",
    "half an answer": reply(body={}, content_length=99),
    "overloaded": BUSY,
    "rate-limited": problem("rate-limited", 429, retry_after=0),
    "a proxy's 502": reply(502, HTML, "text/html"),
}
UNDONE = ("overloaded", "rate-limited")


def count(client: Client) -> object:
    return client.count()


def add(client: Client) -> object:
    return client.add(["t"], ids=["a"])


@pytest.mark.parametrize("case", TRANSIENT)
def test_what_reads_is_asked_again(case):
    with Scripted([TRANSIENT[case], TRANSIENT[case], COUNT]) as server:
        with Client(server.url, index="a", retries=2) as client:
            assert client.count() == 3
        assert len(server.requests) == 3


@pytest.mark.parametrize("case", TRANSIENT)
def test_what_writes_only_where_it_was_not_begun(case):
    with (
        Scripted([TRANSIENT[case], ADDED]) as server,
        Client(server.url, index="a", retries=2) as client,
    ):
        if case in UNDONE:
            assert add(client) == ["a"]
        else:
            with pytest.raises(ServerUnavailableError):
                add(client)
        assert len(server.requests) == 1 + (case in UNDONE)


async def test_coroutines_likewise():
    async with AsyncClient("http://127.0.0.1:9", index="a", retries=0) as client:
        with pytest.raises(ServerUnavailableError):
            await client.count()
    with Scripted([b"", BUSY, COUNT]) as server:
        async with AsyncClient(server.url, index="a") as client:
            assert await client.count() == 3
    with Scripted([b"", ADDED]) as server:
        async with AsyncClient(server.url, index="a") as client:
            with pytest.raises(ServerUnavailableError):
                await client.add(["t"], ids=["a"])


@pytest.mark.parametrize("ask", [count, add])
def test_so_often_and_no_more(ask):
    with Scripted([BUSY]) as server, Client(server.url, index="a", retries=3) as client:
        with pytest.raises(ServerUnavailableError):
            ask(client)
        assert len(server.requests) == 4


def test_nothing_is_waited_for_that_lies_beyond_the_timeout(monkeypatch):
    monkeypatch.setattr(link.time, "sleep", lambda seconds: pytest.fail(f"slept {seconds}"))
    later = problem("overloaded", 503, retry_after=3600)
    with Scripted([later]) as server, Client(server.url, index="a", timeout=5) as client:
        with pytest.raises(ServerUnavailableError):
            client.count()
        assert len(server.requests) == 1


def test_what_the_server_says_is_waited(monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    answers = [problem("starting", 503, retry_after=7), problem("starting", 503), COUNT]
    with Scripted(answers) as server, Client(server.url, index="a") as client:
        assert client.count() == 3
    assert slept[0] == 7
    assert 0 < slept[1] < 1


@pytest.mark.parametrize(
    "options",
    [
        *({"timeout": 0}, {"timeout": "5"}, {"timeout": None}, {"write_timeout": -1}),
        *({"retries": -1}, {"retries": 1.5}, {"retries": True}, {"retries": 101}),
    ],
)
def test_options(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        Client("http://localhost", **options)
