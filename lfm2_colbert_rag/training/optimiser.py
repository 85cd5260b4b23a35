"""The optimiser: Adam, without weight decay.

As ``torch.optim.AdamW`` computes it; but what is imported with that is torch's compiler, which is
not used here and takes as long to load as a sixth of a training.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

_BETAS, _EPSILON = (0.9, 0.999), 1e-8


class Adam:
    """Kingma and Ba, "Adam: a method for stochastic optimization", 2015.

    Args:
        parameters: what is learned.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        self._means = [torch.zeros_like(one) for one in parameters]
        self._squares = [torch.zeros_like(one) for one in parameters]
        self._steps = 0

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Follow the gradients, and forget them."""
        self._steps += 1
        first, second = _BETAS
        of_mean, of_square = 1 - first**self._steps, 1 - second**self._steps
        moments = zip(self._parameters, self._means, self._squares, strict=True)
        for parameter, mean, square in moments:
            gradient, parameter.grad = parameter.grad, None
            if gradient is None:
                continue
            mean.lerp_(gradient, 1 - first)
            square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
            below = (square / of_square).sqrt_().add_(_EPSILON)
            parameter.addcdiv_(mean, below, value=-learning_rate / of_mean)
