"""What the result says of a contender: medians of all rounds, and whether it computes the same."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np

from ..harness import percentiles
from .contenders import CONTENDERS, ENVIRONMENTS
from .rounds import Result, Runs, Setting, vectors_file

_REFERENCE = "pylate-float32"


def entry(one: Runs, setting: Setting) -> Result:
    """Return what the result says of a contender."""
    contender = one.contender
    told: Result = {
        "label": contender.label,
        "library": contender.library,
        "backend": contender.backend,
        "dtype": contender.dtype,
        "environment": contender.environment,
        "environment_mb": one.interpreter and one.interpreter.size_mb,
        "environment_note": ENVIRONMENTS[contender.environment].note,
        "versions": one.probe.get("versions", {}),
    }
    if one.error:
        return told | {"error": one.error}
    reference = next(c for c in CONTENDERS if c.name == _REFERENCE)
    return told | {
        "batch": one.best_batch,
        "document_seconds_by_batch": one.probe["document_seconds"],
        "agreement_with_pylate_float32": agreement(
            vectors_file(setting, contender), vectors_file(setting, reference)
        ),
        **summary(one, setting),
        "rounds": one.rounds,
    }


def summary(runs: Runs, setting: Setting) -> Result:
    """Return the medians of all rounds."""
    texts, rounds = setting.texts, runs.rounds
    tokens = texts.tokens
    questions = [percentiles(one["query_seconds"]) for one in rounds]
    figures = {
        "query_p50_ms": [one["p50_ms"] for one in questions],
        "query_p95_ms": [one["p95_ms"] for one in questions],
        "document_tokens_per_second": [tokens / one["document_seconds"] for one in rounds],
        "documents_per_second": [len(texts.documents) / one["document_seconds"] for one in rounds],
        "peak_memory_mb": [one["peak_memory_mb"] for one in rounds],
        "memory_after_queries_mb": [one["memory_after_queries_mb"] for one in rounds],
        "start_seconds": [one["start_seconds"] for one in rounds],
    }
    if texts.bulk_queries:
        count = len(texts.bulk_queries)
        figures["queries_per_second"] = [count / one["bulk_query_seconds"] for one in rounds]
    if "device_peak_memory_mb" in rounds[0]:
        figures["device_peak_memory_mb"] = [one["device_peak_memory_mb"] for one in rounds]
    return {name: _rounded(statistics.median(values)) for name, values in figures.items()} | {
        "spread": {
            name: [_rounded(min(values)), _rounded(max(values))] for name, values in figures.items()
        },
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def agreement(file: Path, reference: Path) -> Result | None:
    """Compare the vectors of two contenders: do they compute the same thing?

    Returns:
        The mean cosine over all vectors, or the shapes when these differ; None without vectors.
    """
    if not (file.exists() and reference.exists()):
        return None
    with np.load(file) as ours, np.load(reference) as theirs:
        pairs = [(ours[name], theirs[name]) for name in ours.files]
    if any(a.shape != b.shape for a, b in pairs):
        return {"shapes": [[list(a.shape), list(b.shape)] for a, b in pairs]}
    cosines = np.concatenate([(a * b).sum(axis=1) for a, b in pairs])
    return {"mean_cosine": round(float(cosines.mean()), 4)}
