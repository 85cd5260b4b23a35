"""Deleted is deleted: no byte of a forgotten passage is left in any file of the index."""

from __future__ import annotations

import json
import logging
import random
import sqlite3
import string
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.storage import catalog as catalogs
from lfm2_colbert_rag.storage import forgetting
from lfm2_colbert_rag.storage.checksums import row_sum
from lfm2_colbert_rag.storage.forgetting import FORGET_AFTER

from ...grown import add, compress_early, sentences
from ...inside import store_of

KINDS = ["exact", "compressed"]
READER = """
    import sys
    from lfm2_colbert_rag import Retriever
    with Retriever.open(sys.argv[1], read_only=True) as reader:
        print(reader.search("w1 w2", k=1, mode="hybrid")[0].id, flush=True)
        for line in sys.stdin:
            print(len(reader.search("w1 w2", k=1000, mode="hybrid")), flush=True)
"""


class Secrets:
    """Passages that nothing else is like, and what of them must not be found later.

    Args:
        seed: others for each.
    """

    def __init__(self, seed: int, number: int = 6) -> None:
        chance = random.Random(seed)
        self.ids = [f"ID{self._word(chance, 9)}" for _ in range(number)]
        self.words = [self._word(chance, size) for size in (5, 8, 14) for _ in range(number)]
        self.words += ["".join(chance.choices("鬱麤龘靐爨驫籲纛鸞虋", k=6)) for _ in range(number)]
        self.texts = [
            f"w3 {' '.join(self.words[place::number])} w5 {chance.choice(('', 'w9 ' * 800))}"
            for place in range(number)
        ]
        self.values = [self._word(chance, 11) for _ in range(number)]
        self.metadata = [
            {"owner": value, "tags": [f"{value}T"], f"key{value}": {"n": value}}
            for value in self.values
        ]

    @staticmethod
    def _word(chance: random.Random, size: int) -> str:
        return "".join(chance.choices(string.ascii_uppercase + string.digits, k=size)) + "Q"

    def needles(self) -> list[bytes]:
        """Return all of them as bytes, however they may be written, and terms of them."""
        found = [*self.ids, *self.words, *self.values]
        found += [word[at : at + 2] for word in self.words if not word.isascii() for at in range(5)]
        written = {form for one in found for form in (one, one.lower(), json.dumps(one)[1:-1])}
        return [
            one.encode(encoding)
            for one in written
            for encoding in ("utf-8", "utf-16-le", "utf-16-be")
            if len(one.encode(encoding)) > 4
        ]

    def left_in(self, folder: Path) -> set[str]:
        """Return the names of files that hold some of it."""
        files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        return {
            str(path.relative_to(folder))
            for needle in self.needles()
            for path, content in files.items()
            if needle in content
        }


