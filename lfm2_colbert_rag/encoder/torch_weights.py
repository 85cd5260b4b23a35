"""Tensors of a checkpoint into torch modules, without a second copy of them in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..errors import ModelFormatError
from .weights import StoredTensor, check_tensors, read_array, require_finite


def load_tensors(
    module: nn.Module,
    stored: Mapping[str, StoredTensor],
    folder: Path,
    *,
    device: torch.device,
    dtype: torch.dtype,
) -> None:
    """Read the weights of a module straight to where they will be used.

    Args:
        module: on the meta device: its own tensors have shapes, but no memory.
        stored: what the checkpoint holds for it, by the module's own names.
        folder: the checkpoint, for the error.
        device: where to.
        dtype: in which precision.

    Raises:
        ModelFormatError: tensors are missing, unexpected, of the wrong shape, or not finite.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    check_tensors(stored, wanted, folder)
    try:
        state = _read_tensors(module.state_dict(), stored, device, dtype)
    except SafetensorError as error:
        raise ModelFormatError(
            f"The weights of {folder} cannot be read ({error}). Download the model again."
        ) from error
    module.load_state_dict(state, strict=True, assign=True)


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
                if tensor.scale_key is None:
                    value = opened.get_tensor(tensor.key)
                    require_finite(tensor, is_finite(value))
                else:
                    value = torch.from_numpy(read_array(tensor))
                state[name] = value.to(device=device, dtype=dtype)
    return state


def is_finite(values: Tensor) -> bool:
    """Tell whether there is no NaN and no infinity; in one pass, without a copy."""
    if not values.numel() or not values.is_floating_point():
        return True
    return bool(torch.isfinite(torch.stack(torch.aminmax(values))).all())
