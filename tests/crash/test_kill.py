"""``kill -9`` at random moments: every acknowledged commit is there, none is half there.

Whatever is under way: an add or a deletion, and what follows from them, which is that segments are
compressed and merged; or an optimization.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever, compaction

KILLS = int(os.environ.get("LFM2_COLBERT_KILLS", "6"))
WRITER = Path(__file__).parent / "writer.py"
# Seconds between a writer's first word and its death at most; compressing takes it longer.
LONGEST = {"exact": 0.5, "compressed": 1.5}

State = dict[str, str]


def apply(state: State, line: str) -> State:
    """Return what the index holds after the announced write."""
    what, seed, step, names = line.split(" ")
    chosen = names.split(",")
    if what == "optimize":
        return state
    if what == "delete":
        return {name: text for name, text in state.items() if name not in chosen}
    return state | {name: f"{name} run{seed} step{step} zebra" for name in chosen}


def run_and_kill(folder: Path, seed: int, kind: str, seconds: float) -> list[str]:
    """Let a writer work for a while after its start, kill it, and return what it said."""
    process = subprocess.Popen(
        [sys.executable, str(WRITER), str(folder), str(seed), kind],
        stdout=subprocess.PIPE,
        text=True,
    )
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest, _ = process.communicate()
    lines = (first + rest).split("\n")
    return [line for line in lines[:-1] if line]  # what follows the last newline was cut off


def replay(state: State, lines: list[str]) -> tuple[State, str | None, int]:
    """Return what was acknowledged, the write that was under way, and how many were done."""
    pending, done = None, 0
    for line in lines:
        if line.startswith("done"):
            state, pending, done = apply(state, pending), None, done + 1
        else:
            pending = line
    return state, pending, done


def held(retriever: Retriever) -> State:
    hits = retriever.search("zebra", k=1000)
    return {hit.id: hit.text for hit in hits}


def check_folder(retriever: Retriever) -> None:
    """Nothing is broken, and nothing is left over."""
    assert retriever.verify() == []
    catalog, folder = retriever._store.catalog, retriever.path
    named = {info.name for info in catalog.codebooks()}
    assert {path.name for path in folder.glob("segments/*")} == catalog.segment_names()
    assert {path.name for path in folder.glob("codebooks/*")} == named
    assert list(folder.glob("staging/*")) == []


def ranking(retriever: Retriever, query: str) -> dict[str, float]:
    return {hit.id: hit.score for hit in retriever.search(query, k=1000)}


def begin(folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> State:
    """Make an index of the kind with something in it."""
    state = {f"p{number}": f"p{number} zebra at first" for number in range(40)}
    with monkeypatch.context() as patched, Retriever.open(folder, model="hash") as retriever:
        if kind == "compressed":
            patched.setattr(compaction, "AUTO_VECTORS", 100)
        retriever.add(list(state.values()), ids=list(state))
        assert retriever.stats(measure=False).index == kind
    return state


@pytest.mark.parametrize("kind", ["exact", "compressed"])
def test_killed_at_random_moments(tmp_path, kind, monkeypatch):
    folder = tmp_path / "killed.index"
    chance = random.Random(os.environ.get("LFM2_COLBERT_SEED", "7"))
    state = begin(folder, kind, monkeypatch)
    commits = 0
    for seed in range(KILLS):
        lines = run_and_kill(folder, seed, kind, chance.uniform(0.0, LONGEST[kind]))
        state, pending, done = replay(state, lines)
        commits += done
        with Retriever.open(folder) as retriever:
            found = held(retriever)
            # A write that was under way may have been committed before it could be acknowledged.
            allowed = [state] if pending is None else [state, apply(state, pending)]
            assert found in allowed, f"after kill {seed}"
            state = found
            check_folder(retriever)
    assert commits >= KILLS // 2, "the writer must get somewhere between its start and its end"
    with (
        Retriever.open(folder) as survivor,
        Retriever.from_texts(list(state.values()), ids=list(state), model="hash") as fresh,
    ):
        for query in ("zebra", "p7 zebra", "step3", "run1 step2 p11"):
            expected = ranking(fresh, query)
            margin = 0.2 * len(query.split()) if kind == "compressed" else 0
            assert ranking(survivor, query) == pytest.approx(expected, abs=margin, rel=0)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
