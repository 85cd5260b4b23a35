"""The one call: examples and texts in, a folder with an adapted model out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .._support.extras import require
from .._support.new_folder import new_folder
from .._support.paths import PathLike, absolute_path
from .._support.progress import ProgressLike, reporting
from .._support.system_errors import named
from ..encoder.protocol import Encoder
from ..errors import ConfigError, LFM2ColBERTError
from .card import write_card
from .examples import Example
from .query_training import train_query
from .settings import TrainingSettings
from .task import Task
from .trained import Trained


def train(
    encoder: Encoder,
    examples: Sequence[Example],
    texts: Mapping[str, str],
    into: PathLike,
    settings: TrainingSettings | None = None,
    *,
    progress: ProgressLike = None,
) -> Trained:
    """Adapt a model to questions about one's own passages.

    Nothing leaves the machine: no library that speaks to a network is used.

    Args:
        encoder: the model. Query adapters are made for any; the other methods train LFM2 models,
            such as ``"nano"``, from their weights.
        examples: questions, with ids of passages that answer them.
        texts: of all passages that the examples name, by id.
        into: a folder that does not exist yet, or is empty. It appears whole or not at all, and
            only its owner may read it. No text, id or path is in it.
        settings: how; by default a query adapter.
        progress: a function called with the number of steps just made; True for a bar, False for
            none; None for a bar where the work is long and a person looks on.

    Returns:
        Figures of the training. They do not say whether the model is better: that is found out on
        questions that took no part in it.

    Raises:
        InputError: no example, an example that names a passage without a text, or nothing to tell
            passages apart by.
        ConfigError: the folder is taken or cannot be written, the encoder is none that the method
            can train, or the memory allowed is too little.
        MissingExtraError: the method needs torch, which is not installed.
        StorageFullError: the disk is full.
        AccessDeniedError: this user may not write there.

    Example:
        >>> from lfm2_colbert_rag.testing import HashEncoder
        >>> texts = {"reset": "Hold the reset key.", "coffee": "Clean the coffee machine."}
        >>> examples = [Example("Where is the reset key?", ("reset",), ("coffee",))]
        >>> train(HashEncoder(), examples, texts, "adapted").steps
        60
    """
    settings = settings or TrainingSettings()
    folder = absolute_path(into)
    task = Task.checked(examples, texts, folder, settings)
    steps = settings.plan.steps
    try:
        with new_folder(folder, private=True) as scratch:
            with reporting(progress, steps, "training") as advance:
                trained = _way(settings.method)(encoder, task, scratch, advance)
            write_card(scratch, trained)
    except LFM2ColBERTError:
        raise
    except (OSError, MemoryError) as error:
        raise _named(error, folder) from error
    return trained


def _way(method: str) -> Callable[[Encoder, Task, Path, Callable[[int], None]], Trained]:
    if method == "query":
        return train_query
    require("torch", extra="training")
    from .weights_training import train_weights

    return train_weights


def _named(error: OSError | MemoryError, folder: Path) -> Exception:
    """Return the error that says what the system refused."""
    return named(error, folder) or ConfigError(
        f"the result cannot be written to {folder}: {getattr(error, 'strerror', None) or error}. "
        "Choose a folder that can be written and has room."
    )
