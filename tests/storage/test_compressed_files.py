"""Damage to a compressed index is named; copies and exports of it are whole."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import IndexCorruptError
from lfm2_colbert_rag.index import arrays
from lfm2_colbert_rag.index.arrays import _describe
from lfm2_colbert_rag.storage.verification import verify_folder

from ..grown import add, answers, assert_same, compress_early, grow, held, kinds
from ..sealing import tampering

pytestmark = pytest.mark.long

SEGMENT_FILES = [
    "codes",
    "extra_centroids",
    "extra_scales",
    "extra_tokens",
    "lengths",
    "list_bounds",
    "list_sizes",
    "list_steps",
    "listed",
    "norms",
    "packed",
    "row_steps",
    "span_sizes",
    "spans",
    "windows",
]
CODEBOOK_FILES = ["bounds", "centroids", "groups", "pivots", "rotation", "scales", "tokens"]
FILES = [("segments", name) for name in SEGMENT_FILES]
FILES += [("codebooks", name) for name in CODEBOOK_FILES]


@pytest.fixture(autouse=True)
def _early(monkeypatch):
    compress_early(monkeypatch)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of a compressed index, to be copied."""
    with pytest.MonkeyPatch.context() as patched:
        compress_early(patched)
        with grow(tmp_path_factory.mktemp("made") / "made.index") as retriever:
            retriever.delete(["s1-4"])
            return retriever.path


@pytest.fixture
def copied(made, folder):
    shutil.copytree(made, folder)
    return folder


def last(folder: Path, kind: str, name: str) -> Path:
    """Name a file of the last segment, which has centroids of its own, or of the codebook."""
    return sorted(folder.glob(f"{kind}/*"))[-1] / f"{name}.npy"


def test_every_file_is_known_to_these_tests(made):
    for kind, names in (("segments", SEGMENT_FILES), ("codebooks", CODEBOOK_FILES)):
        for one in made.glob(f"{kind}/*"):
            assert sorted(path.stem for path in one.iterdir()) == names


@pytest.mark.parametrize(("kind", "name"), FILES)
@pytest.mark.parametrize("how", ["missing", "truncated"])
def test_a_file_that_is_not_all_there_is_named_at_open(copied, kind, name, how):
    path = last(copied, kind, name)
    if how == "missing":
        path.unlink()
    else:
        os.truncate(path, path.stat().st_size - 1)
    said = "is missing" if how == "missing" else "bytes instead of"
    with pytest.raises(IndexCorruptError, match=rf"{name}\.npy .*{said}|{name}\.npy {said}"):
        Retriever.open(copied)
    problems = verify_folder(copied)
    assert any(str(path) in problem and said in problem for problem in problems), problems


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_a_flipped_bit_is_found_by_verify(copied, kind, name):
    path = last(copied, kind, name)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    problems = verify_folder(copied)
    assert f"{path} was altered: its checksum differs" in problems[0]
    assert all(f"{name}.npy" in problem for problem in problems)
    # Of what is nothing but a header, that can no longer be read.
    with pytest.raises(IndexCorruptError, match=rf"{name}\.npy (was altered|cannot be read)"):
        Retriever.open(copied)


@pytest.mark.parametrize("name", ["codes", "packed", "spans", "listed"])
def test_a_flipped_bit_of_what_is_too_large_to_be_compared_at_open(copied, name, monkeypatch):
    monkeypatch.setattr(arrays, "COMPARED_BYTES", 0)
    path = last(copied, "segments", name)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with Retriever.open(copied) as retriever:
        (problem,) = retriever.verify()
        assert f"{path} was altered: its checksum differs" in problem
        with pytest.raises(IndexCorruptError, match=rf"{name}\.npy was altered"):
            retriever.backup(copied.with_name("backup"))


def test_a_codebook_that_is_gone(copied):
    shutil.rmtree(copied / "codebooks")
    with pytest.raises(IndexCorruptError, match=r"codebooks.*is missing.*backup"):
        Retriever.open(copied)
    assert all("is missing" in problem for problem in verify_folder(copied))


