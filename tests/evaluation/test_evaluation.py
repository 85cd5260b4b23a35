"""Laws of measuring, and agreement with ir-measures on the files of TREC."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, InputError, MissingExtraError
from lfm2_colbert_rag.evaluation import (
    Dataset,
    Evaluation,
    compare,
    evaluate,
    evaluate_family,
    load_dataset,
    load_evaluations,
    load_family,
    read_run,
    save_evaluations,
    score_run,
    write_qrels,
    write_run,
)
from lfm2_colbert_rag.evaluation.measures import check_measures, depth_of, score_queries
from lfm2_colbert_rag.evaluation.runs import keep_order, without_ties
from lfm2_colbert_rag.evaluation.statistics import bootstrap_interval, holm, randomization_p
from tests.conftest import CORPUS, fill

from .conftest import QRELS, QUERIES, passages, write_lines

ir_measures = pytest.importorskip("ir_measures", reason="the extra 'evaluation' is not installed")

MEASURES = ("nDCG@10", "R@10", "RR@10", "nDCG", "RR", "AP", "P@3", "R@2", "Success@1", "Rprec",
            "nDCG@3", "AP@2", "P(rel=2)@5", "RR(rel=2)@10")  # fmt: skip


def from_files(folder, qrels, run) -> tuple[dict, dict]:
    """Means and values of each query as ir-measures gives them for two files."""
    wanted = [ir_measures.parse_measure(measure) for measure in MEASURES]
    judged = list(ir_measures.read_trec_qrels(str(folder / "qrels.txt")))
    scored = list(ir_measures.read_trec_run(str(folder / "run.txt")))
    means, values = ir_measures.calc(wanted, judged, scored)
    return (
        {str(measure): value for measure, value in means.items()},
        {(str(m.measure), m.query_id): m.value for m in values},
    )


def random_run(seed: int) -> tuple[dict, dict]:
    """Judgements of several grades and a run with many ties, missing queries and strangers."""
    random = np.random.default_rng(seed)
    ids = [f"d{n}" for n in range(30)]
    qrels = {
        f"q{n}": {id: int(random.integers(0, 3)) for id in random.choice(ids, 6, replace=False)}
        for n in range(23)
    }
    run = {
        f"q{n}": {
            id: float(random.choice([1.0, 0.5, 0.1, 1 / 3, 1 / 3 + 1e-12]))
            for id in random.choice(ids, random.integers(0, 15), replace=False)
        }
        for n in random.permutation(26)
    }
    return qrels, run


@pytest.mark.filterwarnings("ignore:ast:DeprecationWarning")  # ir-measures, from Python 3.12 on
@pytest.mark.parametrize("seed", range(5))
def test_files_give_the_same_to_the_last_digit(tmp_path, seed):
    qrels, scores = random_run(seed)
    run = {query: without_ties(of) for query, of in scores.items()}
    ours = score_queries(MEASURES, qrels, run)
    write_qrels(qrels, tmp_path / "qrels.txt")
    write_run(run, tmp_path / "run.txt")
    means, values = from_files(tmp_path, qrels, run)
    assert dict(ours.means) == means
    judged = {(m, q): v for m, of in ours.per_query.items() for q, v in of.items()}
    assert judged == {key: value for key, value in values.items() if key[1] in qrels}
    assert read_run(tmp_path / "run.txt") == {q: of for q, of in run.items() if of}


@pytest.mark.filterwarnings("ignore:ast:DeprecationWarning")
def test_the_files_of_an_evaluation_give_its_figures(tmp_path, retriever, dataset):
    evaluation = evaluate(dataset, retriever, MEASURES)
    evaluation.write_run(tmp_path / "run.txt")
    write_qrels(dataset.qrels, tmp_path / "qrels.txt")
    means, values = from_files(tmp_path, None, None)
    result = evaluation.result()
    assert {name: mean.mean for name, mean in result.means.items()} == means
    for (measure, query), value in values.items():
        assert result.per_query[measure][query] == value


def test_the_command_of_ir_measures_prints_the_same(tmp_path):
    qrels, scores = random_run(9)
    evaluation = score_run(scores, Dataset(None, dict.fromkeys(qrels, "asked"), qrels))
    write_qrels(qrels, tmp_path / "qrels.txt")
    evaluation.write_run(tmp_path / "run.txt")
    command = [sys.executable, "-W", "ignore", "-m", "ir_measures", "-p", "17"]
    command += [str(tmp_path / "qrels.txt"), str(tmp_path / "run.txt"), *evaluation.measures]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    printed = dict(line.split("\t") for line in out.splitlines())
    for measure in evaluation.measures:
        assert float(printed[measure]) == pytest.approx(evaluation.mean(measure), abs=5e-17)


def test_ties_do_not_depend_on_who_breaks_them(tmp_path):
    """Hits that came in this order count in this order, under both rules for ties."""
    qrels = {"q": {"b": 1}}
    first, second = (keep_order((id, 1.0) for id in order) for order in ("bac", "acb"))
    for run, rank in ((first, 1), (second, 3)):
        scores = score_queries(("RR", "RR@10", "nDCG@10"), qrels, {"q": run})
        assert scores.means["RR"] == scores.means["RR@10"] == 1 / rank
        assert scores.means["nDCG@10"] == pytest.approx(1 / np.log2(1 + rank))


@given(st.lists(st.floats(-1e30, 1e30), max_size=30))
def test_kept_order_falls_strictly_in_32_bits(scores):
    kept = keep_order((str(n), score) for n, score in enumerate(scores))
    assert list(kept) == [str(n) for n in range(len(scores))]
    values = np.array(list(kept.values()), np.float32)
    assert (np.diff(values) < 0).all()
    assert values.tolist() == list(kept.values())
    falling = np.array(scores, np.float32)
    if len(scores) and (np.diff(falling) < 0).all():
        assert values.tolist() == falling.tolist()


def test_a_foreign_run_is_ordered_as_trec_eval_orders_it():
    assert list(without_ties({"a": 1.0, "c": 1.0 + 1e-12, "b": 1.0, "d": 2.0})) == list("dcba")
    for scores in ({"a": float("nan")}, {"a": float("inf")}):
        with pytest.raises(InputError, match="no number to rank by"):
            without_ties(scores)


RUN_ERRORS = {
    "five fields": ("q1 Q0 a 1 0.5", "line 1: 5 fields"),
    "a word as score": ("q1 Q0 a 1 high name", "line 1: the score 'high' is no number"),
    "twice": ("q1 Q0 a 1 2 n\nq1 Q0 a 2 1 n", "line 2: passage 'a' comes twice"),
    "nan": ("q1 Q0 a 1 nan n", "no number to rank by"),
}


@pytest.mark.parametrize("name", RUN_ERRORS)
def test_broken_runs(tmp_path, name):
    text, message = RUN_ERRORS[name]
    path = write_lines(tmp_path / "run.txt", [text])
    with pytest.raises(InputError, match=message):
        read_run(path)


def test_ids_that_trec_cannot_hold(tmp_path):
    for write, values in ((write_run, {"a b": {"c": 1.0}}), (write_qrels, {"a": {"b c": 1}})):
        with pytest.raises(InputError, match="holds white space"):
            write(values, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_a_perfect_run_gives_one(dataset):
    grades = {q: {p: float(g) for p, g in of.items()} for q, of in QRELS.items()}
    evaluation = score_run(grades, dataset, ["nDCG@10", "R@10", "RR@10", "AP", "Success@1"])
    for measure, mean in evaluation.result().means.items():
        assert (mean.mean, mean.low, mean.high) == (1, 1, 1), measure


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 9))
def test_an_irrelevant_hit_below_never_raises(seed, query):
    qrels, scores = random_run(seed)
    run = {q: without_ties(of) for q, of in scores.items()}
    before = score_queries(MEASURES, qrels, run).means
    name = f"q{query}"
    last = min(run.get(name, {}).values(), default=1.0)
    run[name] = {**run.get(name, {}), "stranger": last - 1}
    after = score_queries(MEASURES, qrels, run).means
    assert all(after[measure] <= before[measure] for measure in MEASURES)


def test_the_order_of_queries_changes_nothing(retriever):
    one, other = (
        evaluate(Dataset(None, dict(asked), dict(judged)), retriever, MEASURES)
        for asked, judged in (
            (QUERIES.items(), QRELS.items()),
            (reversed(QUERIES.items()), reversed(QRELS.items())),
        )
    )
    assert one.modes == {"hybrid": dataclasses.replace(
        other.modes["hybrid"], seconds=one.modes["hybrid"].seconds
    )}  # fmt: skip
    assert one.qrels == other.qrels


def test_a_temporary_index_gives_what_an_index_gives(retriever, dataset):
    here, there = evaluate(dataset, model="hash"), evaluate(dataset, retriever)
    assert here.result().run == there.result().run
    assert (here.passages, here.queries, here.model) == (len(CORPUS), 4, "hash")
    assert here.mean("Success@1" if "Success@1" in here.measures else "RR@10") > 0.5


def test_batches_ask_every_query_once(retriever, monkeypatch):
    """More queries than a batch: each is asked, none twice, and progress counts them."""
    queries = {f"q{n:03}": f"library {n}" for n in range(150)}
    dataset = Dataset(None, queries, {id: {"library": 1} for id in queries})
    counted = []
    evaluation = evaluate(dataset, retriever, worst=0, progress=counted.append)
    assert list(evaluation.result().run) == sorted(queries)
    assert sum(counted) == 150
    assert evaluation.mean("R@10") == 1


def test_judgements_of_passages_that_the_index_lacks(retriever):
    dataset = Dataset(None, QUERIES, {**QRELS, "q1": {"gone": 1, "reset": 1}})
    with pytest.raises(InputError, match="'gone' is judged for query 'q1', but the index lacks it"):
        evaluate(dataset, retriever)
    kept = evaluate(dataclasses.replace(dataset, missing="keep"), retriever, ["R@10"])
    assert kept.result().per_query["R@10"]["q1"] == 0.5
    dropped = evaluate(dataclasses.replace(dataset, missing="drop"), retriever, ["R@10"])
    assert dropped.result().per_query["R@10"]["q1"] == 1
    assert "left out" in dropped.notes[0]
    assert [f.query for f in kept.result().worst][:1] == ["q1"]


def test_failures_tell_what_should_have_come(retriever, dataset):
    worst = evaluate(dataset, retriever, ["RR@1"]).result().worst
    values = [failure.value for failure in worst]
    assert values == sorted(values)
    assert all(value < 1 for value in values)
    failure = next(one for one in worst if one.query == "q4")
    assert failure.text == QUERIES["q4"]
    assert failure.expected[0].id == "linge"
    assert (
        failure.expected[0].rank
        == [h.id for h in retriever.search(failure.text)].index("linge") + 1
    )
    assert [answer.rank for answer in failure.found] == [1, 2, 3]
    for answer in (*failure.expected, *failure.found):
        for one in answer.evidence:
            quoted = failure.text[slice(*one.query)], answer.text[slice(*one.passage)]
            assert one.words == quoted
            assert all(quoted)


def test_evidence_of_long_texts_lies_in_the_excerpt(tmp_path):
    text = "Nothing here. " * 100 + "Hold the reset key. " + "Nothing there. " * 100
    dataset = Dataset(
        [*passages(), *[type(passages()[0])("long", text)]],
        {"q": "reset key"},
        {"q": {"kaffee": 1}},
    )
    failure = evaluate(dataset, model="hash").result().worst[0]
    long = next(answer for answer in failure.found if answer.id == "long")
    assert {long.text[slice(*one.passage)] for one in long.evidence} == {"reset", "key"}
    assert long.text.startswith("…")
    assert long.text.endswith("…")


def test_a_family_is_asked_in_every_pair(family_folder):
    seen = []
    found = evaluate_family(load_family(family_folder), model="hash", on_result=seen.append)
    assert [one.languages for one in found] == [
        ("en", "en"), ("de", "en"), ("en", "de"), ("de", "de"),
    ]  # fmt: skip
    assert seen == found
    assert found[0].mean() == 1
    assert load_evaluations(save_evaluations(found)) == found


def test_json_brings_everything_back_but_the_hits(tmp_path, retriever, dataset):
    evaluation = evaluate(dataset, retriever, MEASURES)
    assert Evaluation.from_json(evaluation.to_json()) == evaluation
    path = tmp_path / "a.json"
    evaluation.to_json(path)
    back = Evaluation.from_json(path)
    assert back == evaluation
    with pytest.raises(InputError, match="the hits are not at hand"):
        back.write_run(tmp_path / "run.txt")


def test_json_of_something_else(tmp_path, retriever, dataset):
    values = evaluate(dataset, retriever).to_dict()
    broken = {
        "no JSON": "{",
        "no evaluation": "{}",
        "is broken": json.dumps({**values, "modes": {"late": {}}}),
        "is broken .*model": json.dumps({k: v for k, v in values.items() if k != "model"}),
    }
    for message, text in broken.items():
        path = tmp_path / "b.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            Evaluation.from_json(path)


def test_comparing_a_run_with_itself(retriever, dataset):
    evaluation = evaluate(dataset, retriever)
    for one in compare(evaluation, evaluation):
        assert (one.p, one.difference, one.low, one.high) == (1, 0, 0, 0)
        assert (one.better, one.worse, one.queries) == (0, 0, 4)


def test_comparing_is_antisymmetric_and_finds_a_difference():
    queries = {f"q{n:02}": "asked" for n in range(40)}
    dataset = Dataset(None, queries, {id: {"good": 1} for id in queries})
    random = np.random.default_rng(0)
    best = score_run({id: {"good": 1.0} for id in queries}, dataset)
    runs = {
        id: {"bad": 2.0, "good": 1.0} if random.random() < 0.5 else {"good": 1.0} for id in queries
    }
    worse = score_run(runs, dataset)
    there, back = compare(worse, best)[0], compare(best, worse)[0]
    assert there.p == back.p < 0.001
    assert there.difference == -back.difference > 0
    assert (there.better, there.worse) == (back.worse, back.better)
    assert there.low <= there.difference <= there.high
    assert there.low > 0


def test_only_like_is_compared_with_like(retriever, dataset):
    evaluation = evaluate(dataset, retriever, modes=["late"])
    other = evaluate(Dataset(None, QUERIES, {"q1": {"reset": 1}}), retriever)
    with pytest.raises(InputError, match="were judged differently"):
        compare(evaluation, other)
    with pytest.raises(InputError, match="no measure in common"):
        compare(evaluation, evaluate(dataset, retriever, ["AP"]))
    with pytest.raises(InputError, match="'hybrid' was not evaluated; there is late"):
        compare(evaluation, evaluation, mode_b="hybrid")
    with pytest.raises(InputError, match="'AP' was not measured"):
        evaluation.mean("AP")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(0, 5))
def test_an_interval_holds_its_mean(values, seed):
    low, high = bootstrap_interval(values, seed=seed)
    assert low <= float(np.mean(values)) <= high
    assert min(values) - 1e-12 <= low
    assert high <= max(values) + 1e-12
    assert (low, high) == bootstrap_interval(values, seed=seed)
    narrow = bootstrap_interval(values, seed=seed, confidence=0.5)
    assert low <= narrow[0] <= narrow[1] <= high


def test_the_interval_is_as_wide_as_the_normal_law_says():
    values = np.random.default_rng(1).normal(0.5, 0.1, 400)
    low, high = bootstrap_interval(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)


def test_p_values_are_those_of_all_sign_flips():
    differences = np.array([0.3, 0.1, 0.25, -0.05, 0.2, 0.4, 0.15, 0.1])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1).T
    exact = (np.abs(signs @ differences) >= differences.sum() - 1e-9).mean()
    assert randomization_p(differences) == pytest.approx(exact, abs=0.003)
    assert randomization_p(-differences) == randomization_p(differences)


def test_p_values_of_chance_are_even():
    random = np.random.default_rng(2)
    found = [randomization_p(random.normal(0, 1, 30), seed=n) for n in range(60)]
    assert 0.3 < np.mean(found) < 0.7
    assert np.mean(np.array(found) < 0.05) < 0.15


def test_holm_is_as_in_its_definition():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == {"a": 0.03, "b": 0.06, "c": 0.06}
    assert holm({}) == {}


MEASURE_ERRORS = {
    "nothing": ([], "there is no measure"),
    "one string": ("nDCG@10", "must be a list"),
    "unknown": (["nDGC@10"], "'nDGC@10' is not a known measure. Known are nDCG, R"),
    "no text": ([10], "10 is not a known measure"),
    "no cutoff": (["R"], "needs a cutoff"),
    "zero": (["nDCG@0"], "needs a cutoff of at least 1"),
    "graded": (["nDCG(rel=2)@10"], "a rel that it cannot use"),
    "rprec": (["Rprec@10"], "Rprec takes none"),
}


@pytest.mark.parametrize("name", MEASURE_ERRORS)
def test_measures_that_cannot_be_used(name):
    measures, message = MEASURE_ERRORS[name]
    with pytest.raises(ConfigError, match=message):
        check_measures(measures)


def test_spelling_and_depth_of_measures():
    assert check_measures(["NDCG@10", "recall@5", "mrr", "R(rel=2)@3", "ndcg@10"]) == (
        "nDCG@10", "R@5", "RR", "R(rel=2)@3",
    )  # fmt: skip
    assert depth_of(("nDCG@10", "R@100"), None) == 100
    assert depth_of(("nDCG@10", "AP"), None) == 1000
    assert depth_of(("nDCG@10",), 50) == 50
    with pytest.raises(ConfigError, match="R@100 looks at 100 hits, but k is 10; raise k"):
        depth_of(("nDCG@10", "R@100"), 10)
    with pytest.raises(ConfigError, match="k must be a positive integer, not True"):
        depth_of(("nDCG@10",), True)


def test_options_that_cannot_be_used(retriever, dataset):
    for options, message in (
        ({"modes": ["dense"]}, 'mode must be one of "late", "lexical", "hybrid", not .dense.'),
        ({"modes": "late"}, "must be a list"),
        ({"modes": []}, "there is no mode"),
        ({"confidence": 95}, "confidence must lie between 0 and 1"),
    ):
        with pytest.raises(ConfigError, match=message):
            evaluate(dataset, retriever, **options)
    with pytest.raises(ConfigError, match="has no corpus, so there is nothing to index"):
        evaluate(Dataset(None, QUERIES, QRELS), model="hash")


def test_without_the_extra_the_remedy_is_told(retriever, dataset, monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(MissingExtraError, match=r'pip install "lfm2-colbert-rag\[evaluation\]"'):
        evaluate(dataset, retriever)


def test_beir_and_our_own_form_give_the_same(own, beir):
    one = evaluate(load_dataset(own), model="hash")
    other = evaluate(load_dataset(beir, titles=False), model="hash")
    assert one.result().per_query == other.result().per_query


def test_modes_that_the_index_has(folder, dataset):
    """Lexical and hybrid are measured like late, where the retriever has them."""
    with Retriever.open(folder, model="hash") as retriever:
        fill(retriever)
        try:
            retriever.search_many(["library"], 1, mode="lexical")
        except TypeError:
            pytest.skip("this retriever has no modes yet")
        evaluation = evaluate(dataset, retriever, modes=["late", "lexical", "hybrid"])
    assert list(evaluation.modes) == ["late", "lexical", "hybrid"]
    assert evaluation.mean("RR@10", "lexical") > 0.4
    assert compare(evaluation, evaluation, mode_a="late", mode_b="hybrid")[0].queries == 4
