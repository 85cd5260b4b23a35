"""An index that is whole is found whole, and each kind of damage is named."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import IndexFormatError, IndexNotFoundError
from lfm2_colbert_rag.index.arrays import _describe
from lfm2_colbert_rag.storage.verification import verify_folder

from ..conftest import CORPUS
from ..inside import store_of
from ..sealing import tampering
from ..windows import KEEPS_WHAT_IS_IN_USE


def rewrite(retriever: Retriever, name: str, change) -> Path:
    """Change one array of the only segment, and let the catalog think that it was always so."""
    path = next(retriever.path.glob(f"segments/*/{name}.npy"))
    array = np.load(path)
    changed = change(array)
    if KEEPS_WHAT_IS_IN_USE:
        pytest.skip("replaces a file that is mapped")
    path.unlink()  # the old one may still be mapped
    np.save(path, array if changed is None else changed)
    file = _describe(path)
    with tampering(retriever.path) as connection:
        connection.execute(
            f"UPDATE segments SET files = json_set(files, '$.{name}', json(?))",
            (f'{{"size": {file.size}, "sha256": "{file.sha256}"}}',),
        )
    return path


def set_catalog(retriever: Retriever, statement: str) -> None:
    with tampering(retriever.path) as connection:
        connection.execute(statement)


def test_a_sound_index_has_no_problems(retriever):
    long = "One sentence of a long text. " * 200
    retriever.add([long, "nul \0 inside", "𝔞" * 40], ids=["long", "nul", "astral"])
    retriever.delete(["reset"])
    retriever.add([CORPUS["linge"]], ids=["linge"], metadata=[{"new": True}])
    assert retriever.verify() == []
    assert verify_folder(retriever.path) == []


def test_an_empty_index_has_no_problems(folder):
    with Retriever.open(folder, model="hash") as retriever:
        assert retriever.verify() == []
        retriever.add(["x"])
        retriever.delete(all=True)
        assert retriever.verify() == []


def test_progress_counts_passages(retriever):
    told: list[int] = []
    retriever.verify(progress=told.append)
    assert sum(told) == len(CORPUS)


def put(position: tuple[int, ...], value: float):
    def change(array: np.ndarray) -> None:
        array[position] = value

    return change


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("vectors", put((3, 5), np.nan), "not finite (NaN or infinity) in passage 'reset'"),
        ("vectors", put((-1, 0), np.inf), "not finite (NaN or infinity) in passage 'library'"),
        ("vectors", lambda a: a[:-1], "vectors by the catalog"),
        ("vectors", lambda a: a[:, :-1], "another shape than"),
        ("token_ids", lambda a: a[:-1], "token_ids, but"),
        ("spans", lambda a: a[:-2], "spans, but"),
        ("spans", put((0, 1), 10_000), "a span outside of the text in passage 'reset'"),
        ("spans", put((0, 0), -1), "a span outside of the text in passage 'reset'"),
        ("windows", put((1, 1), 10_000), "a span outside of the text in passage 'reinicio'"),
        ("windows", lambda a: a[:-1], "windows have another shape than 5 by 2"),
        ("offsets", put((0,), 1), "its offsets do not ascend from 0"),
        ("offsets", put((2,), 10_000), "its offsets do not ascend from 0"),
        ("offsets", put((-1,), 10_000), "its offsets do not ascend from 0"),
        ("offsets", lambda a: a[:-1], "offsets of shape"),
        ("rows", lambda a: a[::-1].copy(), "its rows do not ascend"),
        ("rows", put((1,), 1), "it holds 4 passages; the catalog says 5"),
        ("rows", lambda a: a + 1, "its rows begin at 2; the catalog says 1"),
    ],
)
def test_arrays_that_contradict_one_another(retriever, name, change, said):
    path = rewrite(retriever, name, change)
    problems = verify_folder(retriever.path)
    assert any(said in problem for problem in problems), problems
    assert all(str(path.parent) in problem or "catalog.sqlite" in problem for problem in problems)
    assert all("Restore the index from a backup" in problem for problem in problems)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE passages SET tokens = 99 WHERE id = 'linge'", "passage 'linge' has other numbers"),
        ("UPDATE passages SET windows = 2 WHERE id = 'linge'", "passage 'linge' has other numbers"),
        ("UPDATE passages SET text = 'x' WHERE id = 'linge'", "outside of the text in passage"),
        (
            "UPDATE segments SET died = 1",
            "each of the passages 'reset', 'reinicio', 'kaffee' and 2",
        ),
        ("UPDATE segments SET passages = 6", "it holds 5 passages; the catalog says 6"),
        ("UPDATE segments SET tokens = tokens + 1", "vectors by the catalog"),
    ],
)
def test_a_catalog_that_contradicts_the_segments(retriever, statement, said):
    set_catalog(retriever, statement)
    problems = verify_folder(retriever.path)
    assert any(said in problem for problem in problems), problems


def test_a_passage_in_two_segments(retriever):
    """As if a merge had kept the old segment alive."""
    segment = next(retriever.path.glob("segments/*"))
    shutil.copytree(segment, segment.with_name("00000002-2"))
    set_catalog(
        retriever,
        "INSERT INTO segments SELECT '00000002-2', passages, tokens, files, born, died, "
        "description, space, 0 FROM segments",
    )
    problems = verify_folder(retriever.path)
    assert len(problems) == 1
    assert "lies in more than one segment" in problems[0]


@pytest.mark.parametrize("name", ["vectors", "rows"])
def test_a_damaged_file_is_told_once(retriever, name):
    """What could not be read is not also reported as missing passages."""
    path = next(retriever.path.glob(f"segments/*/{name}.npy"))
    os.truncate(path, path.stat().st_size - 1)
    for problems in (retriever.verify(), verify_folder(retriever.path)):
        assert len(problems) == 1
        assert str(path) in problems[0]


def test_a_damaged_catalog(retriever):
    retriever.close()
    path = retriever.path / "catalog.sqlite"
    data = bytearray(path.read_bytes())
    data[4096 + 100 : 3 * 4096] = b"\xff" * (2 * 4096 - 100)
    path.write_bytes(data)
    problems = verify_folder(retriever.path)
    assert problems
    assert all(str(path) in problem for problem in problems)
    path.write_bytes(b"no database" * 100)
    assert "is damaged" in verify_folder(retriever.path)[0]


def test_no_index_and_another_format(retriever, tmp_path):
    with pytest.raises(IndexNotFoundError):
        verify_folder(tmp_path / "nowhere")
    retriever.close()
    set_catalog(retriever, "PRAGMA user_version = 999")
    with pytest.raises(IndexFormatError):
        verify_folder(retriever.path)


def test_orphans_are_named_unless_somebody_writes(retriever):
    orphan = retriever.path / "segments" / "00000009-orphan"
    left = retriever.path / "staging" / "left"
    orphan.mkdir()
    left.mkdir(parents=True)
    problems = retriever.verify()
    assert [str(orphan) in problems[0], str(left) in problems[1], len(problems)] == [True, True, 2]
    assert "the next add, delete or optimize removes it" in problems[0]
    with FileLock(left.with_suffix(".lock")):
        assert len(retriever.verify()) == 1
    with store_of(retriever).locks.writing():
        assert retriever.verify() == []
    with Retriever.open(retriever.path) as other:
        other.delete([])
    assert retriever.verify() == []


def test_a_segments_folder_that_is_gone(retriever):
    retriever.close()
    shutil.rmtree(retriever.path / "segments")
    assert all("is missing" in problem for problem in verify_folder(retriever.path))


def test_verifying_while_others_write_finds_nothing(retriever):
    stop = threading.Event()

    def write() -> None:
        with Retriever.open(retriever.path) as other:
            while not stop.is_set():
                other.add(["some text", "and more"], ids=["a", "b"])
                other.delete(["a"])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(20):
            assert retriever.verify() == []
    finally:
        stop.set()
        thread.join()


def test_segments_that_were_merged_are_never_taken_for_orphans(retriever, monkeypatch):
    """They are no longer named when they are removed; nobody may verify in between."""
    remove, seen = shutil.rmtree, []

    def look_first(path, **options):
        seen.append(verify_folder(retriever.path))
        remove(path, **options)

    for number in range(3):
        retriever.add([f"text {number}"], ids=[f"more {number}"])
    monkeypatch.setattr("lfm2_colbert_rag.storage.retired.shutil.rmtree", look_first)
    retriever.optimize(progress=False)
    assert len(seen) > 2
    assert not any(seen)


def test_what_was_replaced_meanwhile_is_no_problem(retriever, monkeypatch):
    """A segment that vanishes with its generation was merged away."""
    from lfm2_colbert_rag.storage import verification

    verify, calls = verification.verify_files, []

    def vanish(root, info):
        calls.append(info.name)
        if len(calls) == 1:
            retriever.add(["another"], ids=["x"])
            return ["it is gone"]
        return verify(root, info)

    monkeypatch.setattr(verification, "verify_files", vanish)
    assert retriever.verify() == []
    assert len(calls) == 3


def test_any_segment_that_gives_windows_can_be_verified(retriever, monkeypatch):
    """Another kind need not keep its vectors as an array."""
    from lfm2_colbert_rag.storage import verification

    class Other:
        def __init__(self, segment) -> None:
            self.info, self.rows, self.offsets = segment.info, segment.rows, segment.offsets
            self.windows, self.lengths, self._segment = segment.windows, segment.lengths, segment
            self.spoilt = False

        def window(self, position):
            window = self._segment.window(position)
            if position == 2:
                vectors = np.full_like(window.encoded.vectors, np.nan)
                return replace(window, encoded=replace(window.encoded, vectors=vectors))
            return window

    opener = verification.SegmentOpener
    real = opener.segment
    monkeypatch.setattr(opener, "segment", lambda *args: Other(real(*args)))
    (problem,) = retriever.verify()
    assert "not finite" in problem
    assert "'kaffee'" in problem
