"""Datasets whose queries are passages: figures are those of BEIR's own code.

BEIR is not installed here, for it brings a deep-learning stack of its own. What it does with runs
is written out below, as in ``EvaluateRetrieval.evaluate``, over the library that it uses.
"""

from __future__ import annotations

import random

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.evaluation import evaluate, load_dataset, score_run
from lfm2_colbert_rag.evaluation.runs import keep_order

from .conftest import write_lines

pytrec_eval = pytest.importorskip("pytrec_eval", reason="BEIR measures with pytrec_eval")

CUTOFFS = (1, 3, 10)
WORDS = [
    "reset",
    "key",
    "router",
    "lamp",
    "red",
    "train",
    "door",
    "card",
    "bank",
    "tea",
    "rain",
    "shop",
    "six",
    "nine",
    "park",
]


def beir_figures(qrels, results) -> dict[str, float]:
    """Measure a run as BEIR does, with ``ignore_identical_ids=True``, its default."""
    results = {query: dict(scores) for query, scores in results.items()}
    for query, scores in results.items():
        for passage in list(scores):
            if query == passage:
                scores.pop(passage)
    named = {
        name: f"{name}." + ",".join(map(str, CUTOFFS)) for name in ("ndcg_cut", "recall", "map_cut")
    }
    named["P"] = "P." + ",".join(map(str, CUTOFFS))
    measured = pytrec_eval.RelevanceEvaluator(qrels, set(named.values())).evaluate(results)
    return {
        f"{ours}@{k}": round(
            sum(of[f"{theirs}_{k}"] for of in measured.values()) / len(measured), 5
        )
        for ours, theirs in (("nDCG", "ndcg_cut"), ("R", "recall"), ("AP", "map_cut"), ("P", "P"))
        for k in CUTOFFS
    }


def arguments(source: random.Random, *, all_queries_are_passages: bool):
    """Return passages, queries that are some of them, and judgements: such sets in little."""
    passages = {f"p{n}": " ".join(source.sample(WORDS, 6)) for n in range(40)}
    queries = {id: passages[id] for id in source.sample(sorted(passages), 12)}
    if not all_queries_are_passages:
        queries |= {f"q{n}": " ".join(source.sample(WORDS, 4)) for n in range(6)}
    qrels = {
        query: {id: source.choice([0, 1, 1, 2]) for id in source.sample(sorted(passages), 4)}
        | {source.choice(sorted(passages)): 1}
        for query in queries
    }
    return passages, queries, qrels


def write_beir(folder, passages, queries, qrels):
    rows = [{"_id": id, "title": "", "text": text} for id, text in passages.items()]
    write_lines(folder / "corpus.jsonl", rows)
    write_lines(folder / "queries.jsonl", [{"_id": i, "text": t} for i, t in queries.items()])
    (folder / "qrels").mkdir()
    lines = [f"{q}\t{p}\t{grade}" for q, of in qrels.items() for p, grade in of.items()]
    write_lines(folder / "qrels" / "test.tsv", ["query-id\tcorpus-id\tscore", *lines])
    return folder


@pytest.mark.parametrize("all_queries_are_passages", [True, False], ids=["arguana", "quora"])
@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_beir(tmp_path, seed, all_queries_are_passages):
    made = arguments(random.Random(seed), all_queries_are_passages=all_queries_are_passages)
    dataset = load_dataset(write_beir(tmp_path, *made))
    measures = [f"{name}@{k}" for name in ("nDCG", "R", "AP", "P") for k in CUTOFFS]
    with Retriever.from_texts(list(made[0].values()), ids=list(made[0]), model="hash") as retriever:
        found = evaluate(dataset, retriever, measures)
        hits = {}
        for query, text in dataset.judged().items():
            ranked = retriever.search(text, max(CUTOFFS) + 1)  # as BEIR asks for one more, too
            hits[query] = keep_order((hit.id, hit.score) for hit in ranked)  # without ties
    figures = beir_figures(dataset.qrels, hits)
    ours = {name: found.mean(name) for name in measures}
    assert ours == pytest.approx(figures, abs=1e-5)  # BEIR rounds to five digits
    run = found.result().run
    assert all(query not in scores and len(scores) == max(CUTOFFS) for query, scores in run.items())
    judged = sum(made[2][query].get(query, 0) > 0 for query in made[1])
    assert f"For 12 of {len(made[1])} queries the passage with the query's own id" in found.notes[0]
    assert (f"For {judged} it is judged relevant" in found.notes[0]) == bool(judged)
    scored = score_run(hits, dataset, measures)
    assert scored.result().per_query == found.result().per_query
    assert scored.notes == found.notes


def test_the_query_itself_is_no_answer(tmp_path):
    passages = {"a1": "Cats are good pets.", "a2": "Cats are bad pets."}
    folder = write_beir(tmp_path, passages, {"a1": passages["a1"]}, {"a1": {"a2": 1}})
    dataset = load_dataset(folder)
    found = evaluate(dataset, measures=["RR@10"], model="hash")
    assert found.mean() == 1.0
    assert "left out of the hits, as BEIR does" in found.notes[0]
    kept = load_dataset(folder, leave_out_own=False)
    found = evaluate(kept, measures=["RR@10"], model="hash")
    assert found.mean() == 0.5
    assert found.notes == ()
    assert [answer.id for answer in found.result().worst[0].found] == ["a1", "a2"]


def test_failures_do_not_show_the_query_itself(tmp_path):
    passages = {"a1": "Cats are good pets.", "a2": "Cats are bad pets.", "a3": "Rain falls."}
    folder = write_beir(tmp_path, passages, {"a1": passages["a1"]}, {"a1": {"a3": 1}})
    (failure,) = evaluate(load_dataset(folder), measures=["RR@10"], model="hash").result().worst
    assert [answer.id for answer in failure.found] == ["a2", "a3"]
    assert failure.expected[0].rank == 2


def test_equal_ids_mean_nothing_in_our_own_form(own):
    assert not load_dataset(own).leave_out_own
    assert load_dataset(own, leave_out_own=True).leave_out_own


def test_a_missing_query_that_is_kept_counts_nothing(own):
    write_lines(own / "qrels.jsonl", ["q1 0 reset 1", "gone 0 library 1"])
    found = evaluate(load_dataset(own, missing="keep"), measures=["RR@10"], model="hash")
    assert found.result().per_query["RR@10"]["gone"] == 0
    assert (found.queries, len(found.result().run)) == (2, 1)
    assert "1 judged queries are missing and count 0." in found.notes
