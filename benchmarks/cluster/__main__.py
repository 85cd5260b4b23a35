"""How well does an index in Qdrant find what exact search finds, and what does that cost?

20,000 passages of many languages (:mod:`~benchmarks.mixed.corpus`) are indexed in a folder, pushed
to Qdrant's engine in this process, and asked in ways that differ in where candidates come from::

    python -m benchmarks.cluster --data DIR --parallel DIR [--passages 2000]

Figures are recall@10 against exact MaxSim in the folder and nDCG@10, by group of questions; the
milliseconds of a request to the engine; and of the product's own search, encoding left out, those
of all of it, and of what is not the engine's. Writes ``benchmarks/results/cluster.json``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.cluster.plan import ALL, Plan
from lfm2_colbert_rag.cluster.qdrant import Connection, QdrantBackend
from lfm2_colbert_rag.retriever.remote.asking import LatePlans
from lfm2_colbert_rag.retriever.remote.home import RemoteHome
from lfm2_colbert_rag.retriever.remote.part import RemotePart
from lfm2_colbert_rag.retriever.remote_facade import RemoteRetriever
from lfm2_colbert_rag.retriever.remote_moving import push
from lfm2_colbert_rag.retriever.remote_opening import open_remote
from lfm2_colbert_rag.storage.scope import Scope

from ..harness import Clock, Results, command, say
from ..mixed.corpus import ENGLISH, mix
from ..mixed.texts import Asked, Mixture
from .timed import TimedClient

K, SEED = 10, 7
DISCOUNTS = 1 / np.log2(np.arange(2, K + 2))
GROUPS: dict[str, Callable[[Asked], bool]] = {
    "across": lambda one: one.language != one.answer_language,
    "English": lambda one: one.language == one.answer_language == "en",
    "within another": lambda one: one.language == one.answer_language != "en",
}
WAYS: dict[str, Callable[[Plan], Plan]] = {
    "means and centroids": lambda plan: plan,
    "half as many of both": lambda plan: _only(plan, ("mean", "cent"), 1 / 2),
    "means alone": lambda plan: _only(plan, ("mean",), 2),
    "centroids alone": lambda plan: _only(plan, ("cent",), 2),
    "every window": lambda plan: replace(plan, candidates=()),
}
Ranked = list[str]


def _only(plan: Plan, vectors: Sequence[str], times: float) -> Plan:
    some = [one for one in plan.candidates if one.vector in vectors]
    return replace(
        plan, candidates=tuple(replace(one, limit=round(one.limit * times)) for one in some)
    )


def figures(questions: Sequence[Asked], found: list[Ranked], truth: list[Ranked]) -> dict[str, Any]:
    """Return recall@10 and nDCG@10, and those of the truth, by group."""
    told = {}
    for name, belongs in GROUPS.items():
        mine = [i for i, one in enumerate(questions) if belongs(one)]
        told[name] = {
            "questions": len(mine),
            "recall@10": _mean([len({*found[i]} & {*truth[i]}) / K for i in mine]),
            "nDCG@10": _mean([_ndcg(found[i], questions[i]) for i in mine]),
            "nDCG@10 of exact": _mean([_ndcg(truth[i], questions[i]) for i in mine]),
        }
    return told


def _ndcg(found: Ranked, asked: Asked) -> float:
    gains = [id in asked.answers for id in found]
    return float(DISCOUNTS[: len(gains)] @ gains)


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)


def _times(seconds: Sequence[float]) -> dict[str, float]:
    return {f"p{q} ms": round(1000 * float(np.percentile(seconds, q)), 2) for q in (0, 50, 95)}


def ask_plans(home: RemoteHome, backend: QdrantBackend, texts: Sequence[str]) -> Iterator:
    """Yield for each way what it found, and its seconds."""
    known = RemotePart(home, Scope.of_all()).searcher.knowledge.now()
    plans = LatePlans(home.settings, home.codebook(), known)
    made = [plans.plan(one.vectors, K, ALL) for one in home.encoder().encode_query(list(texts))]
    for name, way in WAYS.items():
        found, seconds = [], []
        for plan in map(way, made):
            begun = time.perf_counter()
            (answer,) = backend.search([plan])
            seconds.append(time.perf_counter() - begun)
            found.append(list(dict.fromkeys(one.point.key.id for one in answer))[:K])
        yield name, found, seconds


def measure(mixture: Mixture, folder: Path, scratch: Path, results: Results) -> None:
    """Push the folder, ask in all ways, and put the figures."""
    client = TimedClient(scratch / "edge")
    backend = QdrantBackend(Connection(lambda: client, "edge"), "docs", "qdrant://edge/docs")
    with Clock() as clock:
        push(folder, backend)
    results.put("pushing", {"seconds": round(clock.seconds, 1)})
    client.optimize()
    texts = [one.text for one in mixture.questions]
    with Retriever.open(folder) as local:
        exact = local.rank_many(texts, K, mode="late", query_adapter="none")
    truth = [[id for id, _ in one] for one in exact]
    home = open_remote(backend, None, {}, read_only=True)
    remote = RemoteRetriever(home)
    for name, found, seconds in ask_plans(home, backend, texts):
        results.put(name, figures(mixture.questions, found, truth) | _times(seconds))
        say(name, str(results.cases[name]))
    whole, ours = [], []
    for text in texts:
        remote.encoder.encode_query([text])  # what comes next finds it in the cache
        client.seconds, begun = 0.0, time.perf_counter()
        remote.search(text, K, mode="late", query_adapter="none")
        whole.append(time.perf_counter() - begun)
        ours.append(whole[-1] - client.seconds)
    results.put("a search", {"all": _times(whole), "without the engine": _times(ours)})
    say("a search", f"{_times(whole)}, without the engine {_times(ours)}")
    remote.close()


def main() -> None:
    """Index, push, ask."""
    parser = command(__doc__, "cluster", "data", "scratch", passages=20_000, queries=40)
    parser.add_argument("--parallel", type=Path, required=True, help="folder of parallel texts")
    args = parser.parse_args()
    mixture = mix(args.data, args.parallel, ENGLISH, args.passages, SEED, (args.queries, 25))
    folder = args.scratch / f"{args.passages}.index"
    with Retriever.open(folder, model="nano", storage="exact") as local:
        local.add_stream({"id": one.id, "text": one.text} for one in mixture.passages)
    shutil.rmtree(args.scratch / "edge", ignore_errors=True)
    results = Results(args.out, passages=args.passages, questions=len(mixture.questions))
    measure(mixture, folder, args.scratch, results)


if __name__ == "__main__":
    main()
