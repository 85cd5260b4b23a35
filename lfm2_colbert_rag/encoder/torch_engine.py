"""The encoder on PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._support.forking import NO_FORK, renew_in_child
from ..errors import ConfigError, ForkedProcessError
from .checkpoint import Checkpoint
from .engine import DEFAULT_QUERY_CACHE, CheckpointEncoder
from .framing import FramedText
from .heads import Head
from .lfm2 import Lfm2Backbone, PackedBatch
from .torch_weights import load_tensors
from .transformers_backbone import TransformersBackbone
from .transformers_config import TransformersConfig

DType = Literal["float32", "bfloat16", "float16"]
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TokenEmbedder(nn.Module):
    """Backbone and projections: packed token ids to unit vectors.

    Args:
        backbone: packed token ids to hidden states.
        heads: hidden states to token vectors, one after another.
    """

    def __init__(self, backbone: Lfm2Backbone | TransformersBackbone, heads: nn.Sequential) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = heads

    def forward(
        self, batch: PackedBatch, keep: Tensor, *, zero_masked_positions: bool = False
    ) -> Tensor:
        """Compute the vectors of some positions.

        Args:
            batch: packed sequences of T positions in all.
            keep: ``(T,)`` bool, the positions that get a vector; K of them.
            zero_masked_positions: see :meth:`Lfm2Backbone.forward`.

        Returns:
            ``(K, dim)`` float32, each row of unit length.
        """
        hidden = self.backbone(batch, zero_masked_positions=zero_masked_positions)
        return F.normalize(self.heads(hidden[keep]).float(), dim=-1, eps=1e-12)


class TorchEncoder(CheckpointEncoder):
    """Turns texts into token vectors with PyTorch, on a CPU or an accelerator.

    Args:
        checkpoint: the model.
        name: see :class:`~lfm2_colbert_rag.encoder.engine.CheckpointEncoder`.
        device: as torch spells it: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        dtype: of weights and arithmetic. Vectors are float32 whichever it is.
        batch_tokens: positions computed at once; more takes more memory.
        query_cache: see :class:`~lfm2_colbert_rag.encoder.engine.CheckpointEncoder`.

    Raises:
        ModelFormatError: the weights do not fit the configuration, or the tokenizer does not; or
            nothing knows how to run the backbone.
        MissingExtraError: the backbone needs ``transformers``, which is not installed.
        ConfigError: no such device or dtype.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        name: str | None = None,
        device: str = "cpu",
        dtype: DType = "float32",
        batch_tokens: int = 4096,
        query_cache: int = DEFAULT_QUERY_CACHE,
    ) -> None:
        super().__init__(checkpoint, name=name, batch_tokens=batch_tokens, query_cache=query_cache)
        self._device = _device(device)
        self._model = load_embedder(checkpoint, device=self._device, dtype=dtype)
        self._forked = False
        renew_in_child(self)

    @property
    def device(self) -> torch.device:
        """What it computes on."""
        return self._device

    def renew_after_fork(self) -> None:
        """Remember that torch's threads, and what it has on other devices, are the parent's."""
        self._forked = True

    @torch.inference_mode()
    def _vectors(self, batch: Sequence[FramedText]) -> npt.NDArray[np.float32]:
        if self._forked:
            self._require_no_device()
        with NO_FORK:
            return self._compute(batch)

    def _require_no_device(self) -> None:
        """Go on in a forked child, on one thread, if all is in the memory of the process.

        Raises:
            ForkedProcessError: the model is on another device.
        """
        if self._device.type != "cpu":
            raise ForkedProcessError(
                f"a model on {self._device} cannot be used in a process that was forked from the "
                "one that loaded it. Load it in the child, or start the child with the start "
                "method 'spawn'."
            )
        torch.set_num_threads(1)  # the child has none of the threads that the parent has started
        self._forked = False

    def _compute(self, batch: Sequence[FramedText]) -> npt.NDArray[np.float32]:
        ids, attention, keep = (
            torch.from_numpy(np.concatenate(arrays)).to(self._device)
            for arrays in zip(
                *((t.input_ids, t.attention_mask, t.keep) for t in batch), strict=True
            )
        )
        packed = PackedBatch(ids, attention, tuple(len(text) for text in batch))
        zeroed = self._checkpoint.framing.masked_positions == "zeroed"
        vectors: npt.NDArray[np.float32] = (
            self._model(packed, keep, zero_masked_positions=zeroed).cpu().numpy()
        )
        return vectors


def load_embedder(checkpoint: Checkpoint, *, device: torch.device, dtype: DType) -> TokenEmbedder:
    """Build the model and read its weights straight to where they will be used.

    Raises:
        ModelFormatError: tensors are missing, unexpected, or of the wrong shape; or nothing knows
            how to run the backbone.
        MissingExtraError: the backbone needs ``transformers``, which is not installed.
        ConfigError: no such dtype.
    """
    if dtype not in _DTYPES:
        raise ConfigError(f"dtype must be one of {sorted(_DTYPES)}, not {dtype!r}.")
    precision = _DTYPES[dtype]
    with torch.device("meta"):
        heads = nn.Sequential(*map(Head, checkpoint.heads))
    for head, stored in zip(heads, checkpoint.head_tensors(), strict=True):
        load_tensors(head, stored, checkpoint.folder, device=device, dtype=precision)
    backbone = _load_backbone(checkpoint, device, precision)
    return TokenEmbedder(backbone, heads).requires_grad_(False).eval()


def _load_backbone(
    checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype
) -> Lfm2Backbone | TransformersBackbone:
    config = checkpoint.backbone
    if isinstance(config, TransformersConfig):
        longest = checkpoint.framing.longest_input
        return TransformersBackbone.load(config, device=device, dtype=dtype, longest_input=longest)
    # On the meta device a module has shapes but no memory; assigning the tensors as they are read
    # then peaks at one copy of the weights.
    with torch.device("meta"):
        backbone = Lfm2Backbone(config)
    stored = checkpoint.backbone_tensors()
    load_tensors(backbone, stored, checkpoint.folder, device=device, dtype=dtype)
    return backbone


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    # torch raises RuntimeError or AssertionError, by the kind of device that is missing.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"The device {name!r} cannot be used: {reason}") from error
    return device
