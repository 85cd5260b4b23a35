"""Tensors of a checkpoint into torch modules, without a second copy of them in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ..errors import ModelFormatError
from .weights import StoredTensor


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
        ModelFormatError: tensors are missing, unexpected, or of the wrong shape.
    """
    _check_tensors(module, stored, folder)
    state = _read_tensors(module.state_dict(), stored, device, dtype)
    module.load_state_dict(state, strict=True, assign=True)


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
