"""What an evaluation found: means with their intervals, values of each query, and JSON of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from .runs import Run, write_run

__all__ = [
    "Answer",
    "Estimate",
    "Evaluation",
    "Evidence",
    "Failure",
    "ModeResult",
    "load_evaluations",
    "save_evaluations",
]

FORMAT = "lfm2-colbert-rag evaluation 1"


@dataclass(frozen=True)
class Estimate:
    """A mean over queries and its bootstrap confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Evidence:
    """A word of the query and the word that answered it, as ``Hit.quote_evidence`` writes them.

    Attributes:
        query: ``(start, end)`` characters of the query.
        passage: ``(start, end)`` characters of the text that is shown.
        strength: cosine of the two.
        words: what stands there in the query and in the text.
    """

    query: tuple[int, int]
    passage: tuple[int, int]
    strength: float
    words: tuple[str, str]


@dataclass(frozen=True)
class Answer:
    """A passage that came, or should have come, for a query.

    Attributes:
        id: the passage.
        rank: its place, from 1; None where it was not among the hits that were looked at.
        grade: its judgement; None where nobody judged it.
        text: the part of its text that matched best.
        score: as the search gave it; None where it was not found.
        relevance: as the search gave it; None where it was not found.
        evidence: the words of ``text`` that answered words of the query, strongest first.
    """

    id: str
    rank: int | None
    grade: int | None
    text: str
    score: float | None = None
    relevance: float | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A query that scored badly, with its evidence.

    Attributes:
        query: its id.
        text: what was asked.
        value: what it scored.
        expected: relevant passages, best grade first, and where they came.
        found: what came first instead.
        looked: how many hits were looked at for the ranks.
    """

    query: str
    text: str
    value: float
    expected: tuple[Answer, ...]
    found: tuple[Answer, ...]
    looked: int


@dataclass(frozen=True)
class ModeResult:
    """One mode of search.

    Attributes:
        mode: ``"late"``, ``"lexical"``, ``"hybrid"``, or what the caller calls a run of its own.
        means: an estimate a measure.
        per_query: the value of each query, by measure and query id, ids ascending.
        seconds: how long the search took; that of the first mode includes encoding the queries.
        worst: the queries that scored worst by the first measure.
        run: the hits; not part of the JSON, so empty after reading that.
    """

    mode: str
    means: Mapping[str, Estimate]
    per_query: Mapping[str, Mapping[str, float]]
    seconds: float = 0.0
    worst: tuple[Failure, ...] = ()
    run: Run = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Evaluation:
    """What one dataset gave with one model, in one or more modes.

    Attributes:
        dataset: its name.
        model: the name of the model.
        passages: how many were searched.
        queries: how many were asked.
        k: how many hits a query was given.
        measures: their names.
        modes: the results, by mode, in the order asked for.
        qrels: a hash of the judgements; only evaluations with the same one can be compared.
        languages: of queries and passages, where known.
        confidence: probability of the intervals.
        seconds: how long everything took, indexing included.
        notes: what to know about the data, such as judgements that were left out.

    Example:
        >>> evaluation = evaluate(dataset, model="nano")  # doctest: +SKIP
        >>> evaluation.modes["late"].means["nDCG@10"].mean  # doctest: +SKIP
        0.7462
    """

    dataset: str
    model: str
    passages: int
    queries: int
    k: int
    measures: tuple[str, ...]
    modes: Mapping[str, ModeResult]
    qrels: str
    languages: tuple[str, str] | None = None
    confidence: float = 0.95
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def mean(self, measure: str | None = None, mode: str | None = None) -> float:
        """Return a mean: of the first measure and the first mode where none is named.

        Raises:
            InputError: a measure or mode that was not evaluated.
        """
        result = self.result(mode)
        name = self.measures[0] if measure is None else measure
        if name not in result.means:
            raise InputError(f"{name!r} was not measured; there is {', '.join(self.measures)}.")
        return result.means[name].mean

    def result(self, mode: str | None = None) -> ModeResult:
        """Return what one mode gave: the first where none is named.

        Raises:
            InputError: a mode that was not evaluated.
        """
        name = next(iter(self.modes)) if mode is None else mode
        if name not in self.modes:
            raise InputError(f"{name!r} was not evaluated; there is {', '.join(self.modes)}.")
        return self.modes[name]

    def write_run(self, path: Path | str, mode: str | None = None) -> None:
        """Write the hits in TREC's format, scores to the last digit.

        Args:
            path: the file to write.
            mode: which mode; the first where none is named.

        Raises:
            InputError: the hits are not at hand (JSON does not hold them), or an id cannot be
                written in this format.
        """
        result = self.result(mode)
        if not result.run:
            raise InputError(
                "the hits are not at hand: they are not part of an evaluation's JSON. Write the "
                "run when evaluating, or with --report."
            )
        write_run(result.run, path, name=f"{self.model.split('/')[-1]}-{result.mode}")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the hits as a JSON object."""
        values = {key: value for key, value in vars(self).items() if key != "modes"}
        modes = {
            mode: {
                "means": {name: asdict(mean) for name, mean in result.means.items()},
                "seconds": result.seconds,
                "worst": [asdict(failure) for failure in result.worst],
                "per_query": {name: dict(of) for name, of in result.per_query.items()},
            }
            for mode, result in self.modes.items()
        }
        return {"format": FORMAT, **values, "modes": modes}

    def to_json(self, path: Path | str | None = None) -> str:
        """Return everything but the hits as JSON, and write it to a file if one is named."""
        text = json.dumps(self.to_dict(), ensure_ascii=False)
        if path is not None:
            Path(path).expanduser().write_text(text + "\n", encoding="utf-8")
        return text

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Evaluation:
        """Return what :meth:`to_dict` gave.

        Raises:
            InputError: it is something else.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise InputError(
                f"this is no evaluation: its 'format' should be {FORMAT!r}. Write one with "
                "to_json, or with lfm2-colbert evaluate --json."
            )
        try:
            return _read(values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"this evaluation is broken ({type(error).__name__}: {error})."
            ) from None

    @classmethod
    def from_json(cls, source: Path | str) -> Evaluation:
        """Read what :meth:`to_json` wrote.

        Args:
            source: a file, or the JSON itself.

        Raises:
            InputError: it holds something else.
            OSError: the file cannot be read.
        """
        found = load_evaluations(source)
        if len(found) != 1:
            raise InputError(f"{_name(source)} holds {len(found)} evaluations, not one.")
        return found[0]


def save_evaluations(evaluations: Sequence[Evaluation], path: Path | str | None = None) -> str:
    """Return several evaluations as one JSON object, and write it to a file if one is named."""
    if len(evaluations) == 1:
        return evaluations[0].to_json(path)
    text = json.dumps(
        {"format": FORMAT, "evaluations": [one.to_dict() for one in evaluations]},
        ensure_ascii=False,
    )
    if path is not None:
        Path(path).expanduser().write_text(text + "\n", encoding="utf-8")
    return text


def load_evaluations(source: Path | str) -> list[Evaluation]:
    """Read one evaluation or several.

    Args:
        source: a file, or the JSON itself.

    Raises:
        InputError: it holds something else.
        OSError: the file cannot be read.
    """
    is_text = isinstance(source, str) and source.lstrip().startswith("{")
    text = str(source) if is_text else Path(source).expanduser().read_text(encoding="utf-8")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{_name(source)} is no JSON ({error}).") from None
    try:
        if isinstance(values, dict) and isinstance(values.get("evaluations"), list):
            return [Evaluation.from_dict(one) for one in values["evaluations"]]
        return [Evaluation.from_dict(values)]
    except InputError as error:
        raise InputError(f"{_name(source)}: {error}") from None


def _name(source: Path | str) -> str:
    return "the JSON" if str(source).lstrip().startswith("{") else str(source)


def _read(values: Mapping[str, Any]) -> Evaluation:
    modes = {
        str(mode): ModeResult(
            str(mode),
            {name: Estimate(**mean) for name, mean in result["means"].items()},
            {
                name: {query: float(value) for query, value in of.items()}
                for name, of in result["per_query"].items()
            },
            float(result["seconds"]),
            tuple(map(_read_failure, result["worst"])),
        )
        for mode, result in values["modes"].items()
    }
    languages = values["languages"]
    rest = {key: values[key] for key in ("dataset", "model", "passages", "queries", "k", "qrels")}
    return Evaluation(
        **rest,
        measures=tuple(values["measures"]),
        modes=modes,
        languages=None if languages is None else (str(languages[0]), str(languages[1])),
        confidence=float(values["confidence"]),
        seconds=float(values["seconds"]),
        notes=tuple(values["notes"]),
    )


def _read_failure(values: Mapping[str, Any]) -> Failure:
    answers = {
        name: tuple(_read_answer(one) for one in values[name]) for name in ("expected", "found")
    }
    return Failure(**{**values, **answers})


def _read_answer(values: Mapping[str, Any]) -> Answer:
    return Answer(**{**values, "evidence": tuple(map(_read_evidence, values["evidence"]))})


def _read_evidence(values: Mapping[str, Any]) -> Evidence:
    asked, answered = values["words"]
    return Evidence(
        _span(values["query"]),
        _span(values["passage"]),
        float(values["strength"]),
        (str(asked), str(answered)),
    )


def _span(ends: Any) -> tuple[int, int]:
    start, end = ends
    return int(start), int(end)
