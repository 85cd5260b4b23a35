"""``kill -9`` at random moments: every acknowledged commit is there, none is half there.

Whatever is under way: an add or a deletion, and what follows from them, which is that segments are
compressed and merged; an optimization, which forgets; or a backup and its restoring.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.storage.verification import verify_folder

from ..grown import set_policy
from ..inside import store_of

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(
        not hasattr(os, "fork"), reason="its writers are forked, and killed by signal"
    ),
]

KILLS = int(os.environ.get("LFM2_COLBERT_KILLS", "4"))
WRITER = Path(__file__).parent / "writer.py"
# Seconds between a writer's first word and its death at most; compressing takes it longer.
LONGEST = {"exact": 0.5, "compressed": 1.5}

State = dict[str, str]


def apply(state: State, line: str) -> State:
    """Return what the index holds after the announced write."""
    what, seed, step, names = line.split(" ")
    chosen = names.split(",")
    if what in ("optimize", "copy"):
        return state
    if what == "delete":
        return {name: text for name, text in state.items() if name not in chosen}
    return state | {name: f"{name} run{seed} step{step} zebra" for name in chosen}


class Breeder:
    """Makes writers, one at a time; each is a process that is killed after a while.

    Args:
        kind: of the index that they write to.
        said: file for what they say.
    """

    def __init__(self, kind: str, said: Path) -> None:
        self._said = said
        # One thread, so that none is lost when a writer is forked.
        self._process = subprocess.Popen(
            [sys.executable, str(WRITER), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LFM2_COLBERT_THREADS": "1"},
        )

    def run_and_kill(self, folder: Path, seed: int, seconds: float) -> list[str]:
        """Let a writer work for a while after its first word, kill it, and return what it said."""
        self._said.write_text("", encoding="utf-8")
        self._process.stdin.write(f"{folder}\t{seed}\t{self._said}\n")
        self._process.stdin.flush()
        made, number = self._process.stdout.readline().split()
        while not self._said.stat().st_size:
            assert not select.select([self._process.stdout], [], [], 0.001)[0], "it died by itself"
        time.sleep(seconds)
        os.kill(int(number), signal.SIGKILL)
        ended, status = self._process.stdout.readline().split()
        assert (made, ended, int(status)) == ("made", "ended", signal.SIGKILL)
        lines = self._said.read_text(encoding="utf-8").split("\n")
        return [line for line in lines[:-1] if line]  # what follows the last newline was cut off

    def close(self) -> None:
        """Make no more."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


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
    """Nothing is broken, and the first write removes what is left over."""
    retriever.delete([])
    assert retriever.verify() == []
    catalog, folder = store_of(retriever).catalog, retriever.path
    named = {info.name for info in catalog.codebooks()}
    assert {path.name for path in folder.glob("segments/*")} == catalog.segment_names()
    assert {path.name for path in folder.glob("codebooks/*")} == named
    assert list(folder.glob("staging/*")) == []


def check_copies(retriever: Retriever) -> None:
    """What has its name is whole, and the next copy removes what has none."""
    copies = retriever.path.with_name("copies")
    for copy in copies.glob("[0-9]*"):
        assert verify_folder(copy) == []
        shutil.rmtree(copy)
    retriever.backup(copies / "next")
    assert [path.name for path in copies.iterdir()] == ["next"]
    shutil.rmtree(copies)


def ranking(retriever: Retriever, query: str) -> dict[str, float]:
    return {hit.id: hit.score for hit in retriever.search(query, k=1000)}


def begin(folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> State:
    """Make an index of the kind with something in it."""
    state = {f"p{number}": f"p{number} zebra at first" for number in range(40)}
    with monkeypatch.context() as patched, Retriever.open(folder, model="hash") as retriever:
        if kind == "compressed":
            set_policy(patched, auto_vectors=100)
        retriever.add(list(state.values()), ids=list(state))
        assert retriever.stats().storage == kind
    return state


@pytest.fixture
def breeder(tmp_path, kind):
    one = Breeder(kind, tmp_path / "said.txt")
    yield one
    one.close()


@pytest.mark.parametrize("kind", ["exact", "compressed"])
def test_killed_at_random_moments(tmp_path, kind, breeder, monkeypatch):
    folder = tmp_path / "killed.index"
    chance = random.Random(os.environ.get("LFM2_COLBERT_SEED", "7"))
    state = begin(folder, kind, monkeypatch)
    commits = 0
    for seed in range(KILLS):
        lines = breeder.run_and_kill(folder, seed, chance.uniform(0.0, LONGEST[kind]))
        state, pending, done = replay(state, lines)
        commits += done
        with Retriever.open(folder) as retriever:
            found = held(retriever)
            # A write that was under way may have been committed before it could be acknowledged.
            allowed = [state] if pending is None else [state, apply(state, pending)]
            assert found in allowed, f"after kill {seed}"
            state = found
            check_folder(retriever)
            check_copies(retriever)
    assert commits >= KILLS // 2, "the writer must get somewhere between its start and its end"
    with (
        Retriever.open(folder) as survivor,
        Retriever.from_texts(list(state.values()), ids=list(state), model="hash") as fresh,
    ):
        for query in ("zebra", "p7 zebra", "step3", "run1 step2 p11"):
            expected = ranking(fresh, query)
            # What is fused is summed in the order of rows, which differs.
            margin = 0.2 * len(query.split()) if kind == "compressed" else 1e-5
            assert ranking(survivor, query) == pytest.approx(expected, abs=margin, rel=0)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
