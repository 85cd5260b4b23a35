"""A small judged corpus, and the folders that hold it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from lfm2_colbert_rag.evaluation import Dataset
from lfm2_colbert_rag.types import Passage
from tests.conftest import CORPUS

QUERIES = {
    "q1": "Which key of the router?",
    "q2": "When does the library close?",
    "q3": "Wann wird die Kaffeemaschine entkalkt?",
    "q4": "Nothing of this is in any text",
}
QRELS = {
    "q1": {"reset": 2, "reinicio": 1, "library": 0},
    "q2": {"library": 1},
    "q3": {"kaffee": 1},
    "q4": {"linge": 1},
}


def write_lines(path: Path, rows: Iterable[object]) -> Path:
    """Write JSON Lines; a string is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def passages() -> list[Passage]:
    return [Passage(id, text) for id, text in CORPUS.items()]


@pytest.fixture
def dataset() -> Dataset:
    return Dataset(passages(), QUERIES, QRELS, "shop")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return a folder in this library's own form."""
    folder = tmp_path / "shop"
    write_lines(folder / "corpus.jsonl", ({"id": i, "text": t} for i, t in CORPUS.items()))
    write_lines(folder / "queries.jsonl", ({"id": i, "text": t} for i, t in QUERIES.items()))
    write_lines(
        folder / "qrels.jsonl",
        ({"query": q, "doc": p, "score": g} for q, of in QRELS.items() for p, g in of.items()),
    )
    return folder


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """Return a folder in BEIR's form: more queries than are judged, and titles."""
    folder = tmp_path / "beir"
    write_lines(
        folder / "corpus.jsonl",
        ({"_id": i, "title": f"About {i}", "text": t, "metadata": {}} for i, t in CORPUS.items()),
    )
    write_lines(
        folder / "queries.jsonl",
        ({"_id": i, "text": t} for i, t in {**QUERIES, "train1": "Not judged"}.items()),
    )
    lines = [f"{q}\t{p}\t{g}" for q, of in QRELS.items() for p, g in of.items()]
    write_lines(folder / "qrels" / "test.tsv", ["query-id\tcorpus-id\tscore", *lines])
    return folder


@pytest.fixture
def family_folder(tmp_path: Path) -> Path:
    """Return a folder with two languages under the same ids, as XQuAD's."""
    folder = tmp_path / "both"
    write_lines(
        folder / "corpus.jsonl",
        [
            {"id": "p1", "title": "Key", "en": "Hold the reset key.", "de": "Taste halten."},
            {"id": "p2", "title": "Hours", "en": "We open at nine.", "de": "Offen ab neun."},
        ],
    )
    write_lines(
        folder / "queries.jsonl",
        [
            {"id": "q1", "en": "which key", "de": "welche Taste", "answers": {"en": "reset"}},
            {"id": "q2", "en": "open when", "de": "Offen ab wann", "answers": {"en": "nine"}},
        ],
    )
    write_lines(folder / "qrels.jsonl", [{"query": f"q{n}", "doc": f"p{n}"} for n in (1, 2)])
    return folder
