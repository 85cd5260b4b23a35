"""Questions to an engine: plans made, answers read, and asked again where they are too short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...cluster.centroids import probes_of
from ...cluster.plan import Candidates, FoundPoint, Plan, Selection

if TYPE_CHECKING:
    from ...cluster.backend import Backend
    from ...cluster.settings import ClusterSettings
    from ...index.compressed.codebook import Codebook
    from ...types import TokenMatrix
    from .knowledge import Known

# Passages that are asked for beyond those wanted, so that of equal ones the ids decide.
_MORE = 8
_GROWTH = 4  # how much more is asked for where windows crowd passages out
_TOGETHER = 32  # plans of a request


@dataclass(frozen=True, eq=False)
class LatePlans:
    """Makes the plans of late interaction.

    Attributes:
        settings: of the index.
        codebook: its centroids; None where there are none.
        known: what is known of the part that is asked.
        exact: rank every window, rather than candidates.
    """

    settings: ClusterSettings
    codebook: Codebook | None
    known: Known
    exact: bool = False

    def plan(self, vectors: TokenMatrix, wanted: int, selection: Selection) -> Plan:
        """Return the plan of one window of a question.

        Args:
            vectors: ``(n, dim)`` float32.
            wanted: how many passages.
            selection: among which windows.
        """
        limit = round((wanted + _MORE) * max(1.0, self.known.windows / max(1, self.known.passages)))
        return Plan(
            "colbert", vectors, limit, self._candidates(vectors, limit), selection, self.exact
        )

    def _candidates(self, vectors: TokenMatrix, limit: int) -> tuple[Candidates, ...]:
        """Return where candidates come from; none where all windows are hardly more."""
        most = max(self.settings.limit, 2 * limit)
        if self.exact or self.known.windows <= 2 * most * self.settings.shards:
            return ()
        mean = Candidates("mean", np.asarray(vectors, np.float32).mean(axis=0), most)
        if self.codebook is None:
            return (replace(mean, limit=2 * most),)
        probes = probes_of(self.codebook, vectors, self.settings.nprobe)
        return (mean, Candidates("cent", probes, most)) if len(probes.ids) else (mean,)


def ask(backend: Backend, plans: Sequence[Plan], wanted: int) -> list[list[FoundPoint]]:
    """Answer plans, each with so many passages if there are as many.

    Where candidates were too few, or several windows of the same passages, more is asked for.

    Args:
        backend: the engine.
        plans: the questions.
        wanted: passages of each.
    """
    found: list[list[FoundPoint]] = [[] for _ in plans]
    open_ = dict(enumerate(plans))
    while open_:
        places = list(open_)
        for at in range(0, len(places), _TOGETHER):
            some = places[at : at + _TOGETHER]
            answers = backend.search([open_[place] for place in some])
            found = _with(found, dict(zip(some, answers, strict=True)))
        again = {place: _more(plan, found[place], wanted) for place, plan in open_.items()}
        open_ = {place: plan for place, plan in again.items() if plan is not None}
    return found


def _with(
    found: list[list[FoundPoint]], answers: dict[int, list[FoundPoint]]
) -> list[list[FoundPoint]]:
    return [answers.get(place, one) for place, one in enumerate(found)]


def _more(plan: Plan, found: Sequence[FoundPoint], wanted: int) -> Plan | None:
    """Return the plan that may find more passages; None where this was enough, or all."""
    if len({one.point.key.id for one in found}) >= wanted:
        return None
    if len(found) < plan.limit and not plan.candidates:
        return None
    return replace(plan, limit=plan.limit * _GROWTH, candidates=())
