"""Threads share a client; forked processes and event loops make connections of their own."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lfm2_colbert_rag import AsyncClient, Client

QUESTIONS = ["reset the router", "library hours", "coffee machine", "filter"] * 8
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")


def ids(client: Client, question: str) -> list[str]:
    return [hit.id for hit in client.search(question)]


def asked_async(client: AsyncClient, question: str) -> list[str]:
    async def ask() -> list[str]:
        return [hit.id for hit in await client.search(question)]

    return asyncio.run(ask())


def test_threads(client, index):
    expected = [ids(index, question) for question in QUESTIONS]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda question: ids(client, question), QUESTIONS)) == expected
        hits = client.search(QUESTIONS[0])
        found = list(threads.map(lambda _: [hit.evidence for hit in hits], range(8)))
    assert found == [[hit.evidence for hit in index.search(QUESTIONS[0])]] * 8


async def test_many_coroutines(server, key, index):
    async with AsyncClient(server.url, key, index="corpus") as client:
        found = await asyncio.gather(*map(client.search, QUESTIONS))
    assert found == [index.search(question) for question in QUESTIONS]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of loops that are gone
def test_event_loops_one_after_the_other(server, key, index):
    client = AsyncClient(server.url, key, index="corpus")
    for question in QUESTIONS[:4]:
        assert asked_async(client, question) == ids(index, question)
        assert len(client._link._http) == 1
    del client
    gc.collect()


@FORKS
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_while_others_ask(client, index, caplog):
    """The child makes connections of its own, and the parent's stay whole."""
    # A thread that logs into a file while others fork leaves Python's lock of the file in the
    # child (https://github.com/python/cpython/issues/50970), and httpx logs every request.
    caplog.set_level("WARNING", "httpx")
    expected, done = ids(index, QUESTIONS[0]), threading.Event()

    def ask() -> None:
        while not done.is_set():
            assert ids(client, QUESTIONS[0]) == expected

    def child() -> None:
        for question in QUESTIONS[:4]:
            assert ids(client, question) == ids(index, question)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(2):
            process = multiprocessing.get_context("fork").Process(target=child)
            process.start()
            process.join(60)
            assert process.exitcode == 0
    finally:
        done.set()
        asking.join()
    assert ids(client, QUESTIONS[0]) == expected


@pytest.mark.subprocess
def test_another_process_asks_with_the_key_that_it_has(server, key, client, monkeypatch, tmp_path):
    """To import what asks costs neither httpx nor an engine."""
    monkeypatch.setenv("LFM2_COLBERT_API_KEY", key)
    (tmp_path / "client").write_bytes(pickle.dumps(Client(server.url, index="corpus")))
    code = (
        "import pickle, sys; from lfm2_colbert_rag import Client; "
        "unwanted = {'httpx', 'numpy', 'numba', 'lfm2_colbert_rag.retriever'}; "
        "print(unwanted & set(sys.modules), len(pickle.load(open(sys.argv[1], 'rb'))))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "client")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"set() {len(client)}\n"


def test_without_httpx_the_command_that_installs_it_is_named(monkeypatch):
    from lfm2_colbert_rag.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtraError, match=r"lfm2-colbert-rag\[client\]"):
        Client("https://localhost")
