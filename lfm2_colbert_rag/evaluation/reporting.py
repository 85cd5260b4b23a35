"""A folder with the report of one or more evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from .datasets import Dataset
from .report_html import to_html
from .report_markdown import to_markdown
from .results import Evaluation, save_evaluations
from .runs import write_qrels

__all__ = ["write_report"]


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
    given = [evaluations] if isinstance(evaluations, Evaluation) else list(evaluations)
    if not given:
        raise InputError("there is no evaluation to report.")
    home = Path(folder).expanduser()
    home.mkdir(parents=True, exist_ok=True)
    html, markdown, values = (
        home / name for name in ("report.html", "report.md", "evaluation.json")
    )
    html.write_text(to_html(given), encoding="utf-8")
    markdown.write_text(to_markdown(given), encoding="utf-8")
    save_evaluations(given, values)
    return [html, markdown, values, *_write_runs(given, home), *_write_qrels(datasets, home)]


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
