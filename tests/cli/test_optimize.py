"""``optimize``, and what the other commands say of a compressed index."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.index.settings import DEFAULT_SETTINGS

from ..inside import store_of
from .conftest import Run

pytestmark = pytest.mark.long

FIRST, REST = '{"n": {"$lt": 200}}', '{"n": {"$gte": 200}}'
WORDS = [f"word{number}" for number in range(3000)]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Return a file with enough vectors for compression to begin, and a passage to be found."""
    chance = random.Random(5)
    rows = [
        {"id": f"p{number}", "text": " ".join(chance.choices(WORDS, k=40)), "n": number}
        for number in range(620)
    ]
    rows.append({"id": "zebra", "text": "Zebras graze in the morning.", "n": 0})
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture
def index(run: Run, lines: Path) -> str:
    outcome = run("index", lines, "--into", "an.index", "--model", "hash", "--storage", "exact")
    assert outcome.code == 0
    return "an.index"


@pytest.fixture
def compressed(run: Run, lines: Path) -> str:
    options = ("--storage", "compressed", "--nbits", 2)
    assert run("index", lines, "--into", "few.index", "--model", "hash", *options).code == 0
    return "few.index"


def test_the_kind_of_index_is_chosen_once(run: Run, lines: Path, compressed: str) -> None:
    stats = json.loads(run("stats", compressed, "--json").out)
    assert (stats["storage"], stats["nbits"]) == ("compressed", 2)
    assert run("index", lines, "--into", compressed, "--nbits", 2).code == 0
    refused = run("index", lines, "--into", compressed, "--nbits", 4)
    assert (refused.code, "was made with nbits 2, not 4" in refused.err) == (1, True)
    refused = run("index", lines, "--into", "new", "--model", "hash", "--nbits", 3)
    assert (refused.code, refused.err) == (1, "error: nbits must be 2 or 4, not 3.\n")
    assert run("index", lines, "--into", "new", "--storage", "fast").code == 2
    assert not Path("new").exists()


def test_stats_say_how_well_it_finds(run: Run, compressed: str) -> None:
    values = json.loads(run("stats", compressed, "--measure", "--json").out)
    recall = values["recall"]
    table = run("stats", compressed).out
    shown = f"{recall['recall']:.3f} ({recall['low']:.3f}–{recall['high']:.3f}, "
    assert f"recall            {shown}{recall['queries']} queries)" in table
    assert f"drift             {values['drift']:.1%}" in table
    assert "optimize due      no" in table


def test_stats_measure_only_when_they_are_told_to(run: Run, compressed: str) -> None:
    assert "recall            not measured" in run("stats", compressed).out
    assert json.loads(run("stats", compressed, "--measure", "--json").out)["recall"]["queries"]
    assert json.loads(run("stats", compressed, "--json").out)["recall"]["queries"]


def test_stats_of_an_exact_index(run: Run, index: str) -> None:
    table = run("stats", index).out
    assert "recall            1 (exact search)" in table
    assert "nbits" not in table


def test_stats_name_what_is_due(run: Run, index: str) -> None:
    run("delete", index, "--where", FIRST)
    due = "optimize due      yes: 201 of 621 stored passages are deleted"
    assert due in run("stats", index).out


def test_optimize_shows_what_changed(run: Run, index: str) -> None:
    run("delete", index, "--where", FIRST)
    outcome = run("optimize", index, "--forget-after", 0)
    assert (outcome.code, outcome.err) == (0, "")
    rows = {row[0]: row for row in map(str.split, outcome.out.splitlines())}
    assert rows["deleted"] == ["deleted", "201", "0"]
    assert rows["storage"] == ["storage", "exact", "the", "same"]
    assert run("verify", index).code == 0
    again = json.loads(run("optimize", index, "--json").out)
    assert again["before"]["bytes_per_vector"] == again["after"]["bytes_per_vector"]
    told = json.loads(run("stats", index, "--json").out)
    assert list(again["after"]) == [key for key in told if key != "fields"]


def test_optimize_encodes_again(run: Run, compressed: str) -> None:
    before = run("search", compressed, "zebras", "--json", "-k", 1).out
    outcome = run("optimize", compressed, "--reencode", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out)["after"]["storage"] == "compressed"
    after = run("search", compressed, "zebras", "--json", "-k", 1).out
    assert json.loads(after)["id"] == json.loads(before)["id"] == "zebra"
    assert run("verify", compressed).code == 0


def test_optimize_of_nothing(run: Run, index: str) -> None:
    missing = Path("nowhere").absolute()
    assert run("optimize", "nowhere").err.startswith(f"error: {missing} holds no index")
    assert run("optimize", index, "--forget-after", -1).code == 2


def test_only_one_optimizes(run: Run, index: str) -> None:
    with Retriever.open(index) as retriever, store_of(retriever).locks.optimizing(timeout=0):
        outcome = run("optimize", index)
    assert outcome.code == 1
    assert "is being optimized by somebody else" in outcome.err


def test_search_shows_its_plan(run: Run, compressed: str) -> None:
    outcome = run("search", compressed, "zebras", "-k", 1, "--plan")
    assert outcome.code == 0
    assert "zebra" in outcome.out
    assert outcome.err.startswith("votes: centroids voted")
    for name in ("windows", "vectors", "voted", "refined", "scored", "settings  "):
        assert f"\n{name}" in outcome.err
    assert f"nprobe {DEFAULT_SETTINGS.nprobe}" in outcome.err


def test_search_gives_its_plan_as_json(run: Run, compressed: str) -> None:
    outcome = run("search", compressed, "zebras", "-k", 2, "--plan", "--json", "--where", FIRST)
    assert outcome.err == ""
    *hits, last = map(json.loads, outcome.out.splitlines())
    assert hits[0]["id"] == "zebra"
    assert list(last) == ["plan"]
    assert (last["plan"]["method"], last["plan"]["windows"]) == ("scan", 201)
    assert last["plan"]["settings"] is None


def test_the_plan_of_an_exact_search(run: Run, index: str) -> None:
    outcome = run("search", index, "zebras", "--plan", "--where", REST)
    assert outcome.err.startswith("exact: every allowed vector was compared, as it was encoded")
    assert "vectors  16,800  they have" in outcome.err
    assert "voted" not in outcome.err


def test_search_aims_for_a_recall(run: Run, compressed: str) -> None:
    command = ("search", compressed, "zebras", "-k", 1, "--plan", "--json")
    plans = [
        json.loads(run(*command, "--target-recall", target).out.splitlines()[-1])["plan"]
        for target in (0.1, 1)
    ]
    assert plans[0]["settings"]["nprobe"] < plans[1]["settings"]["nprobe"]
    outcome = run(*command, "--target-recall", 95)
    assert outcome.err == ("error: target_recall must lie above 0 and at most at 1, not 95.0.\n")
