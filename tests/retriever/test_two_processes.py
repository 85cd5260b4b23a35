"""How vectors are kept is one setting of an index, whoever has it open, whatever is going on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.retriever.maintenance import compaction
from lfm2_colbert_rag.storage.store import Store
from lfm2_colbert_rag.testing import HashEncoder

from ..grown import add, compress_early, held, kinds, sentences
from ..inside import store_of

pytestmark = pytest.mark.subprocess

REOPEN = """
import sys
from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import IndexMismatchError
try:
    Retriever.open(sys.argv[1], storage=sys.argv[2]).close()
    print("said", end="")
except IndexMismatchError:
    print("refused", end="")
"""


@pytest.fixture(autouse=True)
def _early(monkeypatch):
    compress_early(monkeypatch)


def say(folder: Path, storage: str) -> str:
    """Let another process open the index with another choice of storage."""
    command = [sys.executable, "-c", REOPEN, str(folder), storage]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def assert_exact(retriever: Retriever, texts: dict[str, str]) -> None:
    """Every vector is what the model gave, as float16 holds it, to the last bit."""
    assert set(kinds(retriever)) == {"exact"}
    assert retriever.stats().storage == "exact"
    stored = held(retriever)
    assert stored.keys() == texts.keys()
    for id, one in zip(texts, HashEncoder().encode_document(list(texts.values())), strict=True):
        expected = one.vectors.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(stored[id][0][0], expected)
    assert retriever.verify() == []


def grow(retriever: Retriever, number: int, seed: int = 0) -> dict[str, str]:
    """Add so many passages, and return their texts by id."""
    return dict(zip(add(retriever, number, seed), sentences(number, seed), strict=True))


def test_the_word_of_another_process_binds_from_the_next_commit_on(folder):
    with Retriever.open(folder, model="hash", storage="auto") as first:
        texts = grow(first, 20)
        assert say(folder, "exact") == "said"
        for seed in (1, 2):
            texts |= grow(first, 80, seed)
            assert_exact(first, texts)
        first.optimize()
        assert_exact(first, texts)
        assert not list(folder.glob("codebooks/*"))


def test_and_the_other_way_round(folder):
    with Retriever.open(folder, model="hash", storage="exact") as first:
        assert_exact(first, grow(first, 100))
        assert say(folder, "auto") == "said"
        add(first, 1, seed=1)
        assert set(kinds(first)) == {"compressed"}
        assert say(folder, "exact") == "refused"
        add(first, 1, seed=2)
        assert set(kinds(first)) == {"compressed"}


STEPS = {
    "before a sample is taken": (compaction.Compactor, "_sample"),
    "before the codebook is made": (compaction, "train_codebook"),
    "before the codebook is committed": (Store, "add_codebook"),
    "between codebook and segment": (compaction.Compactor, "_rewrite"),
    "before the segment is committed": (Store, "replace_segments"),
}


@pytest.mark.parametrize(
    "by", ["add", "optimize", pytest.param("reencode", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("step", STEPS)
def test_a_word_while_vectors_are_compressed_is_refused_or_heard(folder, monkeypatch, step, by):
    home, name = STEPS[step]
    real, answers = getattr(home, name), []

    def interrupted(*args, **options):
        if not answers and (name != "replace_segments" or store_of(first).catalog.codebooks()):
            answers.append(say(folder, "exact"))
        return real(*args, **options)

    with Retriever.open(folder, model="hash", storage="exact") as first:
        texts = grow(first, 60)
        assert say(folder, "auto") == "said"
        monkeypatch.setattr(home, name, interrupted)
        if by == "add":
            texts |= grow(first, 20, seed=1)
        else:
            first.optimize(reencode=by == "reencode")
        monkeypatch.undo()
        (answer,) = answers
        if answer == "refused":
            assert first.stats().storage == "compressed"
            assert first.verify() == []
        else:
            assert_exact(first, texts)
            assert Retriever.open(folder, storage="exact").close() is None
    assert answer == ("refused" if "segment" in step else "said")


def test_what_was_staged_compressed_is_not_committed_to_an_exact_index(folder):
    """All passages of a compressed index are gone when another process asks for exact vectors."""

    class Interrupted(HashEncoder):
        answer = None

        def encode_document(self, texts, *, progress=None):
            if self.answer is None and "late" in texts:
                self.answer = say(folder, "exact")
            return super().encode_document(texts, progress=progress)

    encoder = Interrupted()
    with Retriever.open(folder, model=encoder, storage="auto") as first:
        add(first, 80)
        first.delete(all=True)
        first.add(["late"], ids=["late"])
        if encoder.answer == "said":
            assert_exact(first, {"late": "late"})
        else:
            assert encoder.answer == "refused"
            assert first.search("late", k=1)[0].id == "late"
        assert first.verify() == []
