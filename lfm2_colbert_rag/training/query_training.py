"""Training of a query adapter: vectors once, then a matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .._support.token_vectors import check_query_vectors, check_results
from ..encoder.protocol import Encoder
from ..encoder.query_adapter import FILE, QueryAdapter, weights_of
from ..types import TokenMatrix
from .adapter import fit
from .task import MEASURED, Task
from .trained import Trained


def train_query(
    encoder: Encoder, task: Task, folder: Path, advance: Callable[[int], None]
) -> Trained:
    """Fit a query adapter and write it into a folder; see :func:`.train.train`."""
    settings, batches = task.settings, task.batches
    measured = list(batches.in_order(MEASURED))
    drawn = batches.drawn(settings.plan.steps)
    used = sorted({name for batch in (*measured, *drawn) for name in batch.passages})
    passages = _passages(encoder, used, task.texts)
    questions = _questions(encoder, task.questions)
    fitted = fit(questions, passages, batches, settings, measured=measured, advance=advance)
    origin = {
        "summary": f"learned from {len(task.examples)} questions",
        "questions": len(task.examples),
        "passages": len(used),
        "steps": len(fitted.losses),
        "seed": settings.seed,
        "right": [round(fitted.right_before, 4), round(fitted.right_after, 4)],
    }
    QueryAdapter(fitted.matrix, weights_of(encoder), "always", origin).save(folder / FILE)
    return task.trained(
        losses=fitted.losses,
        right=(fitted.right_before, fitted.right_after),
        passages=len(used),
        base=weights_of(encoder),
        weights=hashlib.sha256(fitted.matrix.tobytes()).hexdigest(),
        device="cpu",
        dtype="float32",
    )


def _questions(encoder: Encoder, asked: Sequence[str]) -> list[TokenMatrix]:
    found = check_query_vectors(encoder.encode_query(asked), asked, encoder.dim, encoder)
    return [one.vectors for one in found]


def _passages(
    encoder: Encoder, names: Sequence[str], texts: Mapping[str, str]
) -> dict[str, TokenMatrix]:
    found = encoder.encode_document([texts[name] for name in names])
    encoded = check_results(found, len(names), encoder)
    return {name: one.vectors for name, one in zip(names, encoded, strict=True)}
