"""Run contenders, each in fresh processes, in turn, and again; then take medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..harness import percentiles
from ..harness.children import run_child
from ..harness.environments import Interpreter
from .contenders import CONTENDERS, ENVIRONMENTS, Contender
from .texts import Texts

Result = dict[str, Any]

_REFERENCE = "pylate-float32"
_CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Setting:
    """What all contenders have in common.

    Attributes:
        texts: to encode.
        models: the checkpoint's folder, by layout.
        scratch: for jobs and vectors.
        device: as torch spells it.
        threads: of each contender.
        timeout: seconds that one process may take.
    """

    texts: Texts
    models: Mapping[str, Path]
    scratch: Path
    device: str
    threads: int
    timeout: float


@dataclass
class Runs:
    """What is known of a contender.

    Attributes:
        contender: the contender.
        interpreter: what runs it; None when there is none.
        error: why it cannot be measured.
        probe: the first run, which fills caches and tries batch sizes.
        rounds: the measurements.
    """

    contender: Contender
    interpreter: Interpreter | None = None
    error: str = ""
    probe: Result = field(default_factory=dict)
    rounds: list[Result] = field(default_factory=list)

    @property
    def best_batch(self) -> int | None:
        """The batch size in which documents took least time in the probe."""
        times = self.probe["document_seconds"]
        best = min(times, key=times.__getitem__)
        return None if best == "None" else int(best)


def run_probe(runs: Runs, setting: Setting) -> None:
    """Run a contender for the first time."""
    runs.probe = _run(runs, setting, "probe", runs.contender.batches_on(setting.device))
    runs.error = runs.probe.get("error", "")


def run_round(runs: Runs, setting: Setting) -> None:
    """Measure a contender once."""
    result = _run(runs, setting, "measure", (runs.best_batch,))
    runs.error = result.get("error", "")
    if not runs.error:
        runs.rounds.append(result)


def _run(runs: Runs, setting: Setting, task: str, batches: Sequence[int | None]) -> Result:
    """Run one process to its end and return what it measured."""
    assert runs.interpreter is not None
    contender = runs.contender
    job = {
        "task": task,
        "library": contender.library,
        "backend": contender.backend,
        "dtype": contender.dtype,
        "device": setting.device,
        "threads": setting.threads,
        "model": str(setting.models[contender.layout]),
        "batches": list(batches),
        "exported": str(setting.models[contender.layout]) + f".{contender.backend}",
        "vectors": str(vectors_file(setting, contender)),
        **asdict(setting.texts),
        "spawned": time.monotonic(),
    }
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    return run_child(
        runs.interpreter.python, _CHILD, job, setting.scratch / f"{contender.name}.{task}",
        threads=setting.threads, timeout=setting.timeout,
        variables=offline | {"LFM2_COLBERT_CACHE": str(setting.scratch / "converted")},
    )  # fmt: skip


def vectors_file(setting: Setting, contender: Contender) -> Path:
    """Return the file in which a contender's first vectors are kept."""
    return setting.scratch / f"{contender.name}.vectors.npz"


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
