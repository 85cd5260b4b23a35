"""No first search waits for the compiler; what was compiled ahead is compiled by nobody again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever, warm
from lfm2_colbert_rag.cli import main

from ..grown import add, always_vote, compress_early

pytestmark = [pytest.mark.long, pytest.mark.subprocess]

QUERIES = ["w3 w40 w77", "w1 w2", "w100 w7 w61 w9"]

ASK = """
import json, sys
import pytest
from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.index.compressed.codec import Codec
from lfm2_colbert_rag.index.compressed.ways import SEARCHING
from tests.grown import add, always_vote, compress_early

with pytest.MonkeyPatch.context() as patched:
    always_vote(patched)
    compress_early(patched)
    with Retriever.open(sys.argv[1]) as retriever:
        hits = [retriever.search(query, k=5) for query in sys.argv[2:]]
        ready = SEARCHING.ready(Codec(retriever.stats().dim, 4))
        spans = [hit.evidence for found in hits for hit in found]
        if ready:
            add(retriever, 40, seed=9)
            retriever.optimize()
    compiled = sys.modules.get("lfm2_colbert_rag.index.jit.compiling")
    print(json.dumps({
        "ids": [[hit.id for hit in found] for found in hits],
        "scores": [[hit.score for hit in found] for found in hits],
        "evidence": sum(map(len, spans)),
        "ready": ready,
        "compiled": compiled.COMPILED if compiled else [],
    }))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    compress_early(monkeypatch)
    always_vote(monkeypatch)
    folder = tmp_path / "grown.index"
    with Retriever.open(folder, model="hash", storage="compressed") as retriever:
        add(retriever, 300)
        retriever.optimize()
        assert retriever.stats().storage == "compressed"
    return folder


def ask(folder: Path, **environment: str) -> dict:
    """Ask in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ASK, str(folder), *QUERIES],
        capture_output=True, text=True, check=True, env={**os.environ, **environment},
    )  # fmt: skip
    return json.loads(done.stdout)


def test_with_an_empty_cache_numpy_answers_the_same_before_anything_is_compiled(folder, tmp_path):
    cache = tmp_path / "empty"
    found = ask(folder, NUMBA_CACHE_DIR=str(cache), LFM2_COLBERT_KERNELS="beside")
    assert not found["ready"]
    assert found["evidence"]
    with Retriever.open(folder) as retriever:
        hits = [retriever.search(query, k=5) for query in QUERIES]
    assert found["ids"] == [[hit.id for hit in one] for one in hits]
    for scores, one in zip(found["scores"], hits, strict=True):
        assert scores == pytest.approx([hit.score for hit in one], rel=1e-5)


def test_what_was_warmed_is_compiled_by_nobody_again(folder, capsys):
    """Not for searching, nor for evidence, adding and optimizing."""
    steps = []
    done = warm("hash", progress=steps.append)
    assert steps == [one.what for one in done]
    assert all(one.folder.is_dir() for one in done[1:])
    assert main(["warm", "--model", "hash"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(done)
    assert all(": found in " in line for line in lines[1:])
    found = ask(folder, LFM2_COLBERT_KERNELS="wait")
    assert found["ready"]
    assert found["compiled"] == []


def test_a_mistaken_number_of_bits_is_refused_before_anything_is_loaded(capsys):
    assert main(["warm", "--nbits", "3"]) == 1
    assert "nbits must be 2 or 4, not 3." in capsys.readouterr().err
