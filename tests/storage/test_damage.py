"""No damage of an array kills the process, leaves the library as another's error, or goes unseen.

Where the checksums are those that were recorded, a small index never answers otherwise than before.
Where they were made to fit, as of an index that somebody crafted, it may, as one cannot know what
its maker wanted; but nothing is read or written out of bounds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever

from ..grown import add, compress_early, grow

pytestmark = [pytest.mark.slow, pytest.mark.subprocess]

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["exact", "compressed"])
def made(request, tmp_path_factory):
    """Return the folder of an index of each kind, to be copied."""
    folder = tmp_path_factory.mktemp(request.param) / "made.index"
    with pytest.MonkeyPatch.context() as patched:
        if request.param == "compressed":
            compress_early(patched)
            grow(folder).close()
        else:
            with Retriever.open(folder, model="hash", storage="exact") as retriever:
                add(retriever, 20)
    return folder


def outcomes(made: Path, *options: str) -> dict[str, str]:
    """Run all cases in a process of its own; returns what came of each."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.storage.damaging", str(made), *options],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path])},
        capture_output=True,
        text=True,
        timeout=600,
    )
    lines = run.stdout.splitlines()
    assert run.returncode == 0, f"{lines[-1:]}: {run.returncode}\n{run.stderr[-3000:]}"
    assert lines[-1] == "done"
    return dict(line.rsplit(" ", 1) for line in lines[:-1])


def test_damage_of_a_small_index_is_named(made):
    found = outcomes(made, "recorded")
    assert len(found) > 50
    assert {case: what for case, what in found.items() if what not in ("right", "named")} == {}


def test_what_was_crafted_is_refused_or_answered(made):
    found = outcomes(made, "crafted")
    refused = [case for case, what in found.items() if what == "named"]
    assert len(refused) > len(found) / 3
    for case in found:
        if case.split()[1] in ("shorter", "longer", "empty", "objects"):
            assert case in refused or case.startswith("norms"), case


def test_a_vector_that_is_no_number_is_named_when_it_is_searched(tmp_path, monkeypatch):
    """Also in a segment that is too large to be compared whenever it is opened."""
    from lfm2_colbert_rag.errors import IndexCorruptError
    from lfm2_colbert_rag.index import arrays

    monkeypatch.setattr(arrays, "COMPARED_BYTES", 0)
    with Retriever.open(tmp_path / "i", model="hash", storage="exact") as retriever:
        add(retriever, 20)
    (path,) = (tmp_path / "i").glob("segments/*/vectors.npy")
    vectors = np.lib.format.open_memmap(path, "r+")
    vectors[7, 3] = -np.inf
    vectors.flush()
    with Retriever.open(tmp_path / "i") as retriever:
        for mode in ("late", "hybrid"):
            with pytest.raises(IndexCorruptError, match="is not finite"):
                retriever.search("w1", mode=mode)
        assert retriever.search("w1", mode="lexical")
