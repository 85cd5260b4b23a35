"""Projections from hidden states to token vectors, in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from .layouts import Activation, DenseHead

# With torch's defaults, as both libraries make them.
_FUNCTIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "tanh": F.tanh,
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "sigmoid": F.sigmoid,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "mish": F.mish,
    "softplus": F.softplus,
}


class Head(nn.Module):
    """One projection, with the tensor names of both layouts.

    Args:
        config: its sizes, activation and residual.
    """

    def __init__(self, config: DenseHead) -> None:
        super().__init__()
        self.linear = nn.Linear(config.in_features, config.out_features, bias=config.bias)
        self.has_residual = config.residual
        self.residual: nn.Module = nn.Identity()
        if config.residual and config.in_features != config.out_features:
            self.residual = nn.Linear(config.in_features, config.out_features, bias=False)
        self._activate = _FUNCTIONS.get(config.activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., in_features)`` to ``(..., out_features)``."""
        out: Tensor = self.linear(x)
        if self._activate is not None:
            out = self._activate(out)
        return out + self.residual(x) if self.has_residual else out
