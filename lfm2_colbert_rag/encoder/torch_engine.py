"""The encoder on PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from ..errors import ConfigError, ModelFormatError
from .checkpoint import Checkpoint, StoredTensor
from .engine import DEFAULT_QUERY_CACHE, CheckpointEncoder
from .framing import FramedText
from .heads import Head
from .lfm2 import Lfm2Backbone, PackedBatch

DType = Literal["float32", "bfloat16", "float16"]
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TokenEmbedder(nn.Module):
    """Backbone and projections: packed token ids to unit vectors.

    Args:
        checkpoint: for the sizes; no weights are read.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.backbone = Lfm2Backbone(checkpoint.backbone)
        self.heads = nn.Sequential(*map(Head, checkpoint.heads))

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
        ModelFormatError: the weights do not fit the configuration, or the tokenizer does not.
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

    @torch.inference_mode()
    def _vectors(self, batch: Sequence[FramedText]) -> npt.NDArray[np.float32]:
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
        ModelFormatError: tensors are missing, unexpected, or of the wrong shape.
        ConfigError: no such dtype.
    """
    if dtype not in _DTYPES:
        raise ConfigError(f"dtype must be one of {sorted(_DTYPES)}, not {dtype!r}.")
    # On the meta device a module has shapes but no memory; assigning the tensors as they are read
    # then peaks at one copy of the weights.
    with torch.device("meta"):
        model = TokenEmbedder(checkpoint)
    for module, stored in (
        (model.backbone, checkpoint.backbone_tensors()),
        *zip(model.heads, checkpoint.head_tensors(), strict=True),
    ):
        _check_tensors(module, stored, checkpoint.folder)
        state = _read_tensors(module.state_dict(), stored, device, _DTYPES[dtype])
        module.load_state_dict(state, strict=True, assign=True)
    return model.requires_grad_(False).eval()


def _check_tensors(module: nn.Module, stored: Mapping[str, StoredTensor], folder: Path) -> None:
    # The output layer of a language model, which is tied to the embedding and not needed here.
    found = {name: tensor.shape for name, tensor in stored.items() if name != "lm_head.weight"}
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    missing, unexpected = sorted(wanted.keys() - found), sorted(found.keys() - wanted)
    resized = [
        f"{name} has {found[name]}, not {wanted[name]}"
        for name in sorted(wanted.keys() & found.keys())
        if found[name] != wanted[name]
    ]
    problems = [
        f"{what}: {', '.join(names[:5])}" + (f" and {len(names) - 5} more" if names[5:] else "")
        for what, names in (
            ("missing tensors", missing),
            ("unexpected tensors", unexpected),
            ("wrong shapes", resized),
        )
        if names
    ]
    if problems:
        raise ModelFormatError(
            f"The weights of {folder} do not fit its configuration; {'; '.join(problems)}."
        )


def _read_tensors(
    names: Mapping[str, Tensor],
    stored: Mapping[str, StoredTensor],
    device: torch.device,
    dtype: torch.dtype,
) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for file in {stored[name].file for name in names}:
        with safe_open(file, framework="pt") as opened:
            for name in names:
                tensor = stored[name]
                if tensor.file != file:
                    continue
                value = opened.get_tensor(tensor.key)
                if tensor.scale_key is not None:
                    value = value.float() * opened.get_tensor(tensor.scale_key).float()
                state[name] = value.to(device=device, dtype=dtype)
    return state


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    # torch raises RuntimeError or AssertionError, by the kind of device that is missing.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"The device {name!r} cannot be used: {reason}") from error
    return device
