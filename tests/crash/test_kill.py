"""``kill -9`` at random moments: every acknowledged commit is there, none is half there."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever

KILLS = int(os.environ.get("LFM2_COLBERT_KILLS", "8"))
WRITER = Path(__file__).parent / "writer.py"

State = dict[str, str]


def apply(state: State, line: str) -> State:
    """Return what the index holds after the announced write."""
    what, seed, step, names = line.split(" ")
    chosen = names.split(",")
    if what == "delete":
        return {name: text for name, text in state.items() if name not in chosen}
    return state | {name: f"{name} run{seed} step{step} zebra" for name in chosen}


def run_and_kill(folder: Path, seed: int, seconds: float) -> list[str]:
    """Let a writer work for a while after its start, kill it, and return what it said."""
    process = subprocess.Popen(
        [sys.executable, str(WRITER), str(folder), str(seed)], stdout=subprocess.PIPE, text=True
    )
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest, _ = process.communicate()
    lines = (first + rest).split("\n")
    return [line for line in lines[:-1] if line]  # what follows the last newline was cut off


def held(retriever: Retriever) -> State:
    hits = retriever.search("zebra", k=1000)
    return {hit.id: hit.text for hit in hits}


def ranking(retriever: Retriever, query: str) -> list[tuple[str, float]]:
    return [(hit.id, hit.score) for hit in retriever.search(query, k=1000)]


def test_killed_at_random_moments(tmp_path):
    folder = tmp_path / "killed.index"
    chance = random.Random(os.environ.get("LFM2_COLBERT_SEED", "7"))
    Retriever.open(folder, model="hash").close()
    state: State = {}
    commits = 0
    for seed in range(KILLS):
        lines = run_and_kill(folder, seed, chance.uniform(0.0, 0.35))
        pending = None
        for line in lines:
            if line.startswith("done"):
                state, pending = apply(state, pending), None
                commits += 1
            else:
                pending = line
        with Retriever.open(folder) as retriever:
            found = held(retriever)
            # A write that was under way may have been committed before it could be acknowledged.
            allowed = [state] if pending is None else [state, apply(state, pending)]
            assert found in allowed, f"after kill {seed}"
            state = found
            assert retriever.verify() == []
            names = {path.name for path in (folder / "segments").iterdir()}
            assert names == retriever._store.catalog.segment_names()
    assert commits >= KILLS, "the writer must get somewhere between its start and its end"
    with (
        Retriever.open(folder) as survivor,
        Retriever.from_texts(list(state.values()), ids=list(state), model="hash") as fresh,
    ):
        for query in ("zebra", "p7 zebra", "step3", "run1 step2 p11"):
            assert ranking(survivor, query) == ranking(fresh, query)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
