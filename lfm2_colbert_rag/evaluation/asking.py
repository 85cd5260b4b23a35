"""Ask an index the queries of a dataset; of what comes back, ids and scores are kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..retriever.search.asked import check_mode
from .datasets import Dataset
from .runs import keep_order

if TYPE_CHECKING:
    from ..retriever.facade import Retriever
    from ..retriever.search.adapting import QueryAdapterLike

# Queries in a pass over the index. Their vectors are in the encoder's cache when the next mode
# asks them.
BATCH = 64


@dataclass
class Asked:
    """What all queries were given in one mode.

    Attributes:
        run: the hits, by query id, ids ascending.
        seconds: how long that took.
        own: queries whose own passage was found and left out.
    """

    run: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: float = 0.0
    own: set[str] = field(default_factory=set)


def ask_all(
    retriever: Retriever,
    dataset: Dataset,
    modes: Sequence[str],
    k: int,
    report: Callable[[int], None],
    query_adapter: QueryAdapterLike | None = None,
) -> dict[str, Asked]:
    """Ask all judged queries in all modes: some queries in each mode, then the next ones.

    Args:
        retriever: the index.
        dataset: queries and judgements.
        modes: the modes.
        k: hits a query.
        report: called with the number of queries that were just asked in all modes.
        query_adapter: see ``Retriever.search``.
    """
    asked = {mode: Asked() for mode in modes}
    queries = dataset.judged()
    ids = list(queries)
    for start in range(0, len(ids), BATCH):
        batch = {id: queries[id] for id in ids[start : start + BATCH]}
        for mode, answers in asked.items():
            _ask(retriever, dataset, batch, mode, k, answers, query_adapter)
        report(len(batch))
    return asked


def _ask(
    retriever: Retriever,
    dataset: Dataset,
    batch: dict[str, str],
    mode: str,
    k: int,
    asked: Asked,
    query_adapter: QueryAdapterLike | None,
) -> None:
    begun = time.monotonic()
    depth = k + dataset.leave_out_own
    found = retriever.rank_many(
        list(batch.values()), depth, mode=check_mode(mode), query_adapter=query_adapter
    )
    for id, ranked in zip(batch, found, strict=True):
        if dataset.leave_out_own:
            if any(passage == id for passage, _ in ranked):
                asked.own.add(id)
            ranked = [one for one in ranked if one[0] != id][:k]
        asked.run[id] = keep_order(ranked)
    asked.seconds += time.monotonic() - begun
