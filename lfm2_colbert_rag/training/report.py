"""The evaluation's report, in the work folder: questions that got better, and that got worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..evaluation.reporting import write_report
from ..evaluation.results import ModeResult
from .guard import MEASURE

if TYPE_CHECKING:
    from ..evaluation.results import Evaluation, Failure
    from .candidates import Served
    from .measuring import Measured
    from .work import Work

__all__ = ["write_work_report"]

_SHOWN = 10  # questions of each kind
_PRESENT, _NEW = "present model", "new model"
_READING = (
    "Under 'present model' are the questions that got better, as they were answered before; under "
    "'new model' those that got worse, as they are answered now."
)


def write_work_report(work: Work, measured: Measured, before: Served, after: Served) -> list[Path]:
    """Write the report of the judging questions into the work folder, for its owner alone.

    It holds texts of questions and passages.
    """
    folder = work.report_folder()
    written = write_report(_evaluations(measured, before, after), folder)
    for path in written:
        path.chmod(0o600)
    return written


def _evaluations(measured: Measured, before: Served, after: Served) -> list[Evaluation]:
    return [_one(measured, mode, before, after) for mode in measured.before.modes]


def _one(measured: Measured, mode: str, before: Served, after: Served) -> Evaluation:
    """Return an evaluation of one way of searching, with a mode a model."""
    first, second = measured.before.result(mode), measured.after.result(mode)
    better, worse = _changed(first, second), _changed(second, first)
    modes = {
        _PRESENT: _named(_PRESENT, first, _failures(measured, first, better, before)),
        _NEW: _named(_NEW, second, _failures(measured, second, worse, after)),
    }
    return replace(
        measured.after,
        dataset=f"{measured.dataset.name}, {mode}",
        modes=modes,
        notes=(*measured.after.notes, _READING),
    )


def _changed(low: ModeResult, high: ModeResult) -> list[str]:
    """Return the questions that score more in the second, most first."""
    rises = {q: high.per_query[MEASURE][q] - value for q, value in low.per_query[MEASURE].items()}
    return sorted((q for q in rises if rises[q] > 0), key=lambda q: -rises[q])[:_SHOWN]


def _failures(
    measured: Measured, result: ModeResult, chosen: Sequence[str], served: Served
) -> tuple[Failure, ...]:
    from ..evaluation.failures import collect_failures

    values = {MEASURE: {query: result.per_query[MEASURE][query] for query in chosen}}
    only = ModeResult(result.mode, result.means, values)
    return collect_failures(served.retriever, measured.dataset, only, _SHOWN, served.adapter)


def _named(name: str, result: ModeResult, worst: tuple[Failure, ...]) -> ModeResult:
    return replace(result, mode=name, worst=worst, run={})
