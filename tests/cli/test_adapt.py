"""``lfm2-colbert adapt``: from labels to a verdict, and what its exit codes say."""

from __future__ import annotations

import json

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.training import Work, train_on
from tests.training.noisy import LEARNS, fill, labels


@pytest.fixture
def index(tmp_path):
    with Retriever.open(tmp_path / "index", model="hash") as made:
        fill(made)
    return tmp_path / "index"


@pytest.fixture
def pairs(tmp_path):
    rows = [{"query": question, "id": id} for question, id in labels()]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_step_by_step_to_an_adopted_model(run, index, pairs, tmp_path):
    work, model = tmp_path / "work", tmp_path / "model"
    mined = run("adapt", "mine", index, "--into", work, "--pairs", pairs, "--method", "layers")
    assert mined.code == 0
    assert "train 12" in mined.out
    with Retriever.open(index) as opened:
        train_on(Work.open(work), opened, model, LEARNS)
    judged = run("adapt", "evaluate", work, "--model", model)
    assert judged.code == 0
    assert "test, unseen passages" in judged.out
    line = f"lfm2-colbert adapt migrate {index} --model {model}"
    assert line in " ".join(judged.out.split())
    assert "report.html" in judged.err
    gone = run("adapt", "purge", work)
    assert (gone.code, work.exists(), model.exists()) == (0, False, True)
    assert "files removed" in gone.out


@pytest.mark.slow
def test_one_call_that_gains_nothing_ends_with_3(run, index, pairs):
    """At its default rate the method learns too little of a model without meaning."""
    first = run("adapt", "run", index, "--pairs", pairs)
    assert first.code == 3
    assert "Not adopted: No gain is proven" in " ".join(first.out.split())
    again = run("adapt", "run", index, "--pairs", pairs, "--json")
    assert again.code == 3
    told = json.loads(again.out)
    assert (told["adopted"], told["facts"]["models_judged"]) == (False, 1)
    assert "migrate" not in told
    trained = index.with_name("index.work.model")
    assert json.loads((trained / "verdict.json").read_text())["reasons"] == told["reasons"]


def test_training_says_what_it_did(run, index, pairs, tmp_path):
    work = tmp_path / "work"
    mined = run(
        "adapt", "mine", index, "--into", work, "--log", pairs, "--method", "layers", "--json"
    )
    assert json.loads(mined.out)["counts"]["test"] == 40
    trained = run("adapt", "train", work, "--into", tmp_path / "model", "--seed", 1, "--json")
    assert trained.code == 0
    assert json.loads(trained.out)["seed"] == 1
    taken = run("adapt", "train", work, "--into", tmp_path / "model")
    assert taken.code == 1
    assert "is not empty" in taken.err


def test_without_labels_nothing_is_adopted(run, tmp_path):
    texts = [f"Matter {n} of the house\nIt is about thing{n} and thing{n + 1}." for n in range(20)]
    with Retriever.open(tmp_path / "index", model="hash") as made:
        made.add(texts)
    outcome = run("adapt", "run", tmp_path / "index", "--no-labels", "--into", tmp_path / "work")
    assert outcome.code == 3
    assert "nothing is proven" in outcome.out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 2, "name the labels"),
        (["--queries", "q.jsonl"], 2, "belong together"),
        (["--pairs", "p", "--queries", "q", "--qrels", "r"], 2, "not both"),
        (["--pairs", "gone.jsonl"], 1, "gone.jsonl"),
        (["--no-labels", "--guard", "gone"], 1, "guard must be a folder"),
    ],
)
def test_mistakes_are_one_line(run, index, options, code, said):
    outcome = run("adapt", "mine", index, "--into", "work", *options)
    assert outcome.code == code
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


def test_other_mistakes_are_one_line_too(run, index, tmp_path):
    for args in (
        ("adapt", "train", tmp_path, "--into", "model"),
        ("adapt", "evaluate", tmp_path, "--model", "model"),
        ("adapt", "purge", tmp_path),
    ):
        outcome = run(*args)
        assert outcome.code == 1
        assert "is no work folder" in outcome.err
    outcome = run("adapt", "run", index, "--no-labels", "--memory", "much")
    assert outcome.code == 2
    assert "--memory must be a size such as 4GB" in outcome.err
