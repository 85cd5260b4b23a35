"""A folder with the report of one or more evaluations, and what both forms of it say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .comparing import compare_results
from .datasets import Dataset
from .results import Evaluation, Failure, save_evaluations
from .runs import write_qrels
from .statistics import holm

__all__ = ["Difference", "differences", "grids", "worst_failures", "write_report"]

_LEVEL = 0.05
_FAILURES = 24  # in a whole report


@dataclass(frozen=True)
class Difference:
    """How a mode differs from the first one, in one measure.

    Attributes:
        value: the mean minus the first mode's.
        p: of the randomisation test, corrected by Holm's method for all modes and measures of the
            dataset.
    """

    value: float
    p: float

    @property
    def sign(self) -> str:
        """An arrow where the difference is significant at .05, else nothing."""
        if self.p >= _LEVEL:
            return ""
        return "▲" if self.value > 0 else "▼"


@dataclass(frozen=True)
class Grid:
    """Means by query and passage language.

    Attributes:
        mode: the mode of search.
        measure: the measure.
        queries: the query languages, a row each.
        passages: the passage languages, a column each.
        cells: the evaluation of each pair that there is.
    """

    mode: str
    measure: str
    queries: tuple[str, ...]
    passages: tuple[str, ...]
    cells: dict[tuple[str, str], Evaluation]


def write_report(
    evaluations: Sequence[Evaluation] | Evaluation,
    folder: Path | str,
    *,
    datasets: Sequence[Dataset] = (),
) -> list[Path]:
    """Write ``report.html``, ``report.md`` and ``evaluation.json``, and runs where at hand.

    The HTML is one file without scripts, and asks nothing of a network.

    Args:
        evaluations: one, or those of a family.
        folder: made if it is not there; files of these names in it are replaced.
        datasets: whose judgements to write beside the runs, in TREC's format.

    Returns:
        The files written.

    Raises:
        InputError: no evaluation, or an id that TREC's format cannot hold.
        OSError: the folder cannot be written.

    Example:
        >>> write_report(evaluation, "report")  # doctest: +SKIP
    """
    from .report_html import to_html
    from .report_markdown import to_markdown

    given = [evaluations] if isinstance(evaluations, Evaluation) else list(evaluations)
    if not given:
        raise InputError("there is no evaluation to report.")
    home = Path(folder)
    home.mkdir(parents=True, exist_ok=True)
    html, markdown, values = (
        home / name for name in ("report.html", "report.md", "evaluation.json")
    )
    html.write_text(to_html(given), encoding="utf-8")
    markdown.write_text(to_markdown(given), encoding="utf-8")
    save_evaluations(given, values)
    return [html, markdown, values, *_write_runs(given, home), *_write_qrels(datasets, home)]


def differences(evaluation: Evaluation) -> dict[tuple[str, str], Difference]:
    """Compare every other mode with the first.

    Returns:
        The difference of each mode and measure; empty where there is one mode only.
    """
    first, *others = evaluation.modes.values()
    found = {
        (other.mode, one.measure): one
        for other in others
        for one in compare_results(evaluation.dataset, first, other)
    }
    p = holm({f"{mode} {measure}": one.p for (mode, measure), one in found.items()})
    return {key: Difference(one.difference, p[f"{key[0]} {key[1]}"]) for key, one in found.items()}


def grids(evaluations: Sequence[Evaluation]) -> list[Grid]:
    """Return a grid for each mode and measure, where there are several languages."""
    cells = {one.languages: one for one in evaluations if one.languages is not None}
    if len(cells) < 2:
        return []
    queries, passages = (tuple(dict.fromkeys(pair[side] for pair in cells)) for side in (0, 1))
    first = next(iter(cells.values()))
    return [
        Grid(mode, measure, queries, passages, dict(cells))
        for measure in first.measures
        for mode in first.modes
    ]


def worst_failures(evaluations: Sequence[Evaluation]) -> list[tuple[Evaluation, str, Failure]]:
    """Return the failures that a report shows, with their evaluation and mode."""
    sources = [
        (one, mode, result.worst) for one in evaluations for mode, result in one.modes.items()
    ]
    each = max(1, _FAILURES // max(1, len(sources)))
    return [(one, mode, failure) for one, mode, worst in sources for failure in worst[:each]]


def _write_runs(evaluations: Sequence[Evaluation], home: Path) -> list[Path]:
    written = []
    for one in evaluations:
        for mode, result in one.modes.items():
            if result.run:
                path = home / f"run{_suffix(one.languages)}.{_plain(mode)}.txt"
                one.write_run(path, mode)
                written.append(path)
    return written


def _write_qrels(datasets: Sequence[Dataset], home: Path) -> list[Path]:
    """Write the judgements; those of a family are the same for all its pairs."""
    if not datasets:
        return []
    path = home / "qrels.txt"
    write_qrels(datasets[0].qrels, path)
    return [path]


def _suffix(languages: tuple[str, str] | None) -> str:
    return "" if languages is None else f".{_plain(languages[0])}-{_plain(languages[1])}"


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
