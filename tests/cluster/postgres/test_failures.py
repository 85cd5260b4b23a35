"""Servers and writers that die: no part of an answer, nothing acknowledged lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import RemoteUnavailableError

from .servers import Server
from .writer import PASSAGES, passages

pytestmark = [pytest.mark.long, pytest.mark.subprocess, pytest.mark.crash]

WRITER = Path(__file__).with_name("writer.py")
QUICK = "&retries=0&timeout=5"


def test_a_killed_shard_and_its_standby(mortal):
    """A shard dies under load; every question fails by name until its standby is promoted."""
    standby = Server(mortal.second.folder.parent).make_standby_of(mortal.second)
    try:
        standby.start()
        mortal.second.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        mortal.second.ask("SELECT pg_reload_conf()")
        address = mortal.address("served", f"|127.0.0.1:{standby.port}", QUICK)
        with Retriever.open(address, model="hash") as retriever:
            retriever.add([one["text"] for one in passages(60)],
                          ids=[one["id"] for one in passages(60)])  # fmt: skip
            questions = [one["text"] for one in passages(60)][::7]
            expected = [retriever.search(one, k=5) for one in questions]
            _search_while(retriever, questions, expected, mortal.second.kill)
            for one in questions:
                with pytest.raises(RemoteUnavailableError, match=str(mortal.second.port)):
                    retriever.search(one, k=5)
            standby.ask("SELECT pg_promote(true)")
            # It follows nobody any more, and nobody follows it.
            standby.ask("ALTER SYSTEM SET synchronous_standby_names = ''")
            standby.ask("SELECT pg_reload_conf()")
            assert [retriever.search(one, k=5) for one in questions] == expected
            assert len(retriever) == 60
            retriever.add(["one more"], ids=["more"])
            assert len(retriever) == 61
    finally:
        standby.stop()


def _search_while(retriever, questions, expected, happens) -> None:
    """Ask from several threads while something happens: right answers, or an error by its name."""
    wrong: list[object] = []
    failed = threading.Event()
    started = threading.Barrier(4)

    def ask() -> None:
        started.wait()
        for _ in range(200):
            for question, answer in zip(questions, expected, strict=True):
                try:
                    if retriever.search(question, k=5) != answer:
                        wrong.append(question)
                except RemoteUnavailableError:
                    failed.set()
                    return
                except Exception as error:
                    wrong.append(error)
                    return

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    started.wait()
    happens()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert failed.is_set(), "the server died before all was asked"


def test_a_killed_writer(fleet):
    """What was acknowledged is there; given again, the stream is completed."""
    address = fleet.address()
    process = subprocess.Popen(
        [sys.executable, str(WRITER), address], stdout=subprocess.PIPE, text=True
    )
    acknowledged = 0
    while acknowledged < PASSAGES // 3:
        line = process.stdout.readline()
        assert line, "the writer must get somewhere before it is killed"
        acknowledged += int(line)
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += sum(map(int, process.communicate()[0].split()))
    assert acknowledged < PASSAGES
    with Retriever.open(address, model="hash") as retriever:
        ids = [one["id"] for one in passages(acknowledged)]
        assert [one.id for one in retriever.get(ids)] == ids
        assert retriever.add_stream(passages(PASSAGES), batch=20) == PASSAGES
        assert len(retriever) == PASSAGES
        ids = [one["id"] for one in passages(PASSAGES)]
        assert [one.text for one in retriever.get(ids)] == [
            one["text"] for one in passages(PASSAGES)
        ]
        assert retriever.search(next(passages(1))["text"], k=1)[0].id == "p0"