def be_careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SQLite leave what is deleted where it was, as it does unless it is told otherwise."""
    define = catalogs.define_functions

    def prepare(connection: sqlite3.Connection) -> None:
        define(connection)
        connection.execute("PRAGMA secure_delete = OFF")

    monkeypatch.setattr(catalogs, "define_functions", prepare)


def fill(retriever: Retriever, secrets: Secrets, *, commits: int) -> None:
    """Add secrets among others, in one commit or in several."""
    add(retriever, 60)
    step = -(-len(secrets.ids) // commits)
    for at in range(0, len(secrets.ids), step):
        part = slice(at, at + step)
        retriever.add(secrets.texts[part], ids=secrets.ids[part], metadata=secrets.metadata[part])
        add(retriever, 10, seed=at + 1)


def search_in_threads(retriever: Retriever, number: int = 4) -> None:
    """Leave idle connections behind, as the threads of a server do."""
    threads = [threading.Thread(target=retriever.search, args=("w1 w2",)) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("kind", "commits", "careful", "options"),
    [
        ("exact", 1, True, {}),
        ("exact", 3, False, {}),
        ("exact", 3, True, {"lexical": False}),
        ("exact", 1, False, {"pool_factor": 2}),
        ("compressed", 1, False, {}),
        ("compressed", 3, True, {"lexical": False}),
    ],
)
def test_nothing_is_left(folder, monkeypatch, kind, commits, careful, options):
    if kind == "compressed":
        compress_early(monkeypatch)
    if not careful:
        be_careless(monkeypatch)
    secrets = Secrets(commits)
    with Retriever.open(folder, model="hash", **options) as retriever:
        retriever.create_filter_index("owner")
        retriever.create_filter_index("tags")
        fill(retriever, secrets, commits=commits)
        assert retriever.stats().storage == kind
        assert secrets.left_in(folder)
        search_in_threads(retriever)
        before = len(retriever)
        retriever.delete(secrets.ids[:2])
        retriever.delete(where={"owner": {"$in": secrets.values[2:]}})
        assert retriever.optimize(forget_after=0).forgettable == 0
        assert len(retriever) == before - len(secrets.ids)
        assert secrets.left_in(folder) == set()
        assert retriever.stats().optimize_due is None
        assert retriever.verify() == []
        retriever.backup(folder.with_name("copy"))
        assert secrets.left_in(folder.with_name("copy")) == set()
    assert secrets.left_in(folder) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_replaced_is_left_nowhere(folder, monkeypatch, kind):
    if kind == "compressed":
        compress_early(monkeypatch)
    secrets = Secrets(5)
    with Retriever.open(folder, model="hash") as retriever:
        ids = [f"mine{place}" for place in range(len(secrets.texts))]
        add(retriever, 60)
        retriever.add(secrets.texts, ids=ids, metadata=secrets.metadata)
        retriever.add(secrets.texts, ids=ids, metadata=[{"n": 1}] * len(ids))  # vectors are kept
        retriever.add(sentences(len(ids), 3), ids=ids, metadata=[{}] * len(ids))
        retriever.optimize(forget_after=0)
        assert secrets.left_in(folder) == set()
        assert len(retriever.get(ids)) == len(ids)
        assert retriever.verify() == []


def test_no_segment_holds_its_tokens(folder):
    with Retriever.open(folder, model="hash") as retriever:
        add(retriever, 300)
        (only,) = retriever.encoder.encode_document(["Xylophon Quarz"])
        secret = set(only.token_ids.tolist())
        secret -= {
            token
            for one in retriever.encoder.encode_document(sentences(300))
            for token in one.token_ids.tolist()
        }
        assert secret
        retriever.add(["Xylophon Quarz"], ids=["x"])
        retriever.optimize()  # one passage among three hundred, in one segment with them
        retriever.delete(["x"])
        retriever.optimize(forget_after=0)
        tokens = [np.load(path) for path in folder.rglob("token_ids.npy")]
        assert tokens
        assert secret.isdisjoint(np.concatenate(tokens).tolist())


def test_pages_that_were_split_keep_no_copies(folder):
    """SQLite leaves copies of cells that moved, even where it zeroes deleted ones."""
    chance = random.Random(3)
    ids = [f"{chance.getrandbits(64):016x}" for _ in range(1200)]
    with Retriever.open(folder, model="hash", lexical=False) as retriever:
        for at in range(0, len(ids), 200):
            retriever.add(["w1"] * 200, ids=ids[at : at + 200])
            retriever.delete(ids[at : at + 200 : 7])
        retriever.delete(ids[::2])
        retriever.optimize(forget_after=0)
        files = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert [id for id in ids[::2] if id.encode() in files] == []


def test_a_second_process_may_read_meanwhile(folder):
    secrets = Secrets(8)
    with Retriever.open(folder, model="hash") as retriever:
        fill(retriever, secrets, commits=2)
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(READER), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as reader:
            reader.stdout.readline()
            retriever.delete(secrets.ids)
            retriever.optimize(forget_after=0)
            assert secrets.left_in(folder) == set()
            reader.stdin.write("\n")
            reader.stdin.flush()
            assert int(reader.stdout.readline()) == len(retriever)
            reader.stdin.close()
        assert reader.returncode == 0


@pytest.mark.slow
def test_whoever_reads_all_the_time_is_told_of(folder, monkeypatch, caplog):
    monkeypatch.setattr(forgetting, "_PAUSE", 0.001)
    secrets = Secrets(9)
    with Retriever.open(folder, model="hash") as retriever:
        fill(retriever, secrets, commits=1)
        with closing(sqlite3.connect(folder / "catalog.sqlite", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM passages").fetchone() == (len(retriever),)
            retriever.delete(secrets.ids)
            with caplog.at_level(logging.WARNING):
                stats = retriever.optimize(forget_after=0)
            assert "which others were reading" in caplog.text
            assert stats.optimize_due == (
                "something of forgotten passages may be left in the catalog's files"
            )
            assert secrets.left_in(folder)
        assert retriever.optimize(forget_after=0).optimize_due is None  # goes on from there
        assert secrets.left_in(folder) == set()


def test_forgetting_that_was_killed_goes_on(folder):
    secrets = Secrets(10)
    with Retriever.open(folder, model="hash") as retriever:
        fill(retriever, secrets, commits=1)
        retriever.delete(secrets.ids)
        retriever.optimize()
        store = store_of(retriever)
        held = np.concatenate([one.segment.rows for one in store.snapshot().segments])
        assert store.catalog.forgetting.drop(np.unique(held), 0) == len(secrets.ids)
        # Killed here: the passages are gone, terms and log are not.
        assert retriever.stats().forgettable == 0
        assert retriever.stats().optimize_due
        retriever.optimize()
        assert retriever.stats().optimize_due is None
        assert secrets.left_in(folder) == set()


def age(retriever: Retriever, seconds: float) -> None:
    """Let every commit lie back further."""
    with closing(sqlite3.connect(retriever.path / "catalog.sqlite")) as connection, connection:
        rows = connection.execute("SELECT generation, created, added, removed FROM generations")
        for generation, created, *counts in rows.fetchall():
            older = datetime.fromisoformat(created) - timedelta(seconds=seconds)
            row = (generation, older.isoformat(timespec="seconds"), *counts)
            connection.execute(
                "INSERT OR REPLACE INTO generations VALUES (?, ?, ?, ?, ?)", (*row, row_sum(*row))
            )


def test_statistics_say_when_forgetting_is_due(retriever):
    assert retriever.stats().forgettable == 0
    assert retriever.stats().forget_due is None
    ids = [one.id for one in retriever.passages(limit=3)]
    retriever.delete(ids[:2])
    retriever.add(["another text"], ids=ids[2:])
    stats = retriever.optimize()  # an hour has not passed
    assert stats.forgettable == 3
    assert stats.optimize_due is None
    age(retriever, FORGET_AFTER + 5)
    stats = retriever.stats()
    assert stats.optimize_due.startswith("3 deleted or replaced passages can be forgotten since ")
    assert stats.forget_due[:16].replace("T", " ") in stats.optimize_due
    stats = retriever.optimize()
    assert (stats.forgettable, stats.forget_due, stats.optimize_due) == (0, None, None)


def test_no_time_is_no_time_whatever_the_clock_says(retriever):
    retriever.delete(all=True)
    age(retriever, -7200)  # the clock was two hours ahead when that was committed
    assert retriever.optimize(forget_after=0).forgettable == 0


@pytest.mark.parametrize("seconds", [-1, float("nan"), "1", None, True])
def test_seconds_that_are_none(retriever, seconds):
    with pytest.raises(ConfigError, match="forget_after must be seconds"):
        retriever.optimize(forget_after=seconds)


@pytest.mark.parametrize("seconds", [1e9, 1e300, float("inf")])
def test_longer_than_anything_is_remembered(retriever, seconds):
    retriever.delete(all=True)
    assert retriever.optimize(forget_after=seconds).forgettable
