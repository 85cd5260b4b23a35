"""The benchmark of quality runs and goes on where it was; its page is what the results give."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.quality.sets import tasks
from benchmarks.quality.tables import BLOCKS, PAGE, RESULTS, Figures, fill, read
from lfm2_colbert_rag.evaluation import load_dataset
from tests.evaluation.conftest import write_lines

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("ir_measures", reason="the extra 'evaluation' is not installed")


def run(*args: object) -> str:
    command = [sys.executable, "-m", "benchmarks.quality", *map(str, args)]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "arcd_ar"
    texts = {"a": "the first text", "b": "another one", "c": "and a third"}
    write_lines(folder / "corpus.jsonl", ({"id": i, "text": t} for i, t in texts.items()))
    write_lines(folder / "queries.jsonl", ({"id": i, "text": t} for i, t in texts.items()))
    write_lines(folder / "qrels.jsonl", ({"query": i, "doc": i, "score": 1} for i in texts))
    return folder.parent


def test_a_run_goes_on_where_it_was(tmp_path, data):
    out = tmp_path / "quality.json"
    options = ("--data", data, "--model", "hash", "--modes", "late", "--no-bm25", "--out", out)
    first = run(*options)
    assert "arcd_ar ar→ar: late 1.000" in first
    assert "piaf_fr: not there, skipped" in first
    before = out.read_text(encoding="utf-8")
    assert "arcd_ar: measured before, skipped" in run(*options)
    assert out.read_text(encoding="utf-8") == before
    (model,) = json.loads(before)["models"].values()
    figures = Figures(model, _committed("teacher"), _committed("published"))
    assert figures.value("arcd_ar", "ar→ar", "late") == 1
    assert figures.value("arcd_ar", "ar→ar", "hybrid") is None
    assert figures.taught("arcd_ar", "ar→ar") == 0.809
    page = PAGE.read_text(encoding="utf-8")
    filled = fill(page, figures)
    assert "| arcd_ar | 3 / 3 | **1.000** | – | – | – | – | 0.809 |" in filled
    assert fill(filled, figures) == filled


def test_every_block_has_its_place():
    page = PAGE.read_text(encoding="utf-8")
    assert {name for name in BLOCKS if f"<!-- {name} -->\n" in page} == set(BLOCKS)


def test_the_page_is_what_the_results_give():
    if not (RESULTS / "quality.json").exists():
        pytest.skip("nothing was measured yet")
    page = PAGE.read_text(encoding="utf-8")
    assert fill(page, read()) == page


def test_every_pair_of_the_trained_languages_is_measured():
    pairs = {pair for task in tasks() if task.name.startswith("xquad") for pair in task.languages}
    assert len(pairs) == 5 * 5 + 7 + 7


def _committed(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_bm25s_is_measured_with_its_defaults_and_at_its_best(data):
    for name in ("bm25s", "Stemmer"):
        pytest.importorskip(name, reason="bm25s and PyStemmer are for the benchmark only")
    from benchmarks.quality.bm25 import Bm25, Tokens, Weights

    dataset = load_dataset(data / "arcd_ar")
    peer = Bm25(dataset, ("nDCG@10", "RR@10"))
    plain = peer.measure(Tokens(), Weights(), "bm25s")
    best, settings = peer.best("ar")
    assert best.mean() >= plain.mean() > 0.9
    assert settings["pattern"] in ("words", "short words")
    assert {"stop_words", "stemmer", "method", "k1", "b"} < settings.keys()
