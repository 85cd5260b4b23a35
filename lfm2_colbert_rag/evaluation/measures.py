"""Measures of a ranking, worked out by ir-measures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._support.extras import require
from ..errors import ConfigError
from .runs import Run

__all__ = ["DEFAULT_MEASURES", "Scores", "check_measures", "depth_of", "score_queries"]

DEFAULT_MEASURES = ("nDCG@10", "R@10", "RR@10")

# Name in lower case, our spelling of it, and whether it needs a cutoff.
_KNOWN = {
    "ndcg": ("nDCG", False),
    "r": ("R", True),
    "recall": ("R", True),
    "rr": ("RR", False),
    "mrr": ("RR", False),
    "p": ("P", True),
    "precision": ("P", True),
    "ap": ("AP", False),
    "map": ("AP", False),
    "success": ("Success", True),
    "rprec": ("Rprec", False),
}
_GRADED = {"nDCG"}  # takes every grade as it is; a minimum grade has no meaning for it
_WHOLE = 1000  # hits asked for where a measure looks at the whole ranking, as TREC runs have
_PATTERN = re.compile(r"\s*([A-Za-z]+)\s*(?:\(\s*rel\s*=\s*(\d+)\s*\))?\s*(?:@\s*(\d+))?\s*")


@dataclass(frozen=True)
class Scores:
    """What the queries of one run score.

    Attributes:
        means: the mean of each measure, as ir-measures gives it.
        per_query: the value of each query, by measure and then by query id, ids ascending.
    """

    means: Mapping[str, float]
    per_query: Mapping[str, Mapping[str, float]]


def check_measures(measures: Iterable[str]) -> tuple[str, ...]:
    """Return the measures in one spelling.

    Args:
        measures: such as ``"nDCG@10"``, ``"recall@100"``, ``"RR"`` or ``"R(rel=2)@10"``, where
            ``rel`` is the minimum grade that counts as relevant. Upper and lower case are alike.

    Raises:
        ConfigError: none at all, one that is not known, or one without the cutoff it needs.

    Example:
        >>> check_measures(["ndcg@10", "Recall@100", "MRR"])
        ('nDCG@10', 'R@100', 'RR')
    """
    if isinstance(measures, str):
        raise ConfigError(f"measures must be a list, such as [{measures!r}], not one string.")
    checked = tuple(dict.fromkeys(_Measure.parse(measure).spelling for measure in measures))
    if not checked:
        raise ConfigError(f"there is no measure; name some, such as {', '.join(DEFAULT_MEASURES)}.")
    return checked


def depth_of(measures: Sequence[str], k: int | None) -> int:
    """Return how many hits a query needs for these measures.

    Args:
        measures: checked ones.
        k: what the caller asked for, if anything.

    Raises:
        ConfigError: k is less than what a measure looks at.
    """
    cutoffs = {measure: _Measure.parse(measure).cutoff for measure in measures}
    needed = max(cutoff or _WHOLE for cutoff in cutoffs.values())
    if k is None:
        return needed
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ConfigError(f"k must be a positive integer, not {k!r}.")
    for measure, cutoff in cutoffs.items():
        if cutoff is not None and cutoff > k:
            raise ConfigError(f"{measure} looks at {cutoff} hits, but k is {k}; raise k.")
    return k


def score_queries(
    measures: Sequence[str], qrels: Mapping[str, Mapping[str, int]], run: Run
) -> Scores:
    """Measure a run.

    Queries are taken in the order of their ids, and values added up by ir-measures itself, so
    that the files of :func:`~.runs.write_run` and :func:`~.runs.write_qrels` give the same
    figures to the last digit.

    Args:
        measures: checked ones.
        qrels: the grade of each judged passage of each query. A judged query that the run lacks
            counts 0, and so does one without any relevant passage, as in trec_eval.
        run: hits and scores of each query; queries that nobody judged are not counted.

    Raises:
        MissingExtraError: ir-measures is not installed.
    """
    library = require("ir_measures", extra="evaluation")
    wanted = {_Measure.parse(measure).build(library): measure for measure in measures}
    judged = {query: dict(qrels[query]) for query in sorted(qrels)}
    ranked = {query: dict(run[query]) for query in sorted(run) if run[query] and query in judged}
    result = library.calc(list(wanted), judged, ranked)
    per_query: dict[str, dict[str, float]] = {measure: {} for measure in measures}
    for metric in result.per_query:
        per_query[wanted[metric.measure]][metric.query_id] = float(metric.value)
    return Scores(
        {measure: float(result.aggregated[built]) for built, measure in wanted.items()},
        {measure: dict(sorted(values.items())) for measure, values in per_query.items()},
    )


@dataclass(frozen=True)
class _Measure:
    name: str
    rel: int
    cutoff: int | None

    @classmethod
    def parse(cls, text: object) -> _Measure:
        """Read what users write, such as ``"nDCG@10"``; a ConfigError says what is wrong."""
        match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
        known = _KNOWN.get(match[1].lower()) if match else None
        if match is None or known is None:
            names = ", ".join(dict.fromkeys(name for name, _ in _KNOWN.values()))
            raise ConfigError(
                f"{text!r} is not a known measure. Known are {names}, with @ and a cutoff, such "
                "as nDCG@10; (rel=2) before it makes 2 the minimum grade that counts as relevant."
            )
        name, needs_cutoff = known
        cutoff = None if match[3] is None else int(match[3])
        if cutoff == 0 or (cutoff is None and needs_cutoff):
            raise ConfigError(f"{text!r} needs a cutoff of at least 1, such as {name}@10.")
        if name == "Rprec" and cutoff is not None:
            raise ConfigError(f"{text!r} has a cutoff; Rprec takes none.")
        rel = 1 if match[2] is None else int(match[2])
        if rel < 1 or (rel > 1 and name in _GRADED):
            raise ConfigError(f"{text!r} has a rel that it cannot use; leave it out.")
        return cls(name, rel, cutoff)

    @property
    def spelling(self) -> str:
        rel = f"(rel={self.rel})" if self.rel > 1 else ""
        return f"{self.name}{rel}" + (f"@{self.cutoff}" if self.cutoff else "")

    def build(self, library: Any) -> Any:
        """Return the measure of the library, which is the module ``ir_measures``."""
        measure = getattr(library, self.name)
        if self.rel > 1:
            measure = measure(rel=self.rel)
        return measure if self.cutoff is None else measure @ self.cutoff
