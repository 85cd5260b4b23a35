"""Training of a model's own weights: head, layers, or matrices of low rank."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from .._support.forking import NO_FORK
from ..encoder.checkpoint import Checkpoint
from ..encoder.config import Lfm2Config
from ..encoder.engine import CheckpointEncoder
from ..encoder.framing import Framing
from ..encoder.protocol import Encoder
from ..encoder.torch_engine import TorchEncoder, load_embedder
from ..errors import ConfigError
from .batches import Batch
from .export import export, require_places
from .loop import Runner, Texts, learn, precision_of
from .memory import tokens_at_once
from .parameters import Training, trained_names
from .task import MEASURED, Task
from .trained import Trained


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model whose weights have been trained, still in memory.

    Attributes:
        checkpoint: the original.
        runner: what ran it.
        changed: the weights that have changed, by name.
        losses: of each step.
        right: share of training questions that put their answer first, before and after.
    """

    checkpoint: Checkpoint
    runner: Runner
    changed: Mapping[str, Tensor]
    losses: Sequence[float]
    right: tuple[float, float]


def train_weights(
    encoder: Encoder, task: Task, folder: Path, advance: Callable[[int], None]
) -> Trained:
    """Train a model's weights and write it into a folder; see :func:`.train.train`."""
    model = trained_model(encoder, task, advance)
    made = export(model.checkpoint, model.changed, folder)
    return task.trained(
        losses=model.losses,
        right=model.right,
        passages=len(model.runner.texts.passages),
        base=str(model.checkpoint.fingerprint["weights"]),
        weights=str(made.fingerprint["weights"]),
        device=model.runner.device.type,
        dtype=str(model.runner.dtype).removeprefix("torch."),
    )


def trained_model(encoder: Encoder, task: Task, advance: Callable[[int], None]) -> TrainedModel:
    """Train a model's weights in memory.

    Raises:
        ConfigError: the encoder cannot be trained, the memory is too little, or a loss is no
            number.
    """
    settings = task.settings
    checkpoint, config = trainable(encoder, settings.method)
    device = encoder.device if isinstance(encoder, TorchEncoder) else torch.device("cpu")
    measured = list(task.batches.in_order(MEASURED))
    drawn = list(task.batches.drawn(settings.plan.steps))
    texts = _framed(checkpoint, task, [*measured, *drawn])
    try:
        model = load_embedder(checkpoint, device=device, dtype="float32")
        require_places(checkpoint, list(trained_names(model, settings.method)))
        training = Training.of(model, settings.method, settings.seed)
        tokens = _tokens(training, config, texts.longest, settings.memory)
        zeroed = checkpoint.framing.masked_positions == "zeroed"
        precision = precision_of(device)
        runner = Runner(model, device, texts, tokens, settings.temperature, precision, zeroed)
        before = runner.share_right(measured)
        rate, minutes = settings.plan.learning_rate, settings.minutes
        losses = learn(runner, training.parameters, drawn, rate, minutes, advance)
        with NO_FORK:
            changed = training.finish(settings.plan.mix)
        after = runner.share_right(measured)
    except RuntimeError as error:
        raise _without_memory(error, settings.method) from error
    return TrainedModel(checkpoint, runner, changed, losses, (before, after))


def _tokens(training: Training, config: Lfm2Config, longest: int, memory: int | None) -> int:
    weights = sum(one.numel() for one in training.model.parameters())
    learned = sum(one.numel() for one in training.parameters)
    return tokens_at_once(config, weights, learned, longest, memory, training.method)


def trainable(encoder: Encoder, method: str) -> tuple[Checkpoint, Lfm2Config]:
    """Return the checkpoint of an encoder that can be trained, and its backbone's shape.

    Raises:
        ConfigError: it has no weights, or others than those of LFM2.
    """
    otherwise = "; method='query' works with any encoder."
    if not isinstance(encoder, CheckpointEncoder):
        raise ConfigError(
            f"method={method!r} trains the weights of a checkpoint, and {encoder.name!r} has "
            f"none{otherwise}"
        )
    checkpoint = encoder.checkpoint
    if checkpoint.exported:
        raise ConfigError(
            f"{checkpoint.folder} was exported for ONNX Runtime and has no weights to train: "
            f"name the checkpoint that it was made from{otherwise}"
        )
    if not isinstance(checkpoint.backbone, Lfm2Config):
        raise ConfigError(
            f"method={method!r} trains LFM2 models, and the backbone of {checkpoint.folder} is "
            f"{checkpoint.architecture!r}: train it with sentence-transformers or PyLate"
            f"{otherwise}"
        )
    return checkpoint, checkpoint.backbone


def _framed(checkpoint: Checkpoint, task: Task, batches: Iterable[Batch]) -> Texts:
    """Frame what batches name; passages are cut to the length that the settings say."""
    config = checkpoint.framing
    length = min(config.document_length, task.settings.passage_length)
    framing = Framing.from_checkpoint(
        replace(checkpoint, framing=replace(config, document_length=length))
    )
    names: Sequence[str] = sorted({name for batch in batches for name in batch.passages})
    passages = framing.document([task.texts[name] for name in names])
    return Texts(framing.query(task.questions), dict(zip(names, passages, strict=True)))


def _without_memory(error: RuntimeError, method: str) -> Exception:
    """Return the error that says what torch ran out of; another stays as it is."""
    if isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error):
        return ConfigError(
            f"there was not enough memory to train with method={method!r}: "
            f"{str(error).splitlines()[0]:.200} Allow less with memory=, or choose "
            "method='query', which needs little."
        )
    return error
