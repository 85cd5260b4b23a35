"""The same questions before and after a migration: how much their answers have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..search.found import windows_asked
from ..search.late import ask

if TYPE_CHECKING:
    from ...storage.home import Snapshot
    from ..search.searcher import Searcher

QUESTIONS = 50
"""So many questions at most are asked."""

_BEST = 10


def overlap(
    searcher: Searcher, before: Snapshot, after: Snapshot, texts: Sequence[str]
) -> float | None:
    """Return which part of the best passages of some questions is the same; None without any.

    Questions are compared by meaning alone: their words are the same before and after.

    Args:
        searcher: searches the index.
        before: what serves.
        after: what is to serve.
        texts: the questions.
    """
    if not texts:
        return None
    old, new = (_best(searcher, one, texts) for one in (before, after))
    pairs = zip(old, new, strict=True)
    return float(np.mean([len(a & b) / max(len(a), len(b), 1) if a or b else 1 for a, b in pairs]))


def _best(searcher: Searcher, snapshot: Snapshot, texts: Sequence[str]) -> list[set[int]]:
    """Return the rows of the best passages of each question."""
    questions = [windows_asked(one) for one in searcher.questions(snapshot, texts)]
    index = searcher.indexes.make(snapshot)
    return [set(one.ranking.rows[:_BEST].tolist()) for one in ask(index, questions, _BEST)]
