"""Ask an index the queries of a dataset, and measure what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from .._support.progress import ProgressLike, reporting
from ..errors import ConfigError
from ..retriever.facade import Retriever
from ..retriever.options import MODES, check_mode
from .datasets import Dataset
from .failures import collect_failures
from .families import DatasetFamily
from .measures import DEFAULT_MEASURES, check_measures, depth_of, score_queries
from .own_passages import others, own_note, without_own
from .results import Estimate, Evaluation, ModeResult
from .runs import Run, keep_order, without_ties
from .statistics import bootstrap_interval

if TYPE_CHECKING:
    from ..encoder.lazy import ModelLike
    from ..types import Storage

__all__ = ["MODES", "evaluate", "evaluate_family", "index_dataset", "score_run"]

_BATCH = 64  # queries in a pass over the index
_IDS = 500  # ids looked up at once


def evaluate(
    dataset: Dataset,
    retriever: Retriever | None = None,
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    modes: Sequence[str] = ("late",),
    k: int | None = None,
    model: ModelLike | None = None,
    storage: Storage | None = None,
    worst: int = 10,
    confidence: float = 0.95,
    seed: int = 0,
    progress: ProgressLike = None,
) -> Evaluation:
    """Ask every judged query, and measure what comes back.

    Only ids and scores of the hits are kept, k a query, and the texts of a few failures.

    Args:
        dataset: queries and judgements, and the passages where there is no retriever.
        retriever: the index to ask. None: the dataset's corpus is indexed in a temporary folder,
            which is removed afterwards.
        measures: see :func:`~lfm2_colbert_rag.evaluation.measures.check_measures`.
        modes: which ways of searching to measure: ``"late"``, ``"lexical"``, ``"hybrid"``.
        k: hits a query; what the measures look at when None. More changes the figures only where
            the search is approximate.
        model: what to index with where there is no retriever; see ``Retriever.open``.
        storage: how to keep vectors where there is no retriever; see ``Retriever.open``.
        worst: for how many queries to collect evidence of what went wrong, those that score
            worst by the first measure.
        confidence: probability of the confidence intervals.
        seed: of the random numbers they are made with.
        progress: see ``Retriever.add``; it counts passages, then queries.

    Returns:
        Means with intervals, the value of each query, the worst queries, and the hits.

    Raises:
        ConfigError: a measure, a mode or a k that cannot be used.
        InputError: the index lacks a passage that is judged.
        MissingExtraError: ir-measures is not installed.
        ModelNotFoundError: the model cannot be found.

    Example:
        >>> evaluation = evaluate(load_dataset("faq"), model="nano")  # doctest: +SKIP
        >>> print(evaluation.mean("nDCG@10"))  # doctest: +SKIP
        0.83
    """
    asked = _Plan(check_measures(measures), check_modes(modes), k, worst, confidence, seed)
    begun = time.monotonic()
    if retriever is not None:
        return asked.carry_out(retriever, _fit(retriever, dataset), begun, progress)
    with index_dataset(dataset, model, storage=storage, progress=progress) as made:
        return asked.carry_out(made, dataset, begun, progress)


def evaluate_family(
    family: DatasetFamily,
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    progress: ProgressLike = None,
    on_result: Callable[[Evaluation], None] | None = None,
    **options: Any,
) -> list[Evaluation]:
    """Evaluate every pair of a query and a passage language; each language is indexed once.

    Args:
        family: the datasets.
        measures: see :func:`evaluate`.
        progress: see :func:`evaluate`.
        on_result: called with each evaluation when it is done.
        options: ``modes``, ``k``, ``model``, ``storage``, ``worst``, ``confidence`` and ``seed``,
            as :func:`evaluate` takes them.

    Returns:
        One evaluation a pair, passage languages together.

    Raises:
        ConfigError, InputError, MissingExtraError, ModelNotFoundError: see :func:`evaluate`.
    """
    found: list[Evaluation] = []
    model, storage = options.pop("model", None), options.pop("storage", None)
    check_measures(measures)
    check_modes(options.get("modes", MODES[:1]))
    for searched in dict.fromkeys(searched for _, searched in family.pairs()):
        asked = [pair for pair in family.pairs() if pair[1] == searched]
        with index_dataset(
            family.dataset(*asked[0]), model, storage=storage, progress=progress
        ) as retriever:
            for pair in asked:
                one = evaluate(
                    family.dataset(*pair), retriever, measures, progress=progress, **options
                )
                found.append(one)
                if on_result is not None:
                    on_result(one)
    return found


def score_run(
    run: Run,
    dataset: Dataset,
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    mode: str = "run",
    model: str = "another system",
    confidence: float = 0.95,
    seed: int = 0,
) -> Evaluation:
    """Measure hits that came from elsewhere, to compare them with an evaluation.

    Args:
        run: scores of the hits by query and passage, from another system or from
            :func:`~lfm2_colbert_rag.evaluation.runs.read_run`. Ties are broken as trec_eval
            breaks them. A query's own passage is left out where the dataset says so.
        dataset: the judgements.
        measures: see :func:`evaluate`.
        mode: what to call the run among modes.
        model: what to call the system.
        confidence: see :func:`evaluate`.
        seed: see :func:`evaluate`.

    Raises:
        ConfigError: a measure that cannot be used.
        InputError: a score that is no number.
        MissingExtraError: ir-measures is not installed.

    Example:
        >>> bm25 = score_run(read_run("bm25.run"), dataset)  # doctest: +SKIP
    """
    asked = _Plan(check_measures(measures), (mode,), None, 0, confidence, seed)
    ordered = {query: without_ties(run[query]) for query in sorted(run)}
    ordered, own = without_own(ordered) if dataset.leave_out_own else (ordered, set())
    result = asked.measure(mode, ordered, dataset, 0.0)
    k = max((len(scores) for scores in ordered.values()), default=0)
    return asked.report(dataset, model, {mode: result}, 0.0, k, own)


@contextmanager
def index_dataset(
    dataset: Dataset,
    model: ModelLike | None = None,
    *,
    storage: Storage | None = None,
    progress: ProgressLike = None,
) -> Iterator[Retriever]:
    """Index the passages of a dataset for the length of a ``with`` block.

    Args:
        dataset: its corpus is read bit by bit.
        model: see ``Retriever.open``.
        storage: see ``Retriever.open``.
        progress: see ``Retriever.add``.

    Raises:
        ConfigError: the dataset has no corpus.
    """
    if dataset.corpus is None:
        raise ConfigError(
            f"{dataset.name} has no corpus, so there is nothing to index; give a retriever whose "
            "index holds the passages, or a corpus."
        )
    with Retriever.from_texts([], model=model, storage=storage) as retriever:
        with reporting(progress, dataset.passages, "indexing") as report:
            retriever.add_stream(dataset.corpus, progress=report)
        yield retriever


def check_modes(modes: Sequence[str]) -> tuple[str, ...]:
    """Return the modes without repetition.

    Raises:
        ConfigError: none, or one that there is not.
    """
    if isinstance(modes, str):
        raise ConfigError(f"modes must be a list, such as [{modes!r}], not one string.")
    checked = tuple([check_mode(mode) for mode in dict.fromkeys(modes)])
    if not checked:
        raise ConfigError(f"there is no mode; name some of {', '.join(MODES)}.")
    return checked


def _fit(retriever: Retriever, dataset: Dataset) -> Dataset:
    """Check judgements against what an index holds."""
    judged = sorted({passage for grades in dataset.qrels.values() for passage in grades})
    missing: set[str] = set()
    for start in range(0, len(judged), _IDS):
        missing |= _absent(retriever, judged[start : start + _IDS])
    return dataset.without(missing, len(retriever), "the index")


def _absent(retriever: Retriever, ids: list[str]) -> set[str]:
    """Return which ids an index lacks."""
    return set(ids) - {passage.id for passage in retriever.get(ids)}


class _Plan:
    """What to measure, and how."""

    def __init__(
        self,
        measures: tuple[str, ...],
        modes: tuple[str, ...],
        k: int | None,
        worst: int,
        confidence: float,
        seed: int,
    ) -> None:
        if not 0 < confidence < 1:
            raise ConfigError(f"confidence must lie between 0 and 1, not {confidence!r}.")
        self.measures = measures
        self.modes = modes
        self.k = depth_of(measures, k)
        self.worst = worst
        self.confidence = confidence
        self.seed = seed

    def carry_out(
        self, retriever: Retriever, dataset: Dataset, begun: float, progress: ProgressLike
    ) -> Evaluation:
        """Ask all queries in all modes."""
        results: dict[str, ModeResult] = {}
        own: set[str] = set()
        for mode in self.modes:
            started = time.monotonic()
            run = _ask(retriever, dataset, mode, self.k, progress, own)
            result = self.measure(mode, run, dataset, time.monotonic() - started)
            failures = collect_failures(retriever, dataset, result, self.worst)
            results[mode] = ModeResult(**{**vars(result), "worst": failures})
        seconds = time.monotonic() - begun
        return self.report(dataset, retriever.model, results, seconds, self.k, own)

    def measure(self, mode: str, run: Run, dataset: Dataset, seconds: float) -> ModeResult:
        """Work out the measures of one run."""
        scores = score_queries(self.measures, dataset.qrels, run)
        means = {
            measure: Estimate(scores.means[measure], *self._interval(scores.per_query[measure]))
            for measure in self.measures
        }
        return ModeResult(mode, means, scores.per_query, round(seconds, 3), run=run)

    def report(
        self,
        dataset: Dataset,
        model: str,
        results: Mapping[str, ModeResult],
        seconds: float,
        k: int,
        own: Collection[str],
    ) -> Evaluation:
        """Put the results together."""
        return Evaluation(
            dataset.name,
            model,
            dataset.passages,
            len(dataset.qrels),
            k,
            self.measures,
            results,
            dataset.digest,
            dataset.languages,
            self.confidence,
            round(seconds, 3),
            (*dataset.notes, *own_note(dataset, own)),
        )

    def _interval(self, values: Mapping[str, float]) -> tuple[float, float]:
        given = np.array([values[query] for query in sorted(values)])
        return bootstrap_interval(given, confidence=self.confidence, seed=self.seed)


def _ask(
    retriever: Retriever,
    dataset: Dataset,
    mode: str,
    k: int,
    progress: ProgressLike,
    own: set[str],
) -> dict[str, dict[str, float]]:
    """Return the hits of all queries; of each no more than id and score is kept.

    The queries whose own passage was found and left out are added to ``own``.
    """
    run: dict[str, dict[str, float]] = {}
    queries = dataset.judged()
    ids = list(queries)
    depth = k + dataset.leave_out_own
    with reporting(progress, len(ids), f"asking, {mode}") as report:
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            texts = [queries[id] for id in batch]
            answers = retriever.search_many(texts, depth, mode=check_mode(mode))
            for id, hits in zip(batch, answers, strict=True):
                if dataset.leave_out_own:
                    own |= {hit.id for hit in hits} & {id}
                    hits = others(id, hits, k)
                run[id] = keep_order((hit.id, hit.score) for hit in hits)
            report(len(batch))
    return run
