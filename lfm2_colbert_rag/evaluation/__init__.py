"""How good is retrieval on your own data? Datasets, measures, comparisons and reports.

Example:
    >>> from lfm2_colbert_rag.evaluation import evaluate, load_dataset
    >>> evaluation = evaluate(load_dataset("faq"), model="nano")  # doctest: +SKIP
    >>> evaluation.mean("nDCG@10")  # doctest: +SKIP
    0.83
"""

from __future__ import annotations

from .comparing import Comparison, compare
from .datasets import Dataset
from .evaluating import evaluate, evaluate_family, score_run
from .families import DatasetFamily
from .loading import is_family, load_dataset, load_family
from .reporting import write_report
from .results import Estimate, Evaluation, ModeResult, load_evaluations, save_evaluations
from .runs import read_run, write_qrels, write_run

__all__ = [
    "Comparison",
    "Dataset",
    "DatasetFamily",
    "Estimate",
    "Evaluation",
    "ModeResult",
    "compare",
    "evaluate",
    "evaluate_family",
    "is_family",
    "load_dataset",
    "load_evaluations",
    "load_family",
    "read_run",
    "save_evaluations",
    "score_run",
    "write_qrels",
    "write_report",
    "write_run",
]
