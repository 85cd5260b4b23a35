"""Ask an index the queries of a dataset, and measure what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

from .._support.progress import ProgressLike, reporting
from ..encoder import DEFAULT_MODEL, load_encoder
from ..errors import ConfigError
from ..retriever.facade import Retriever
from .datasets import Dataset
from .families import DatasetFamily
from .measures import DEFAULT_MEASURES
from .own_passages import without_own
from .plans import Plan, check_modes
from .remembering import RememberingEncoder
from .results import Evaluation
from .runs import Run, without_ties

if TYPE_CHECKING:
    from ..encoder.lazy import ModelLike
    from ..retriever.search.adapting import QueryAdapterLike
    from ..types import Mode, Storage

__all__ = ["evaluate", "evaluate_family", "index_dataset", "score_run"]

_IDS = 500  # ids looked up at once
DEFAULT: Mode = "hybrid"  # a new index keeps terms


def evaluate(
    dataset: Dataset,
    retriever: Retriever | None = None,
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    modes: Sequence[str] | None = None,
    k: int | None = None,
    model: ModelLike | None = None,
    storage: Storage | None = None,
    worst: int = 10,
    confidence: float = 0.95,
    seed: int = 0,
    query_adapter: QueryAdapterLike | None = None,
    progress: ProgressLike = None,
) -> Evaluation:
    """Ask every judged query, and measure what comes back.

    Only ids and scores of the hits are kept, k a query, and the texts of a few failures.

    Args:
        dataset: queries and judgements, and the passages where there is no retriever.
        retriever: the index to ask. None: the dataset's corpus is indexed in a temporary folder,
            which is removed afterwards.
        measures: see :func:`~lfm2_colbert_rag.evaluation.measures.check_measures`.
        modes: which ways of searching to measure: ``"late"``, ``"lexical"``, ``"hybrid"``. None:
            as the index is searched unless told otherwise.
        k: hits a query; what the measures look at when None. More changes the figures only where
            the search is approximate.
        model: what to index with where there is no retriever; see ``Retriever.open``.
        storage: how to keep vectors where there is no retriever; see ``Retriever.open``.
        worst: for how many queries to collect evidence of what went wrong, those that score
            worst by the first measure.
        confidence: probability of the confidence intervals.
        seed: of the random numbers they are made with.
        query_adapter: see ``Retriever.search``.
        progress: see ``Retriever.add``; it counts passages, then queries, each when it was asked
            in all modes.

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
    if modes is None:
        modes = [DEFAULT if retriever is None else retriever.mode]
    plan = Plan(measures, check_modes(modes), k, worst, confidence, seed, query_adapter)
    begun = time.monotonic()
    if retriever is not None:
        return plan.carry_out(retriever, _fit(retriever, dataset), begun, progress)
    with index_dataset(dataset, model, storage=storage, progress=progress) as made:
        return plan.carry_out(made, dataset, begun, progress)


def evaluate_family(
    family: DatasetFamily,
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    modes: Sequence[str] | None = None,
    k: int | None = None,
    model: ModelLike | None = None,
    storage: Storage | None = None,
    worst: int = 10,
    confidence: float = 0.95,
    seed: int = 0,
    progress: ProgressLike = None,
    on_result: Callable[[Evaluation], None] | None = None,
) -> list[Evaluation]:
    """Evaluate every pair of a query and a passage language.

    Each language's passages are indexed once, and each query is encoded once.

    Args:
        family: the datasets.
        measures: see :func:`evaluate`, as for all that follows.
        modes: see there.
        k: see there.
        model: see there.
        storage: see there.
        worst: see there.
        confidence: see there.
        seed: see there.
        progress: see there.
        on_result: called with each evaluation when it is done.

    Returns:
        One evaluation a pair, passage languages together.

    Raises:
        ConfigError, InputError, MissingExtraError, ModelNotFoundError: see :func:`evaluate`.
    """
    chosen = check_modes([DEFAULT] if modes is None else modes)
    plan = Plan(measures, chosen, k, worst, confidence, seed)
    pairs = family.pairs()
    encoder = RememberingEncoder(load_encoder(DEFAULT_MODEL if model is None else model))
    found: list[Evaluation] = []
    for _, some in groupby(pairs, key=lambda pair: pair[1]):
        datasets = [family.dataset(*pair) for pair in some]
        with index_dataset(datasets[0], encoder, storage=storage, progress=progress) as retriever:
            for dataset in datasets:
                begun, place = time.monotonic(), f"{len(found) + 1} of {len(pairs)}"
                fitting = _fit(retriever, dataset)
                one = plan.carry_out(retriever, fitting, begun, progress, place=place)
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
    plan = Plan(measures, (mode,), confidence=confidence, seed=seed)
    ordered = {query: without_ties(run[query]) for query in sorted(run)}
    ordered, own = without_own(ordered) if dataset.leave_out_own else (ordered, set())
    result = plan.measure(mode, ordered, dataset, 0.0)
    k = max((len(scores) for scores in ordered.values()), default=0)
    return plan.report(dataset, model, {mode: result}, 0.0, k, own)


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
