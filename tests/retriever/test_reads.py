"""Reads never write: not a byte of an index changes by them, and they need no right to write."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("ir_measures", reason="the extra 'evaluation' is not installed")

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ReadOnlyError

from ..grown import add, compress_early
from . import reads

pytestmark = pytest.mark.long

READER = Path(reads.__file__)


@pytest.fixture(
    scope="module", params=[pytest.param("exact", marks=pytest.mark.slow), "compressed"]
)
def made(request, tmp_path_factory):
    """Return the folder of an index of several segments, some of its passages deleted."""
    folder = tmp_path_factory.mktemp("made") / "an.index"
    with pytest.MonkeyPatch.context() as patched:
        compress_early(patched)
        with Retriever.open(folder, model="hash", storage=request.param) as retriever:
            for seed in range(3):
                add(retriever, 80 if seed == 0 else 20, seed)
            retriever.delete(["s1-3"])
            retriever.create_filter_index("seed")
            assert retriever.stats().storage == request.param
            assert retriever.stats().segments == 3
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Return every file with its size and its hash, and every folder."""
    return {
        path.relative_to(folder).as_posix(): f"{path.stat().st_size} {_hash(path)}"
        for path in sorted(folder.rglob("*"))
    }


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"


@pytest.mark.parametrize("options", [{}, {"read_only": True}], ids=["writable", "read_only"])
def test_not_a_byte_changes(made, folder, options):
    shutil.copytree(made, folder)
    before = contents(folder)
    with Retriever.open(folder, **options) as retriever:
        answers = reads.read_everything(retriever)
    assert contents(folder) == before
    assert answers["read_only"] == bool(options)
    assert answers["problems"] == []


def test_what_was_opened_to_be_read_refuses_writes(made, folder):
    shutil.copytree(made, folder)
    before = contents(folder)
    with Retriever.open(folder, read_only=True) as retriever:
        assert reads.refused(retriever) == list(reads.WRITES)
        with pytest.raises(ReadOnlyError, match="was opened with read_only=True"):
            retriever.add(["new"])
        assert retriever.measure_recall(sample=3).queries == 3  # and does not remember it
        assert retriever.stats().recall is None
    assert contents(folder) == before


@pytest.mark.parametrize("options", [{"storage": "auto"}, {"lexical": False}])
def test_to_read_is_not_to_change_options(made, folder, options):
    shutil.copytree(made, folder)
    before = contents(folder)
    with pytest.raises(ReadOnlyError, match="its options cannot be changed"):
        Retriever.open(folder, read_only=True, **options)
    assert contents(folder) == before


@pytest.fixture
def protected(made):
    """Return a copy that only its owner can write, but everybody can reach."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can take rights away from a process of its own")
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    shutil.copytree(made, root / "an.index")
    for path in [root / "an.index", *(root / "an.index").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield root / "an.index"
    shutil.rmtree(root)


def read_without_rights(warm: Path, folder: Path) -> dict:
    """Let a process of another user read an index; it loads what it needs before."""
    outcome = subprocess.run(
        [sys.executable, "-m", "tests.retriever.reads", str(warm), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout)


@pytest.mark.subprocess
def test_no_right_to_write_is_needed(made, folder, protected):
    shutil.copytree(made, folder)
    before = contents(protected)
    told = read_without_rights(folder, protected)
    assert contents(protected) == before
    answers = told["answers"]
    assert answers.pop("read_only")
    assert answers.pop("measured") == 3
    assert told["refused"] == list(reads.WRITES)
    with Retriever.open(folder, read_only=True) as retriever:
        expected = json.loads(json.dumps(reads.read_everything(retriever)))
    assert answers == {name: expected[name] for name in answers}


@pytest.mark.slow
@pytest.mark.subprocess
def test_nor_while_somebody_else_writes(made, folder, protected):
    """What has not been folded into the catalog's file yet is seen as well."""
    shutil.copytree(made, folder)
    with Retriever.open(protected) as writer:
        add(writer, 5, seed=0, words=["w1", "w2", "w3"])
        assert (protected / "catalog.sqlite-wal").stat().st_size > 0
        told = read_without_rights(folder, protected)
        expected = json.loads(json.dumps(reads.read_everything(writer)))
    assert told["refused"] == list(reads.WRITES)
    for name in ("late", "lexical", "hybrid", "fetched", "passages", "problems"):
        assert told["answers"][name] == expected[name]
