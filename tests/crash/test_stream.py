"""``kill -9`` in the midst of a stream: given again, it goes on and comes to the same end."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever

from .streamer import BATCH, PASSAGES, passages

pytestmark = [pytest.mark.crash, pytest.mark.slow]

KILLS = int(os.environ.get("LFM2_COLBERT_KILLS", "6"))
STREAMER = Path(__file__).parent / "streamer.py"


def run_and_kill(folder: Path, reports: int) -> None:
    """Let the stream come so far, and kill it."""
    process = subprocess.Popen(
        [sys.executable, str(STREAMER), str(folder)], stdout=subprocess.PIPE, text=True
    )
    for _ in range(reports):
        if not process.stdout.readline():
            break
    process.kill()
    process.communicate()


def test_a_killed_stream_goes_on(tmp_path):
    folder = tmp_path / "streamed.index"
    chance = random.Random(os.environ.get("LFM2_COLBERT_SEED", "11"))
    before = 0
    for _ in range(KILLS // 2):
        run_and_kill(folder, before + chance.randint(1, PASSAGES // KILLS))
        with Retriever.open(folder) as retriever:
            held = len(retriever)
            retriever.delete([])  # which removes what is left over
            assert retriever.verify() == []
            assert before <= held <= PASSAGES
            assert held % BATCH == 0, "batches are whole"
            before = held
    assert before, "the stream must get somewhere before it is killed"
    with Retriever.open(folder) as retriever:
        assert retriever.add_stream(passages(), batch=BATCH) == PASSAGES
        assert retriever.verify() == []
        ids = [f"p{number}" for number in range(PASSAGES)]
        assert [one.text for one in retriever.get(ids)] == [one["text"] for one in passages()]
        assert [one.metadata["n"] for one in retriever.get(ids)] == list(range(PASSAGES))
        assert len(retriever) == PASSAGES
        assert retriever.stats().storage == "compressed"
        assert retriever.search("w9972 w9971", k=1)
