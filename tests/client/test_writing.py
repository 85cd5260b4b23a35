"""What a client writes is there, once, and an error says how much is."""

from __future__ import annotations

import datetime
import logging

import pytest

from lfm2_colbert_rag import AsyncClient, Client, Passage, Retriever
from lfm2_colbert_rag.client import streaming
from lfm2_colbert_rag.errors import (
    ConfigError,
    InputError,
    KeyRefusedError,
    ServerUnavailableError,
)

from .scripted import Scripted, problem, reply


def test_add_is_that_of_an_index(empty, caplog):
    here = Retriever.from_texts([], model="hash")
    texts = ["Hold the key.", " ", "caf\u0065\u0301 \0", "Hold the key."]
    metadata = [{"on": datetime.date(2024, 1, 5)}, None, {"n": 1}, {"on": "2024-01-05"}]
    caplog.set_level(logging.WARNING)
    added, expected = (
        one.add(texts, ids=["a", "b", "cafe\u0301", None], metadata=metadata)
        for one in (empty, here)
    )
    assert (added, added.left_out) == (expected, expected.left_out)
    assert list(empty.passages()) == list(here.passages())
    assert len({record.getMessage() for record in caplog.records}) == 1  # said here, and once
    assert empty.delete(["a", "nope"]) == here.delete(["a", "nope"]) == 1
    assert empty.delete(where={"n": {"$in": iter([1])}}) == 1
    assert empty.delete(all=True) == 1
    assert empty.add([]) == []


def test_strict(empty):
    with pytest.raises(InputError, match="Leave it out"):
        empty.add(["a", " "], strict=True)
    with pytest.raises(InputError, match="place 1"):
        empty.add_stream([{"text": "a"}, {"text": ""}], strict=True)
    assert len(empty) == 0


def test_more_than_a_commit_takes_is_for_a_stream(empty, monkeypatch):
    texts = [f"page {number}" for number in range(Client.most_passages + 1)]
    with pytest.raises(InputError, match="add_stream"):
        empty.add(texts)
    with monkeypatch.context() as patch:
        patch.setattr("lfm2_colbert_rag.client.exchange.MOST_BYTES", 1000)
        with pytest.raises(InputError, match="add_stream"):
            empty.add(["a" * 1000])
    with pytest.raises(InputError, match="in parts"):
        empty.delete(map(str, range(10_001)))
    assert len(empty) == 0
    counted = []
    stream = [{"id": str(n), "text": text} for n, text in enumerate(texts[:300])]
    assert empty.add_stream(stream, progress=counted.append) == 300
    assert (counted, len(empty)) == ([256, 44], 300)


def test_streams_are_those_of_an_index(empty):
    here = Retriever.from_texts([], model="hash")
    stream = [
        {"id": "a", "text": "first"},
        Passage("b", "second", {"n": (1, 2)}),
        {"id": "a", "text": "last"},
        {"text": " "},
        {"text": "no id"},
    ]
    assert empty.add_stream(stream, batch=2) == here.add_stream(stream, batch=2) == 4
    assert list(empty.passages()) == list(here.passages())


def test_a_batch_ends_where_a_request_would_be_too_large(empty, monkeypatch):
    monkeypatch.setattr(streaming, "_MOST", 1000)
    sizes = []
    assert empty.add_stream([{"text": f"{n} " * 150} for n in range(10)], progress=sizes.append)
    assert sizes[:2] == [2, 2]
    with pytest.raises(InputError, match="Split it"):
        empty.add_stream([{"text": "a" * 2000}])


def test_a_bad_passage_says_how_much_stays(empty):
    stream = [{"text": "one"}, {"text": "two"}, {"text": "three"}, {"txt": "four"}]
    with pytest.raises(InputError, match=r"place 3 .*The first 2 of the stream were committed"):
        empty.add_stream(stream, batch=2)
    assert len(empty) == 2


def test_a_broken_connection_says_how_much_stays():
    ids = [{"ids": [str(place)], "left_out": []} for place in range(3)]
    with Scripted([reply(body=ids[0]), reply(body=ids[1]), b""]) as server:
        client = Client(server.url, index="a", retries=5)
        stream = [{"id": str(place), "text": "t"} for place in range(3)]
        with pytest.raises(ServerUnavailableError, match="The first 2 of the stream"), client:
            client.add_stream(stream, batch=1)
        assert len(server.requests) == 3  # what may have been done is not asked for again


@pytest.mark.parametrize("batch", [0, 1001, "many"])
def test_batches(empty, batch):
    with pytest.raises(ConfigError, match="batch"):
        empty.add_stream([], batch=batch)


async def test_coroutines(empty, server, key):
    async def pages():
        for number in range(5):
            yield {"id": str(number), "text": f"page {number}"}

    async with AsyncClient(server.url, key, index=empty.index) as client:
        assert await client.add(["Hold the key.", " "], ids=["key", "blank"]) == ["key", "blank"]
        assert await client.add_stream(pages(), batch=2) == 5
        assert await client.add_stream([{"text": "last"}]) == 1
        assert await client.delete(where={"$id": {"$in": ["1", "2"]}}) == 2
        assert await client.count() == len(empty) == 5
        with pytest.raises(InputError, match="The first 2 of the stream"):
            await client.add_stream([{"text": "x"}, {"text": "y"}, {"t": 1}], batch=2)


def test_a_key_that_only_reads(server, empty):
    key = server.key({"search", "read"})
    with Client(server.url, key, index=empty.index) as client:
        assert client.count() == 0
        with pytest.raises(KeyRefusedError):
            client.add(["a"])
        with pytest.raises(PermissionError):
            client.delete(all=True)


def test_a_list_goes_on_where_it_broke_off():
    lines = [f'{{"id":"{place}","text":"t","metadata":{{}}}}\n'.encode() for place in range(4)]
    kind, end = "application/x-ndjson", b'{"end":true}\n'
    first = reply(body=b"".join(lines[:2]) + lines[2][:9], kind=kind, content_length=999)
    rest = reply(body=b"".join(lines[2:]) + end, kind=kind)
    with Scripted([problem("starting", 503, retry_after=0), first, rest]) as server:
        with Client(server.url, index="a") as client:
            assert [one.id for one in client.passages({"n": 1})] == ["0", "1", "2", "3"]
        assert b'"after":"1"' in server.requests[2]
        assert b'"where":{"n":1}' in server.requests[2]
