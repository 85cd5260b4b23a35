"""``kill -9`` while an index is migrated: it is whole, and goes on where it was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever

from ..inside import store_of
from . import migrator

pytestmark = [
    pytest.mark.crash,
    pytest.mark.subprocess,
    pytest.mark.skipif(os.name == "nt", reason="processes are killed by signal"),
]

KILLS = int(os.environ.get("LFM2_COLBERT_KILLS", "3"))
TEXTS = [f"w{place} w{place % 7} w{place % 11}" for place in range(60)]
QUESTIONS = ["w1 w2", "w5 w6 w40"]


def answers(retriever: Retriever) -> list[list[tuple[str, float]]]:
    found = retriever.search_many(QUESTIONS, 5, mode="late", where={"added": {"$exists": False}})
    return [[(hit.id, hit.score) for hit in hits] for hits in found]


def run_and_kill(folder: Path, seconds: float) -> None:
    """Let a process migrate for a while after it has begun."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.crash.migrator", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "LFM2_COLBERT_THREADS": "1"},
    ) as process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(seconds)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


def test_killed_at_random_moments(tmp_path):
    folder, ids = tmp_path / "index", [f"p{place}" for place in range(len(TEXTS))]
    expected = []
    for model in ("hash", "hash:1"):
        with Retriever.from_texts(TEXTS, ids=ids, model=model) as plain:
            expected.append(answers(plain))
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add(TEXTS, ids=ids)
    chance = random.Random(os.environ.get("LFM2_COLBERT_SEED", "migrate"))
    for _ in range(KILLS):
        run_and_kill(folder, chance.uniform(0, 1.0))
        with Retriever.open(folder) as retriever:
            models = ["hash", "hash:1"]
            assert answers(retriever) == expected[models.index(retriever.model)]
            retriever.delete([])  # the first write removes what is left over
            assert retriever.verify() == []
            named = store_of(retriever).catalog.contents().names
            for room in ("segments", "codebooks", "adapters"):
                assert {path.name for path in (folder / room).glob("*")} <= named
            status = retriever.migration()
            if status.building is not None:
                told = retriever.migrate(status.building)
                assert told.encoded == status.passages - status.built
                # Whole groups; the last is smaller, and a kill may come between it and the switch.
                assert status.built % migrator.GROUP == 0 or status.built == status.passages
                assert answers(retriever) == expected[models.index(status.building)]
                assert retriever.verify() == []
