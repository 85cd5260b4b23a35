"""``evaluate``: figures, JSON, reports, comparisons, and mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag._support import progress as bars
from lfm2_colbert_rag.evaluation import Evaluation, load_dataset
from lfm2_colbert_rag.evaluation import evaluate as measure
from tests.evaluation.conftest import beir, family_folder, own, write_lines

from .conftest import Run

pytest.importorskip("ir_measures", reason="the extra 'evaluation' is not installed")
__all__ = ["beir", "family_folder", "own"]  # fixtures


def test_a_folder(run: Run, own: Path) -> None:
    outcome = run("evaluate", "--data", own, "--model", "hash")
    assert outcome.code == 0
    evaluation = measure(load_dataset(own), model="hash")
    assert "nDCG@10" in outcome.out
    for mean in evaluation.result().means.values():
        assert f"{mean.mean:.3f}" in outcome.out
        assert f"({mean.low:.3f}–{mean.high:.3f})" in outcome.out


def test_progress_is_shown_unless_it_is_turned_off(
    run: Run, family_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "EVERY", 0.0)
    asked = ("evaluate", "--data", family_folder, "--model", "hash", "--json")
    shown, quiet = run(*asked), run(*asked, "--no-progress")
    assert "asking both en→de (3 of 4): 2 of 2\n" in shown.err
    assert quiet.err == ""
    one, other = (json.loads(outcome.out)["evaluations"] for outcome in (shown, quiet))
    assert [found["modes"]["hybrid"]["means"] for found in one] == [
        found["modes"]["hybrid"]["means"] for found in other
    ]


def test_json_is_an_evaluation(run: Run, own: Path) -> None:
    outcome = run("evaluate", "--data", own, "--model", "hash", "--measures", "RR@5, AP", "--json")
    evaluation = Evaluation.from_json(outcome.out)
    assert evaluation.measures == ("RR@5", "AP")
    expected = measure(load_dataset(own), measures=["RR@5", "AP"], model="hash")
    assert evaluation.result().per_query == expected.result().per_query


def test_single_files_and_an_index(run: Run, own: Path) -> None:
    files = [f"--{name}={own / name}.jsonl" for name in ("corpus", "queries", "qrels")]
    from_corpus = run("evaluate", *files, "--model", "hash", "--json")
    with Retriever.open("an.index", model="hash") as retriever:
        retriever.add_stream(load_dataset(own).corpus or [])
    from_index = run("evaluate", *files[1:], "--index", "an.index", "--json")
    one, other = (Evaluation.from_json(outcome.out) for outcome in (from_corpus, from_index))
    assert one.result().per_query == other.result().per_query


def test_a_beir_folder_with_its_notes(run: Run, beir: Path) -> None:
    write_lines(beir / "qrels" / "test.tsv", ["q1\treset\t1", "q1\tgone\t1"])
    outcome = run("evaluate", "--data", beir, "--model", "hash")
    assert (outcome.code, outcome.out) == (1, "")
    assert "line 2: passage 'gone' is judged" in outcome.err
    assert "--missing" in outcome.err
    kept = run("evaluate", "--data", beir, "--model", "hash", "--missing", "keep")
    assert kept.code == 0
    assert "1 judged passages are missing and count as not found." in kept.err


def test_a_family_with_a_report(run: Run, family_folder: Path) -> None:
    outcome = run("evaluate", "--data", family_folder, "--model", "hash", "--report", "r")
    assert outcome.code == 0
    for pair in ("both en→en", "both de→en", "both en→de", "both de→de"):
        assert pair in outcome.out
    assert 'class="map"' in Path("r/report.html").read_text(encoding="utf-8")
    assert "open r/report.html" in outcome.err.replace("\\", "/")
    chosen = run(
        "evaluate", "--data", family_folder, "--model", "hash", "--languages", "en,de",
        "--passages-lang", "en", "--max-queries", 1, "--json",
    )  # fmt: skip
    found = json.loads(chosen.out)["evaluations"]
    assert [one["languages"] for one in found] == [["en", "en"], ["de", "en"]]
    assert [one["queries"] for one in found] == [1, 1]


def test_comparing(run: Run, own: Path, family_folder: Path) -> None:
    for name, options in (("a", ()), ("b", ("--max-queries", 4)), ("c", ("--max-queries", 1))):
        out = run("evaluate", "--data", own, "--model", "hash", "--json", *options).out
        Path(f"{name}.json").write_text(out, encoding="utf-8")
    outcome = run("evaluate", "--compare", "a.json", "b.json")
    assert outcome.code == 0
    assert "1.0000" in outcome.out
    rows = json.loads(run("evaluate", "--compare", "a.json", "b.json", "--json").out)
    assert [(row["mode"], row["measure"], row["p"]) for row in rows] == [
        ("hybrid", "nDCG@10", 1), ("hybrid", "R@10", 1), ("hybrid", "RR@10", 1),
    ]  # fmt: skip
    outcome = run("evaluate", "--compare", "a.json", "c.json")
    assert outcome.code == 1
    assert "judged differently" in outcome.err
    family = run("evaluate", "--data", family_folder, "--model", "hash", "--json").out
    Path("f.json").write_text(family, encoding="utf-8")
    both = run("evaluate", "--compare", "f.json", "f.json", "--json")
    assert len(json.loads(both.out)) == 4 * 3
    outcome = run("evaluate", "--compare", "f.json", "a.json")
    assert outcome.code == 2
    assert "no dataset in common" in outcome.err


USAGE = {
    "nothing": ((), "name the data"),
    "no passages": (("--queries", "q", "--qrels", "r"), "name the passages"),
    "no judgements": (("--corpus", "c", "--queries", "q"), "name the data"),
    "languages of one": (("--data", "shop", "--languages", "en"), "in one language"),
    "index of a family": (("--data", "both", "--index", "i"), "an index of its own"),
}


@pytest.mark.usefixtures("own", "family_folder")
@pytest.mark.parametrize("name", USAGE)
def test_a_usage_error_is_one_line(run: Run, name: str) -> None:
    args, message = USAGE[name]
    outcome = run("evaluate", *args)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


LIBRARY = {
    "measure": (("--measures", "nDGC@10"), "'nDGC@10' is not a known measure"),
    "mode": (("--mode", "dense"), "mode must be one of"),
    "missing": (("--missing", "maybe"), "missing must be"),
    "depth": (("-k", "5"), "looks at 10 hits, but k is 5"),
    "index": (("--index", "nowhere"), "nowhere holds no index"),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_a_library_error_is_one_line(run: Run, own: Path, name: str) -> None:
    args, message = LIBRARY[name]
    outcome = run("evaluate", "--data", own, "--model", "hash", *args)
    assert (outcome.code, outcome.out) == (1, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_files_that_are_not_there(run: Run, own: Path) -> None:
    outcome = run("evaluate", "--data", own, "--qrels", "no.tsv", "--model", "hash")
    assert (outcome.code, outcome.err) == (1, "error: no.tsv: No such file or directory\n")


def test_fusion_is_tuned_on_judgements_as_the_world_writes_them(run: Run, tmp_path: Path) -> None:
    texts = {f"d{n}": f"Passage about topic{n} and nothing else." for n in range(8)}
    with Retriever.open(tmp_path / "i", model="hash") as retriever:
        retriever.add(list(texts.values()), ids=list(texts))
    queries = [{"_id": f"q{n}", "text": f"topic{n}?"} for n in range(8)]
    write_lines(tmp_path / "q.jsonl", queries)
    grades = [f"q{n}\td{n}\t1.0" for n in range(8)]
    rows = ['"query-id"\t"corpus-id"\t"score"', *grades, "q1\td2\t-1", "gone\td1\t1"]
    write_lines(tmp_path / "judged.tsv", rows)
    found = run("tune-fusion", "i", "--queries", "q.jsonl", "--qrels", "judged.tsv")
    assert found.code == 0, found.err
    assert "on 8 queries" in found.out
    assert found.err == (
        "1 grades below 0 count as 0, not relevant.\n"
        "1 judged queries are missing and were left out.\n"
    )


def test_a_query_that_is_a_passage_is_left_out_as_beir_does(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "arguana"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": f"a{n}", "text": f"Cats are {n} pets."} for n in range(3)]
    write_lines(folder / "corpus.jsonl", rows)
    write_lines(folder / "queries.jsonl", rows[:1])
    write_lines(folder / "qrels" / "test.tsv", ["query-id\tcorpus-id\tscore", "a0\ta1\t1"])
    options = ("--data", folder, "--model", "hash", "--measures", "RR@10,Success@1")
    found = run("evaluate", *options)
    assert "1.000" in found.out
    assert "For 1 of 1 queries the passage with the query's own id was left out" in found.err
    assert "1.000" not in run("evaluate", *options, "--keep-own").out.partition("(")[0]
