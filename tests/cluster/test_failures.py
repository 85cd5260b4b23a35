"""What goes wrong between an index and its engine, with the client's real requests."""

from __future__ import annotations

import socket

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.cluster import patience
from lfm2_colbert_rag.cluster.address import Address, is_address
from lfm2_colbert_rag.cluster.side import cut, joined
from lfm2_colbert_rag.errors import (
    ConfigError,
    IndexCorruptError,
    KeyRefusedError,
    PartialWriteError,
    RemoteUnavailableError,
    ServerAnswerError,
)
from lfm2_colbert_rag.retriever.remote.writing import POINTS

from .engines import ENGINES  # skips where the client is not installed
from .wire import busy, hang, malformed, refuse, reset, slow_down, wire

assert ENGINES
TEXTS = [f"machine {n}" for n in range(3 * POINTS)]
IDS = [f"m{n}" for n in range(3 * POINTS)]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(patience, "_FIRST", 0.001)


@pytest.fixture
def remote():
    with wire() as (made, address), Retriever.open(address, model="hash") as index:
        yield made, index


@pytest.mark.parametrize("fault", [busy, slow_down, reset])
def test_what_passes_is_waited_for(remote, fault):
    made, index = remote
    made.faults = [fault, fault]
    index.add(TEXTS, ids=IDS)
    assert made.ids("docs") == set(IDS)


def test_silence_is_no_answer(remote):
    made, index = remote
    made.faults = [hang]
    index.add(TEXTS[:3], ids=IDS[:3])
    assert made.ids("docs") == set(IDS[:3])


def test_half_a_batch_is_told_and_the_same_call_completes_it(remote):
    made, index = remote
    made.faults = [None, *[reset] * 5]
    with pytest.raises(PartialWriteError, match="same call again") as caught:
        index.add(TEXTS, ids=IDS)
    assert set(caught.value.written) == made.ids("docs") == set(IDS[:POINTS])
    assert set(caught.value.missing) == set(IDS[POINTS:])
    assert isinstance(caught.value, OSError)
    index.add(TEXTS, ids=IDS)
    assert made.ids("docs") == set(IDS)


def test_who_does_not_answer_at_all_is_named(remote):
    made, index = remote
    made.faults = [busy] * 9
    with pytest.raises(RemoteUnavailableError, match=r"qdrant://127\.0\.0\.1") as caught:
        index.add(TEXTS[:1], ids=IDS[:1])
    assert isinstance(caught.value, ConnectionError)
    assert "503" in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "error"), [(refuse, KeyRefusedError), (malformed, ServerAnswerError)]
)
def test_what_does_not_pass_is_asked_once(remote, fault, error):
    made, index = remote
    made.faults = [fault]
    before = len(made.seen)
    with pytest.raises(error):
        index.add(TEXTS[:1], ids=IDS[:1])
    batches = [
        path for _, path in made.seen[before:] if path.startswith("/collections/docs/points?")
    ]
    assert len(batches) == 1


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for more in ("grpc=false", "grpc=true"):
            address = f"qdrant://127.0.0.1:{port}/docs?{more}&timeout=1&retries=1&tls=false"
            with pytest.raises(RemoteUnavailableError, match=str(port)):
                Retriever.open(address, model="hash")


@pytest.mark.parametrize(
    "text",
    [
        "milvus://host/docs",
        "qdrant://host",
        "qdrant://host/",
        "qdrant:///docs",
        "qdrant://host/a/b",
        "qdrant://host:99999/docs",
        "qdrant+file://host/folder/docs",
        "qdrant://host/%20",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ConfigError):
        Address.parse(text)


def test_an_address_never_tells_its_key():
    secret = "qdrant://user:hunter2@host:6334/docs"
    address = Address.parse(secret)
    assert address.password == "hunter2"
    assert "hunter2" not in str(address) + repr(address)
    with pytest.raises(ConfigError) as caught:
        Address.parse(f"{secret}/more")
    assert "hunter2" not in str(caught.value)
    assert is_address(secret)
    for folder in ("support.index", "C:\\index", "./qdrant:/x", "/srv/a://b"):
        assert not is_address(folder)
    with pytest.raises(ConfigError, match="tiemout"):
        Retriever.open("qdrant://host/docs?tiemout=1", model="hash")


@pytest.mark.parametrize("spoil", [lambda c: c[:-1], lambda c: [*c[:-1], c[0]], lambda c: []])
def test_what_is_incomplete_is_not_read(spoil):
    chunks = cut(bytes(range(256)) * 5000)
    assert joined(chunks[::-1], "it") == bytes(range(256)) * 5000
    with pytest.raises(IndexCorruptError, match="it is incomplete"):
        joined(spoil(chunks), "it")
