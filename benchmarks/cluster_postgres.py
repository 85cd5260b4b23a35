"""How well does an index in PostgreSQL find what exact search finds, and what does that cost?

20,000 passages of many languages (:mod:`.mixed.corpus`) are indexed in a folder, pushed to the
servers of an address, and asked::

    python -m benchmarks.cluster_postgres --data DIR --parallel DIR --address postgresql://...

Figures are recall@10 against exact MaxSim in the folder and nDCG@10, as in :mod:`.cluster`; the
ceiling is what the servers give when every window is ranked. The milliseconds are those of a
request to the servers, and for the product's own search those of all of it but encoding, and of
what of that is spent waiting for no server. Writes ``benchmarks/results/cluster_postgres.json``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.cluster.address import Address
from lfm2_colbert_rag.cluster.plan import ALL, Plan
from lfm2_colbert_rag.cluster.postgres import PostgresBackend
from lfm2_colbert_rag.retriever.remote.asking import LatePlans
from lfm2_colbert_rag.retriever.remote_facade import RemoteRetriever
from lfm2_colbert_rag.retriever.remote_moving import push
from lfm2_colbert_rag.retriever.remote_opening import open_remote

from .cluster import SEED, K, figures, percentiles
from .harness import Clock, Results, command, say
from .mixed.corpus import ENGLISH, mix
from .mixed.texts import Mixture

WAYS: dict[str, Callable[[Plan], Plan]] = {
    "every window": lambda plan: replace(plan, candidates=()),
    "means": lambda plan: plan,
    "half as many": lambda plan: _fewer(plan, 2),
    "a quarter": lambda plan: _fewer(plan, 4),
}


def _fewer(plan: Plan, times: int) -> Plan:
    fewer = (replace(one, limit=max(1, one.limit // times)) for one in plan.candidates)
    return replace(plan, candidates=tuple(fewer))


class Timed:
    """A backend whose searches are timed.

    Attributes:
        seconds: spent in searches since it was last set to 0.
    """

    def __init__(self, backend: PostgresBackend) -> None:
        self._backend = backend
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        """Give a call of the backend, timed."""
        call = getattr(self._backend, name)
        if not callable(call):
            return call

        def timed(*args: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return call(*args, **options)
            finally:
                self.seconds += time.perf_counter() - begun

        return timed


def ask_plans(
    remote: RemoteRetriever, backend: Any, texts: Sequence[str]
) -> Iterator[tuple[str, list[list[str]], list[float]]]:
    """Yield for each way what it found, and its seconds."""
    home, known = remote._home, remote._part.searcher.knowledge.now()
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


def measure(mixture: Mixture, folder: Path, address: str, results: Results) -> None:
    """Push the folder, ask in all ways, and put the figures."""
    backend = PostgresBackend.at(Address.parse(address))
    backend.drop()
    with Clock() as clock:
        push(folder, backend, shards=backend.shards)
    results.put("pushing", {"seconds": round(clock.seconds, 1)})
    texts = [one.text for one in mixture.questions]
    with Retriever.open(folder) as local:
        exact = local.rank_many(texts, K, mode="late", query_adapter="none")
    truth = [[id for id, _ in one] for one in exact]
    timed: Any = Timed(backend)
    remote = RemoteRetriever(open_remote(timed, None, {}, read_only=True))
    for name, found, seconds in ask_plans(remote, backend, texts):
        told = figures(mixture.questions, found, truth) | percentiles(seconds)
        results.put(name, told)
        say(name, str(told))
    whole, ours = [], []
    for text in texts:
        remote.encoder.encode_query([text])  # what comes next finds it in the cache
        timed.seconds, begun = 0.0, time.perf_counter()
        remote.search(text, K, mode="late", query_adapter="none")
        whole.append(time.perf_counter() - begun)
        ours.append(whole[-1] - timed.seconds)
    told = {"all": percentiles(whole), "without the servers": percentiles(ours)}
    results.put("a search", told)
    say("a search", str(told))
    remote.close()


def main() -> None:
    """Index, push, ask."""
    parser = command(__doc__, "cluster_postgres", "data", "scratch", passages=20_000, queries=40)
    parser.add_argument("--parallel", type=Path, required=True, help="folder of parallel texts")
    parser.add_argument("--address", required=True, help="of an index, which is made anew")
    args = parser.parse_args()
    mixture = mix(args.data, args.parallel, ENGLISH, args.passages, SEED, (args.queries, 25))
    folder = args.scratch / f"{args.passages}.index"
    with Retriever.open(folder, model="nano", storage="exact") as local:
        local.add_stream({"id": one.id, "text": one.text} for one in mixture.passages)
    shards = PostgresBackend.at(Address.parse(args.address)).shards
    questions = len(mixture.questions)
    results = Results(args.out, passages=args.passages, questions=questions, servers=shards)
    measure(mixture, folder, args.address, results)


if __name__ == "__main__":
    main()
