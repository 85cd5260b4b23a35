"""Training with what a work folder holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .candidates import Candidate
from .train import train
from .work import TRAINED

if TYPE_CHECKING:
    from .._support.paths import PathLike
    from .._support.progress import ProgressLike
    from ..retriever import Retriever
    from .settings import TrainingSettings
    from .trained import Trained
    from .work import Work

__all__ = ["train_on"]


def train_on(
    work: Work,
    retriever: Retriever,
    into: PathLike,
    settings: TrainingSettings | None = None,
    *,
    progress: ProgressLike = None,
) -> Trained:
    """Adapt an index's model with the questions of a work folder that are for training.

    Passages that were deleted since they were mined are left out.

    Args:
        work: the work folder.
        retriever: the index that it was made of; it stays as it is.
        into: a new folder for the model, see :func:`~.train.train`, errors too.
        settings: how; by default a query adapter.
        progress: see there.

    Raises:
        ConfigError: the work folder is of another index or model.

    Example:
        >>> trained = train_on(work, retriever, "model.new")  # doctest: +SKIP
    """
    work.require(retriever)
    examples = work.examples("train", retriever)
    texts = work.texts(retriever, examples)
    trained = train(retriever.encoder, examples, texts, into, settings, progress=progress)
    digest = Candidate.of(trained.folder, retriever.encoder).digest
    work.write(TRAINED, {**_told(trained.folder, trained.settings), "model": digest})
    return trained


def was_trained(work: Work, folder: Path, settings: TrainingSettings) -> bool:
    """Tell whether a folder holds what was trained last in a work folder, in the same way."""
    return _told(folder, settings).items() <= work.trained().items()


def _told(folder: Path, settings: TrainingSettings) -> dict[str, Any]:
    """Return what a work folder keeps of a training, as JSON reads it back."""
    return {"folder": str(folder), "settings": json.loads(json.dumps(asdict(settings)))}
