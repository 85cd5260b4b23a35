"""Datasets whose queries are passages themselves: a query's own passage is no answer to it.

In BEIR's ArguAna and Quora the best hit of a query would be the query. BEIR leaves out of the hits
whatever has the query's id, in all its datasets, and so it is done here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..types import Hit
from .datasets import Dataset
from .runs import Run

__all__ = ["others", "own_note", "without_own"]


def others(query: str, hits: Sequence[Hit], k: int) -> list[Hit]:
    """Return the first hits but the query's own passage; of ``k + 1``, ``k`` remain.

    Example:
        >>> hits = [Hit(id, 1.0, 1.0, "", {}) for id in ("a", "q", "b")]
        >>> [hit.id for hit in others("q", hits, 2)]
        ['a', 'b']
    """
    return [hit for hit in hits if hit.id != query][:k]


def without_own(run: Run) -> tuple[dict[str, dict[str, float]], set[str]]:
    """Return a run without the queries' own passages, and the queries that had one."""
    own = {query for query, scores in run.items() if query in scores}
    left = {
        query: {passage: score for passage, score in scores.items() if passage != query}
        for query, scores in run.items()
    }
    return left, own


def own_note(dataset: Dataset, own: Collection[str]) -> list[str]:
    """Say for how many queries their own passage was left out of the hits."""
    if not own:
        return []
    note = (
        f"For {len(own):,} of {len(dataset.qrels):,} queries the passage with the query's own id "
        "was left out of the hits, as BEIR does."
    )
    judged = sum(dataset.qrels.get(query, {}).get(query, 0) > 0 for query in own)
    if judged:
        note += (
            f" For {judged:,} it is judged relevant, and counts as not found; "
            "leave_out_own=False (--keep-own) counts it."
        )
    return [note]
