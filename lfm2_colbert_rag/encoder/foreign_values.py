"""Values of a ``config.json`` that the shapes of several architectures have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..errors import ModelFormatError

MOST_LAYERS = 1000
"""Far beyond any model."""

ForeignActivation = Literal["gelu", "gelu_tanh", "relu", "silu"]

ACTIVATIONS: Mapping[str, ForeignActivation] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
"""Names that ``transformers`` gives to the activations that a graph has."""


def whole_number(config: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """Return ``config[key]``, or the default where it is absent or null.

    Raises:
        ModelFormatError: it is no whole number, or there is neither it nor a default.
    """
    value = config.get(key)
    value = default if value is None else value
    if type(value) is not int or value < 0:
        raise ModelFormatError(f"config.json must hold a whole number {key!r}, not {value!r:.40}.")
    return value


def require_positive(config: object, *names: str) -> None:
    """Refuse sizes that are zero or less.

    Raises:
        ModelFormatError: naming the first.
    """
    for name in names:
        if getattr(config, name) <= 0:
            raise ModelFormatError(f"{name} must be positive, not {getattr(config, name)}.")


def require_heads(hidden_size: int, num_attention_heads: int) -> None:
    """Refuse heads of unequal widths.

    Raises:
        ModelFormatError: the width is no multiple of their number.
    """
    if hidden_size % num_attention_heads:
        raise ModelFormatError(
            f"hidden_size {hidden_size} is not a multiple of num_attention_heads "
            f"{num_attention_heads}."
        )
