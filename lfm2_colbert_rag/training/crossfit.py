"""Few labels: every question is asked with a query adapter that was learned from the others.

A fifth of 100 questions proves nothing. Adapters are learned in seconds, so five are, each from
four fifths of the questions, and asked the last fifth: all questions judge, and none was seen. What
is judged so is the way to learn; the adapter that is used was learned from all questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._support.progress import ProgressLike, reporting
from ..encoder.query_adapter import QueryAdapter, weights_of
from ..errors import ConfigError
from .adapter import fit_adapter
from .candidates import Served
from .measuring import MEASURES, Measured, ask_both
from .settings import TrainingSettings

if TYPE_CHECKING:
    from ..evaluation.results import Evaluation
    from ..retriever import Retriever
    from ..types import TokenMatrix
    from .candidates import Candidate
    from .labels import Labelled
    from .work import Work

__all__ = ["ask_out_of_fold", "settings_of"]


def settings_of(work: Work, candidate: Candidate) -> TrainingSettings:
    """Return how a model was trained that is judged out of fold.

    Raises:
        ConfigError: it is another one than was trained last in the work folder.
    """
    known = work.trained()
    if candidate.adapter is None or known.get("model") != candidate.digest:
        raise ConfigError(
            f"{work.folder} has so few questions that all of them train, and judges the query "
            "adapter alone that was trained in it last. Train one: lfm2-colbert adapt train; or "
            "mine for another method (--method), which keeps questions for judging."
        )
    return TrainingSettings(**known["settings"])


def ask_out_of_fold(
    questions: Sequence[Labelled],
    parts: Sequence[Sequence[int]],
    served: Served,
    texts: Mapping[str, str],
    settings: TrainingSettings,
    modes: Sequence[str],
    *,
    name: str,
    progress: ProgressLike = None,
) -> Measured:
    """Ask each part of the questions with an adapter that was learned from all others.

    Args:
        questions: labelled questions, with negatives.
        parts: their places, part by part; no two parts share a passage.
        served: the index as it is asked now.
        texts: of the passages that they name, by id.
        settings: how to learn.
        modes: how to ask.
        name: what to call the questions in a report.
        progress: see ``Retriever.add``; it counts questions.
    """
    seed = settings.seed
    fitter = _Fitter(served.retriever, questions, texts, settings)
    found: dict[str, dict[str, Mapping[str, float]]] = {mode: {} for mode in modes}
    whole = ask_both(
        *(questions, served, served, modes), name=name, seed=seed, progress=False, again=False
    )
    ids = list(whole.dataset.queries)
    with reporting(progress, len(questions), "asking out of fold") as report:
        for part in parts:
            adapter = fitter.without(set(part))
            asked = [questions[place] for place in part]
            after = Served(served.retriever, adapter)
            some = ask_both(
                *(asked, after, after, modes), name=name, seed=seed, progress=False, again=False
            )
            renamed = dict(zip(some.dataset.queries, (ids[place] for place in part), strict=True))
            for mode in modes:
                run = some.before.result(mode).run
                found[mode] |= {renamed[query]: hits for query, hits in run.items()}
            report(len(part))
    return replace(whole, after=_joined(whole, found, seed))


def _joined(
    whole: Measured, found: Mapping[str, Mapping[str, Mapping[str, float]]], seed: int
) -> Evaluation:
    """Measure what the parts gave, as one evaluation."""
    from ..evaluation import score_run

    results = {
        mode: score_run(run, whole.dataset, MEASURES, mode=mode, seed=seed).result()
        for mode, run in found.items()
    }
    return replace(whole.before, modes=results)


class _Fitter:
    """Learns adapters of some of the questions; everything is encoded once."""

    def __init__(
        self,
        retriever: Retriever,
        questions: Sequence[Labelled],
        texts: Mapping[str, str],
        settings: TrainingSettings,
    ) -> None:
        encoder = retriever.encoder
        self._questions, self._settings = questions, settings
        self._weights = weights_of(encoder)
        asked = encoder.encode_query([one.question for one in questions])
        self._asked = [one.vectors for one in asked]
        told = encoder.encode_document(list(texts.values()))
        self._told = {id: one.vectors for id, one in zip(texts, told, strict=True)}

    def without(self, held: set[int]) -> QueryAdapter:
        """Return an adapter that knows nothing of some questions."""
        places = [place for place in range(len(self._questions)) if place not in held]
        matrix = fit_adapter(
            [self._asked[place] for place in places],
            [self._vectors(self._questions[place].positives) for place in places],
            [self._vectors(self._questions[place].negatives) for place in places],
            self._settings,
        )
        return QueryAdapter(matrix, self._weights, "always", _ORIGIN)

    def _vectors(self, ids: Sequence[str]) -> list[TokenMatrix]:
        return [self._told[id] for id in ids if id in self._told]


_ORIGIN: Mapping[str, Any] = {"summary": "learned from a part of the questions"}
