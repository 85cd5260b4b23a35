"""Run as a process of its own: damages one array after the other, opens the index and asks it.

Usage: ``python -m tests.storage.damaging INDEX CHECKSUMS``, where CHECKSUMS is ``crafted`` if the
catalog is to think that the arrays were always so, else ``recorded``. Prints a line a case:
``right`` where answers are what they were, ``named`` where an error of the library said what is
wrong, else ``other``. A crash ends the output after the name of the case that caused it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import IndexCorruptError
from lfm2_colbert_rag.index.arrays import FileInfo, _describe

from ..grown import always_vote, sentences

QUESTIONS = sentences(2, 77)
# Set LFM2_COLBERT_DAMAGE to try more.
MORE = os.environ.get("LFM2_COLBERT_DAMAGE")
PLACES = ("first", "middle", "last", "all") if MORE else ("first", "all")


def extremes(array: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield an array changed in every way that its type allows."""
    kind = array.dtype
    if kind.kind == "f":
        values = [np.nan, np.inf, -np.inf, float(np.finfo(kind).max), -1.0, 0.0]
    else:
        values = [np.iinfo(kind).max, np.iinfo(kind).min, 0, 1]
    for value in values:
        for place in PLACES:
            changed = array.copy()
            flat = changed.reshape(-1)
            at = {"first": 0, "middle": len(flat) // 2, "last": -1}.get(place, slice(None))
            flat[at] = value
            yield f"{place}={value}", changed
    yield "reversed", array[::-1].copy()
    yield "shuffled", np.random.default_rng(0).permutation(array)


def others(array: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield an array of other shapes and types."""
    yield "shorter", array[:-1]
    yield "longer", np.concatenate((array, array[-1:]))
    yield "empty", array[:0]
    yield (
        "flat" if array.ndim > 1 else "narrow",
        array.reshape(-1) if array.ndim > 1 else (array.reshape(-1, 1)),
    )
    yield "float64", array.astype(np.float64)
    yield (
        "int64" if array.dtype.kind == "f" else "float16",
        array.astype(np.int64 if array.dtype.kind == "f" else np.float16),
    )
    yield "objects", np.array([b"x"], dtype="S4")
    yield "fortran", np.asfortranarray(array)


def say(text: str) -> None:
    """Write at once, so that it is there when the process dies."""
    sys.stdout.write(text)
    sys.stdout.flush()


def remember(folder: Path, kind: str, path: Path, file: FileInfo) -> None:
    """Let the catalog think that a file was always so."""
    connection = sqlite3.connect(folder / "catalog.sqlite")
    connection.execute(
        f"UPDATE {kind} SET files = json_set(files, '$.{path.stem}', json(?)) WHERE name = ?",
        (f'{{"size": {file.size}, "sha256": "{file.sha256}"}}', path.parent.name),
    )
    connection.commit()
    connection.close()


def ask(folder: Path) -> list[object]:
    """Return what an index says in its three modes, with evidence."""
    with Retriever.open(folder, read_only=True) as retriever:
        return [
            (hit.id, round(hit.score, 3), [match.passage_span for match in hit.evidence])
            for mode in ("late", "hybrid", "lexical")
            for question in QUESTIONS
            for hit in retriever.search(question, k=3, mode=mode)
        ]


def try_all(made: Path, *, crafted: bool) -> None:
    """Try every change of every array of the last segment and of the codebook."""
    expected = ask(made)
    with tempfile.TemporaryDirectory() as parent:
        for source in [
            *made.glob("codebooks/*/*.npy"),
            *sorted(made.glob("segments/*"))[-1].iterdir(),
        ]:
            array = np.load(source)
            if not array.size:
                continue
            changes: list[Callable[[np.ndarray], Iterator[tuple[str, np.ndarray]]]] = [extremes]
            changes += [others] if crafted else []
            for change in changes:
                for name, changed in change(array):
                    say(f"{source.stem} {name} ")
                    folder = Path(parent) / "i"
                    shutil.copytree(made, folder)
                    path = folder / source.relative_to(made)
                    np.save(path, changed)
                    if crafted:
                        remember(folder, source.parts[-3], path, _describe(path))
                    _try_one(folder, expected)
                    shutil.rmtree(folder)
    say("done\n")


def _try_one(folder: Path, expected: list[object]) -> None:
    try:
        answer = ask(folder)
    except IndexCorruptError:
        say("named\n")
        return
    say("right\n" if answer == expected else "other\n")


if __name__ == "__main__":
    patch = pytest.MonkeyPatch()
    always_vote(patch)
    try_all(Path(sys.argv[1]), crafted=sys.argv[2] == "crafted")
