"""Runs and judgements as dictionaries, and as the files that trec_eval reads.

A run has no ties. Tools do not agree about them: trec_eval keeps scores in 32 bits and puts the
greater id first, MS MARCO's reciprocal rank keeps 64 bits and puts the smaller id first; so equal
scores would make figures depend on the tool, and none would be about the order that the user saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from .._support.lines import numbered_lines
from ..errors import InputError

__all__ = ["Run", "keep_order", "read_run", "without_ties", "write_qrels", "write_run"]

Run: TypeAlias = Mapping[str, Mapping[str, float]]
"""``{query id: {passage id: score}}``; see :func:`keep_order` for the scores."""

_RUN_FIELDS = 6


def keep_order(ranked: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return scores that say the order in which hits came, whoever sorts them.

    A score that is not below the one before it (in 32 bits, as trec_eval keeps it) becomes the
    next smaller number; all others stay.

    Args:
        ranked: passage ids and scores, best first.

    Returns:
        The scores by passage id, strictly falling in float32.

    Raises:
        InputError: a score that is no number, or the same passage twice.

    Example:
        >>> list(keep_order([("b", 2.0), ("a", 2.0), ("c", 1.0)]).items())
        [('b', 2.0), ('a', 1.9999998807907104), ('c', 1.0)]
    """
    scores: dict[str, float] = {}
    last = np.float32(np.inf)
    for id, score in ranked:
        value = np.float32(score)
        if not np.isfinite(value):
            raise InputError(f"the score of {id!r} is {score!r}, which is no number to rank by.")
        if id in scores:
            raise InputError(f"{id!r} is ranked twice for one query; keep its better score.")
        if value >= last:
            value = np.nextafter(last, np.float32(-np.inf))
        scores[id] = float(value)
        last = value
    return scores


def without_ties(scores: Mapping[str, float]) -> dict[str, float]:
    """Order scores as trec_eval does (32 bits, falling; of equal ones the greater id first).

    Args:
        scores: by passage id, in any order.

    Returns:
        The same as :func:`keep_order` gives.
    """
    by_id = sorted(scores.items(), reverse=True)
    return keep_order(sorted(by_id, key=lambda item: -np.float32(item[1])))


def read_run(path: Path | str) -> dict[str, dict[str, float]]:
    """Read a run in TREC's format: query, ``Q0``, passage, rank, score, name.

    Args:
        path: the file; ranks in it are not looked at, as trec_eval does not either.

    Returns:
        The run, ties broken as trec_eval breaks them.

    Raises:
        InputError: a line that cannot be used; the message names it.
    """
    path = Path(path).expanduser()
    run: dict[str, dict[str, float]] = {}
    for number, line in numbered_lines(path):
        place, fields = f"{path}, line {number}", line.split()
        if not fields:
            continue
        if len(fields) != _RUN_FIELDS:
            raise InputError(
                f"{place}: {len(fields)} fields, but a line of a run has six: query, Q0, passage, "
                "rank, score, name."
            )
        query, _, passage, _, score, _ = fields
        scores = run.setdefault(query, {})
        if passage in scores:
            raise InputError(f"{place}: passage {passage!r} comes twice for query {query!r}.")
        try:
            scores[passage] = float(score)
        except ValueError:
            raise InputError(f"{place}: the score {score!r} is no number.") from None
    try:
        return {query: without_ties(scores) for query, scores in run.items()}
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def write_run(run: Run, path: Path | str, *, name: str = "lfm2-colbert-rag") -> None:
    """Write a run in TREC's format, with scores to the last digit.

    Args:
        run: the hits.
        path: the file to write.
        name: what to call the run, in its last column; spaces in it become hyphens.

    Raises:
        InputError: an id that this format cannot hold; nothing is written.
    """
    tag = "-".join(name.split()) or "run"
    lines = [
        f"{_word(query)} Q0 {_word(passage)} {rank} {score!r} {tag}\n"
        for query, scores in sorted(run.items())
        for rank, (passage, score) in enumerate(scores.items(), 1)
    ]
    Path(path).expanduser().write_text("".join(lines), encoding="utf-8")


def write_qrels(qrels: Mapping[str, Mapping[str, int]], path: Path | str) -> None:
    """Write judgements in TREC's format: query, ``0``, passage, grade.

    Args:
        qrels: the judgements.
        path: the file to write.

    Raises:
        InputError: an id that this format cannot hold; nothing is written.
    """
    lines = [
        f"{_word(query)} 0 {_word(passage)} {grade}\n"
        for query, grades in sorted(qrels.items())
        for passage, grade in grades.items()
    ]
    Path(path).expanduser().write_text("".join(lines), encoding="utf-8")


def _word(id: str) -> str:
    if not id or id.split() != [id]:
        raise InputError(
            f"the id {id!r} is empty or holds white space, which TREC's format cannot carry; "
            "replace it, for example by '_'."
        )
    return id
