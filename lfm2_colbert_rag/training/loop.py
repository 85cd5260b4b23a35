"""The loop: texts through the model, a loss, and a step.

Batches of any size are computed in groups that fit the memory, and the gradient is still that of
the whole batch: vectors are computed first without it, the loss is taken, and each group is
computed once more to pass its part on (Gao et al., "Scaling deep contrastive learning batch size
under memory limited setup", 2021). Nothing is drawn at random within the model, so that both times
give the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from .._support.forking import NO_FORK
from ..encoder.engine import batches as groups_of
from ..encoder.framing import FramedText
from ..encoder.lfm2 import PackedBatch
from ..encoder.torch_engine import TokenEmbedder
from ..errors import ConfigError
from .batches import Batch
from .losses import contrast, count_right, mean_similarities
from .optimiser import Adam
from .rates import rate

_LONGEST_GRADIENT = 1.0


@dataclass(frozen=True, eq=False)
class Texts:
    """Framed texts: questions by the example's number, passages by name."""

    questions: Sequence[FramedText]
    passages: dict[str, FramedText]

    def of(self, batch: Batch) -> list[FramedText]:
        """Return a batch's questions, then its passages."""
        return [
            *(self.questions[number] for number in batch.questions),
            *(self.passages[name] for name in batch.passages),
        ]

    @property
    def longest(self) -> int:
        """Positions of the longest."""
        return max(map(len, (*self.questions, *self.passages.values())))


@dataclass(frozen=True, eq=False)
class Runner:
    """Runs a model on batches of texts.

    Attributes:
        model: what is run.
        device: where.
        texts: all that batches name.
        tokens: positions computed at once, padding counted.
        temperature: of the loss.
        dtype: precision of the products; weights and gradients are float32.
        zero_masked_positions: see :class:`~lfm2_colbert_rag.encoder.lfm2.Lfm2Backbone`.
    """

    model: TokenEmbedder
    device: torch.device
    texts: Texts
    tokens: int
    temperature: float
    dtype: torch.dtype
    zero_masked_positions: bool

    def backward(self, batch: Batch) -> float:
        """Add the gradient of a batch's loss to that of the weights; return the loss."""
        texts = self.texts.of(batch)
        groups = list(groups_of([len(text) for text in texts], self.tokens))
        if len(groups) == 1:
            parts = [self._vectors([texts[index] for index in groups[0]])]
            loss = self._loss(parts, groups, batch)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.item()
        with torch.no_grad():
            parts = [self._vectors([texts[index] for index in group]) for group in groups]
        for part in parts:
            part.requires_grad_(True)
        loss = self._loss(parts, groups, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        for part, group in zip(parts, groups, strict=True):
            again = self._vectors([texts[index] for index in group])
            assert part.grad is not None  # every vector has a part in the loss
            # Its gradient is that of the part; to pass that on itself would load torch's compiler.
            (again * part.grad).sum().backward()  # type: ignore[no-untyped-call]
        return loss.item()

    @torch.no_grad()
    def share_right(self, batches: Sequence[Batch]) -> float:
        """Return the share of questions that put their answer first in their batch."""
        right = 0
        for batch in batches:
            with NO_FORK:
                texts = self.texts.of(batch)
                groups = list(groups_of([len(text) for text in texts], self.tokens))
                parts = [self._vectors([texts[index] for index in group]) for group in groups]
                right += count_right(self._scores(parts, groups, batch), batch)
        return right / sum(len(batch.questions) for batch in batches)

    def _loss(
        self, parts: Sequence[Tensor], groups: Sequence[Sequence[int]], batch: Batch
    ) -> Tensor:
        return contrast(self._scores(parts, groups, batch), batch, self.temperature)

    def _scores(
        self, parts: Sequence[Tensor], groups: Sequence[Sequence[int]], batch: Batch
    ) -> Tensor:
        """Bring the vectors of groups back into the order of the batch, and compare them."""
        texts = self.texts.of(batch)
        counts = [int(text.keep.sum()) for text in texts]
        found: list[Tensor] = [parts[0]] * len(texts)
        for part, group in zip(parts, groups, strict=True):
            split = torch.split(part, [counts[index] for index in group])
            for index, vectors in zip(group, split, strict=True):
                found[index] = vectors
        asked = len(batch.questions)
        return mean_similarities(
            torch.cat(found[:asked]), counts[:asked], torch.cat(found[asked:]), counts[asked:]
        )

    def _vectors(self, texts: Sequence[FramedText]) -> Tensor:
        """Compute the unit vectors of some texts, one after another: ``(K, dim)`` float32."""
        packed = PackedBatch.from_lists(
            [text.input_ids.tolist() for text in texts],
            [text.attention_mask.tolist() for text in texts],
            self.device,
        )
        keep = torch.cat([torch.from_numpy(text.keep) for text in texts]).to(self.device)
        with self._precision():
            found: Tensor = self.model(
                packed, keep, zero_masked_positions=self.zero_masked_positions
            )
        return found

    def _precision(self) -> AbstractContextManager[object]:
        if self.dtype is torch.float32:
            return nullcontext()
        stack = ExitStack()
        stack.enter_context(torch.autocast(self.device.type, dtype=self.dtype))
        if self.device.type == "cpu":
            # The fused attention of CPUs is slow in bfloat16: a step takes a quarter longer.
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        return stack


def precision_of(device: torch.device) -> torch.dtype:
    """Return bfloat16 where a device multiplies in it; emulated, it is slower than float32."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported()
    else:
        told = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # no public way to ask
        fast = device.type == "cpu" and told is not None and bool(told())
    return torch.bfloat16 if fast else torch.float32


def learn(
    runner: Runner,
    parameters: Sequence[torch.nn.Parameter],
    batches: Sequence[Batch],
    learning_rate: float,
    minutes: float,
    advance: Callable[[int], None],
) -> list[float]:
    """Take a step for each batch, or as many as the minutes allow.

    Args:
        runner: of the model.
        parameters: what is learned.
        batches: one a step.
        learning_rate: the highest.
        minutes: of time; rates fall with it where it would run out before the batches do.
        advance: called with 1 after each step.

    Returns:
        The losses.

    Raises:
        ConfigError: a loss is no number.
    """
    optimiser = Adam(parameters)
    started, losses = time.monotonic(), list[float]()
    for batch in batches:
        passed = (time.monotonic() - started) / (60 * minutes)
        if passed >= 1:
            break
        pace = learning_rate * rate(max(passed, (len(losses) + 1) / len(batches)))
        with NO_FORK:
            loss = runner.backward(batch)
            _require_number(loss, len(losses) + 1, learning_rate)
            torch.nn.utils.clip_grad_norm_(parameters, _LONGEST_GRADIENT)
            optimiser.step(pace)
        losses.append(loss)
        advance(1)
    return losses


def _require_number(loss: float, step: int, learning_rate: float) -> None:
    if not math.isfinite(loss):
        raise ConfigError(
            f"training went wrong at step {step}: its loss is {loss}. Try a learning_rate below "
            f"{learning_rate:g}."
        )
