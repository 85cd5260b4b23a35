"""Which weights are trained; those of low rank; and the way back to the original.

The embedding table is never trained: most of its rows would never be met, and it is the largest
part of a small model, stored in as few bits as can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..encoder.torch_engine import TokenEmbedder
from .settings import Method

RANK, SCALE = 8, 2.0

_TABLE = "embed_tokens"


class LowRank(nn.Module):
    """A linear layer with a product of two thin matrices added to its own.

    Hu et al., "LoRA", 2021. It begins as the layer itself, since one of the two is zero.

    Args:
        base: the layer, which stays as it is.
        generator: of what is drawn.
    """

    def __init__(self, base: nn.Linear, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base
        drawn = torch.rand(RANK, base.in_features, generator=generator)
        bound = base.in_features**-0.5
        self.down = nn.Parameter(((2 * drawn - 1) * bound).to(base.weight.device))
        self.up = nn.Parameter(base.weight.new_zeros(base.out_features, RANK))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., in_features)`` to ``(..., out_features)``."""
        out: Tensor = self.base(x) + SCALE * F.linear(F.linear(x, self.down), self.up)
        return out

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """Return the layer with the product added to its weight."""
        self.base.weight += SCALE * self.up @ self.down
        return self.base


@dataclass(frozen=True, eq=False)
class Training:
    """A model prepared for training.

    Attributes:
        model: with gradients where something is learned.
        method: how.
        originals: the weights that will have changed, as they were, by name.
    """

    model: TokenEmbedder
    method: Method
    originals: Mapping[str, Tensor]

    @classmethod
    def of(cls, model: TokenEmbedder, method: Method, seed: int) -> Training:
        """Prepare a model, in place.

        Args:
            model: in float32.
            method: any but ``"query"``.
            seed: of matrices of low rank.
        """
        model.requires_grad_(False)
        changing = list(trained_names(model, method))
        state = model.state_dict()
        originals = {name: state[name].clone() for name in changing}
        if method == "lora":
            _insert(model, changing, seed)
        else:
            for name in changing:
                model.get_parameter(name).requires_grad_(True)
        return cls(model, method, originals)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is learned."""
        return [one for one in self.model.parameters() if one.requires_grad]

    @torch.no_grad()
    def finish(self, mix: float) -> Mapping[str, Tensor]:
        """End training: merge what was added, and go back some of the way to the original.

        Wortsman et al., "Robust fine-tuning of zero-shot models", 2022: half-way between the
        original and the trained weights most of the gain is there, and little is forgotten.

        Args:
            mix: 0 for the original weights, 1 for the trained ones.

        Returns:
            The weights that have changed, by name; the model has them, too.
        """
        if self.method == "lora":
            for name, module in list(self.model.named_modules()):
                if isinstance(module, LowRank):
                    _replace(self.model, name, module.merged())
        self.model.requires_grad_(False)
        state = self.model.state_dict()
        for name, original in self.originals.items():
            state[name].lerp_(original, 1 - mix)
        return {name: state[name] for name in self.originals}


def trained_names(model: TokenEmbedder, method: Method) -> Iterator[str]:
    """Yield the names of the weights that a method changes."""
    for name, parameter in model.named_parameters():
        if _TABLE in name:
            continue
        of_head = name.startswith("heads.")
        if method == "lora":
            # A projection has few numbers, and all of them weigh: rank 8 is nothing for it.
            chosen = not of_head and parameter.dim() == 2
        else:
            chosen = of_head or method == "layers"
        if chosen:
            yield name


def _insert(model: TokenEmbedder, names: list[str], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name in names:
        path = name.removesuffix(".weight")
        layer = model.get_submodule(path)
        assert isinstance(layer, nn.Linear)  # what has two dimensions, and is no table
        _replace(model, path, LowRank(layer, generator))


def _replace(model: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)