def test_a_codebook_that_the_catalog_does_not_name(copied):
    with tampering(copied) as connection:
        connection.execute("DELETE FROM codebooks")
    with pytest.raises(IndexCorruptError, match=r"needs codebook .* which the catalog does not"):
        Retriever.open(copied)
    assert any("needs codebook" in problem for problem in verify_folder(copied))


def test_the_codebook_of_another_index(copied, tmp_path):
    with Retriever.open(tmp_path / "other", model="hash") as other:
        add(other, 90, seed=5, words=[f"other{number}" for number in range(50)])
    (theirs,) = (tmp_path / "other" / "codebooks").iterdir()
    (ours,) = (copied / "codebooks").iterdir()
    shutil.rmtree(ours)
    shutil.copytree(theirs, ours)
    with pytest.raises(IndexCorruptError, match=rf"{ours.name}.*bytes instead of"):
        Retriever.open(copied)
    assert any(ours.name in problem for problem in verify_folder(copied))


def rewrite(folder: Path, name: str, change) -> None:
    """Change an array of the last segment, and let the catalog think that it was always so."""
    path = last(folder, "segments", name)
    array = np.load(path)
    change(array)
    path.unlink()
    np.save(path, array)
    file = _describe(path)
    with tampering(folder) as connection:
        connection.execute(
            f"UPDATE segments SET files = json_set(files, '$.{name}', json(?)) WHERE name = ?",
            (f'{{"size": {file.size}, "sha256": "{file.sha256}"}}', path.parent.name),
        )


def put(value: int):
    def change(array: np.ndarray) -> None:
        array.reshape(-1)[:1] = value

    return change


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("lengths", 200, "do not cover its"),
        ("lengths", 0, "its lengths do not lie between 1 and"),
        ("span_sizes", 99, "its windows do not cover its spans"),
        ("codes", 3, "inverted lists do not agree"),
        ("list_sizes", 29, "list_sizes do not cover its lists"),
        ("list_steps", 200, "list_steps name centroids twice, or some that there are not"),
        ("list_bounds", 99, "list_bounds do not ascend from 0"),
        ("listed", 29, "inverted lists do not agree"),
        ("windows", 250, "a window ends before it begins"),
        ("row_steps", 3, "its rows begin at"),
    ],
)
def test_arrays_that_contradict_one_another(copied, name, value, said):
    rewrite(copied, name, put(value))
    problems = verify_folder(copied)
    assert any(said in problem for problem in problems), problems
    assert all("Restore the index from a backup" in problem for problem in problems)


def test_codes_that_no_centroid_has(copied):
    rewrite(copied, "codes", lambda array: array.fill(255))
    assert any("names a centroid that codebook" in problem for problem in verify_folder(copied))


def test_a_backup_is_restored_as_it_was(copied, tmp_path):
    with Retriever.open(copied) as retriever:
        stored, asked = held(retriever), answers(retriever)
        retriever.backup(tmp_path / "backup")
    with Retriever.restore(tmp_path / "backup", tmp_path / "new") as restored:
        assert_same(held(restored), stored)
        assert answers(restored) == asked
        assert restored.verify() == []
        add(restored, 3, seed=6)
        restored.optimize()
        assert kinds(restored) == ["compressed"]


def test_a_backup_while_somebody_merges_is_whole(copied, tmp_path):
    with (
        Retriever.open(copied) as retriever,
        Retriever.open(copied) as other,
        ThreadPoolExecutor() as pool,
    ):
        for turn in range(4):
            add(other, 3, seed=30 + turn)
            running = pool.submit(other.optimize)
            retriever.backup(tmp_path / f"b{turn}")
            running.result(timeout=60)
            assert verify_folder(tmp_path / f"b{turn}") == []


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_is_exported_is_what_is_stored(copied, tmp_path, dtype):
    with Retriever.open(copied) as retriever:
        stored = held(retriever)
        assert retriever.export(tmp_path / "export", dtype=dtype) == len(retriever) == 139
        with Retriever.open(tmp_path / "again", model="hash", storage="exact") as again:
            again.import_dump(tmp_path / "export")
            found = held(again)
            assert found.keys() == stored.keys()
            for id, windows in stored.items():
                for one, other in zip(windows, found[id], strict=True):
                    np.testing.assert_allclose(one[0], other[0], atol=1e-3)
                    np.testing.assert_array_equal(one[1], other[1])
