"""The benchmark of quality runs and goes on where it was; its page is what the results give."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.harness import RESULTS, Results
from benchmarks.harness.machine import ROOT
from benchmarks.quality.card import CARD, fill_card
from benchmarks.quality.figures import Figures, read
from benchmarks.quality.sets import tasks
from benchmarks.quality.tables import BLOCKS, PAGE, fill
from tests.evaluation.conftest import write_lines

pytest.importorskip("ir_measures", reason="the extra 'evaluation' is not installed")


def run(*args: object, module: str = "benchmarks.quality") -> str:
    command = [sys.executable, "-m", module, *map(str, args)]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    return " ".join(done.stderr.split())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "arcd_ar"
    texts = {"a": "the first text", "b": "another one", "c": "and a third"}
    write_lines(folder / "corpus.jsonl", ({"id": i, "text": t} for i, t in texts.items()))
    write_lines(folder / "queries.jsonl", ({"id": i, "text": t} for i, t in texts.items()))
    write_lines(folder / "qrels.jsonl", ({"query": i, "doc": i, "score": 1} for i in texts))
    return folder.parent


@pytest.mark.slow
@pytest.mark.benchmark
def test_a_run_goes_on_where_it_was(tmp_path, data):
    out = tmp_path / "quality.json"
    options = ("--data", data, "--model", "hash", "--out", out)
    first = run(*options)
    assert "arcd_ar ar→ar: late 1.000" in first
    assert "piaf_fr: not there, skipped" in first
    before = out.read_text(encoding="utf-8")
    assert "arcd_ar: measured before, skipped" in run(*options)
    assert out.read_text(encoding="utf-8") == before
    results = Results(out)
    sets = {case.partition(", ")[2]: entry for case, entry in results.cases.items()}
    (ran,) = results.runs.values()
    figures = Figures(sets, _committed("teacher"), _committed("published"), {}, ran)
    assert figures.value("arcd_ar", "ar→ar", "late") == 1
    assert figures.value("arcd_ar", "ar→ar", "hybrid") == 1
    assert figures.value("piaf_fr", "fr→fr", "late") is None
    assert figures.share("arcd_ar", "ar→ar") == "1.24"
    assert figures.taught("arcd_ar", "ar→ar") == 0.809
    page = PAGE.read_text(encoding="utf-8")
    filled = fill(page, figures)
    assert "| arcd_ar | 3 / 3 | **1.000** | **1.000** | **1.000** | 0.809 | 1.24 |" in filled
    assert fill(filled, figures) == filled
    assert fill_card(CARD.read_text(encoding="utf-8"), figures) == CARD.read_text(encoding="utf-8")


def test_every_row_of_every_table_has_all_columns():
    page = fill(PAGE.read_text(encoding="utf-8"), read())
    for head, *rows in _tables(page):
        assert {row.count(" | ") for row in rows} <= {head.count(" | ")}, head


def test_the_card_is_written_once_all_its_figures_are_there():
    value = {"nDCG@10": [0.5, 0.4, 0.6], "R@10": [0.75, 0.7, 0.8]}
    sets = {
        task.name: {
            "passages": 1200,
            "queries": 300,
            "pairs": {"→".join(pair): {"systems": {"late": value}} for pair in task.languages},
        }
        for task in tasks()
    }
    figures = Figures(sets, _committed("teacher"), _committed("published"), {})
    card = fill_card(CARD.read_text(encoding="utf-8"), figures)
    assert "| el (few texts) | 0.500 / 0.750 | 0.500 / 0.750 |" in card
    assert "| scifact | en | 1,200 / 300 | 0.500 / 0.750 |" in card
    del sets["scifact"]
    assert fill_card(card, figures) == card


def test_every_block_has_its_place():
    page = PAGE.read_text(encoding="utf-8")
    assert {name for name in BLOCKS if f"<!-- {name} -->\n" in page} == set(BLOCKS)


def test_the_page_is_what_the_results_give():
    page, card = (path.read_text(encoding="utf-8") for path in (PAGE, CARD))
    assert fill(page, read()) == page
    assert fill_card(card, read()) == card


def test_every_pair_of_the_trained_languages_is_measured():
    pairs = {pair for task in tasks() if task.name.startswith("xquad") for pair in task.languages}
    assert len(pairs) == 5 * 5 + 7 + 7 + 7


def _committed(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def _tables(page: str) -> list[list[str]]:
    blocks = [block.splitlines() for block in page.split("\n\n")]
    tables = [[line for line in block if line.startswith("|")] for block in blocks]
    return [[table[0], *table[2:]] for table in tables if len(table) > 2]


@pytest.mark.benchmark
def test_words_are_measured_beside_bm25s_as_it_comes_and_at_its_best(tmp_path, data):
    for name in ("bm25s", "Stemmer"):
        pytest.importorskip(name, reason="bm25s and PyStemmer are for the benchmark only")
    out = tmp_path / "words.json"
    options = ("--data", data, "--out", out)
    assert "arcd_ar: lexical 1.0000" in run(*options, module="benchmarks.quality.words")
    entry = json.loads(out.read_text(encoding="utf-8"))["cases"]["arcd_ar"]
    best, plain = (entry["systems"][name]["nDCG@10"][0] for name in ("bm25s best", "bm25s"))
    assert best >= plain > 0.9
    assert entry["settings"]["tokens"]["pattern"] in ("words", "short words")
    assert {"method", "k1", "b"} == entry["settings"]["weights"].keys()
    assert "measured before, skipped" in run(*options, module="benchmarks.quality.words")
