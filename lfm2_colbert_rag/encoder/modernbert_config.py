"""The shape of ModernBERT that a graph is written for.

What a graph does not know is no error here: ``from_dict`` returns None, and ``transformers`` runs
the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import ModelFormatError
from .foreign_values import (
    ACTIVATIONS,
    MOST_LAYERS,
    ForeignActivation,
    require_heads,
    require_positive,
    whole_number,
)

AttentionKind = Literal["full_attention", "sliding_attention"]

_THETA: Mapping[AttentionKind, float] = {
    "full_attention": 160_000.0,
    "sliding_attention": 10_000.0,
}
_OLD_THETA: Mapping[AttentionKind, str] = {
    "full_attention": "global_rope_theta",
    "sliding_attention": "local_rope_theta",
}


@dataclass(frozen=True, kw_only=True)
class ModernBertConfig:
    """Shape of a ModernBERT backbone.

    Attributes:
        vocab_size: rows of the embedding table.
        hidden_size: width of the residual stream.
        feed_forward_size: inner width of the gated feed-forward.
        layer_types: for each layer whether its attention sees all positions, or those near by.
        num_attention_heads: heads of each layer; their width is even.
        activation: of the gate.
        norm_eps: epsilon of every LayerNorm.
        norm_bias: whether LayerNorms carry biases.
        attention_bias: whether the matrices of attention do.
        feed_forward_bias: whether those of the feed-forward do.
        reach: how many positions a sliding layer sees on either side.
        global_theta: base of the rotary frequencies of layers that see all.
        local_theta: of those that slide.
    """

    vocab_size: int
    hidden_size: int
    feed_forward_size: int
    layer_types: tuple[AttentionKind, ...]
    num_attention_heads: int
    activation: ForeignActivation = "gelu"
    norm_eps: float = 1e-5
    norm_bias: bool = False
    attention_bias: bool = False
    feed_forward_bias: bool = False
    reach: int = 64
    global_theta: float = _THETA["full_attention"]
    local_theta: float = _THETA["sliding_attention"]

    def __post_init__(self) -> None:
        """Refuse shapes that no such backbone can have."""
        sizes = ("vocab_size", "hidden_size", "feed_forward_size", "num_attention_heads")
        require_positive(self, *sizes, "reach", "global_theta", "local_theta")
        require_heads(self.hidden_size, self.num_attention_heads)
        if self.head_dim % 2:
            raise ModelFormatError(
                f"attention heads must have an even width to be rotated, not {self.head_dim}."
            )
        unknown = sorted(map(str, set(self.layer_types) - set(_THETA)))
        if unknown or not 0 < len(self.layer_types) <= MOST_LAYERS:
            raise ModelFormatError(
                f"layer_types must be 'full_attention' or 'sliding_attention' for each of 1 to "
                f"{MOST_LAYERS} layers; got {unknown or len(self.layer_types)}."
            )
        if self.activation not in ACTIVATIONS.values():
            raise ModelFormatError(f"activation {self.activation!r} is not supported.")

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def num_layers(self) -> int:
        """How many layers there are."""
        return len(self.layer_types)

    @property
    def prefix(self) -> str:
        """What the names of tensors may begin with."""
        return "model."

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> ModernBertConfig | None:
        """Read a Hugging Face ``config.json``, of transformers 4 or 5.

        Returns:
            None for another architecture, another activation, and rotary positions that are
            scaled, which ``transformers`` may know.

        Raises:
            ModelFormatError: a size is of the wrong type, or impossible.
        """
        activation = ACTIVATIONS.get(str(config.get("hidden_activation", "gelu")))
        scaled = config.get("rope_scaling") or any(
            _rope(config, kind).get("rope_type", "default") != "default" for kind in _THETA
        )
        if config.get("model_type") != "modernbert" or activation is None or scaled:
            return None
        # What is left out has the defaults of transformers.
        return cls(
            vocab_size=whole_number(config, "vocab_size"),
            hidden_size=whole_number(config, "hidden_size"),
            feed_forward_size=whole_number(config, "intermediate_size", 1152),
            layer_types=_layer_types(config),
            num_attention_heads=whole_number(config, "num_attention_heads", 12),
            activation=activation,
            norm_eps=float(config.get("norm_eps", 1e-5)),
            norm_bias=bool(config.get("norm_bias")),
            attention_bias=bool(config.get("attention_bias")),
            feed_forward_bias=bool(config.get("mlp_bias")),
            reach=whole_number(config, "local_attention", 128) // 2,
            global_theta=_theta(config, "full_attention"),
            local_theta=_theta(config, "sliding_attention"),
        )


def _layer_types(config: Mapping[str, Any]) -> tuple[AttentionKind, ...]:
    if config.get("layer_types"):
        return tuple(config["layer_types"])
    every = whole_number(config, "global_attn_every_n_layers", 3)
    count = whole_number(config, "num_hidden_layers", 22)
    if not 0 < count <= MOST_LAYERS or every <= 0:
        raise ModelFormatError(
            f"num_hidden_layers must be 1 to {MOST_LAYERS} and global_attn_every_n_layers 1 or "
            f"more, not {count} and {every}."
        )
    return tuple("sliding_attention" if i % every else "full_attention" for i in range(count))


def _rope(config: Mapping[str, Any], kind: AttentionKind) -> Mapping[str, Any]:
    return (config.get("rope_parameters") or {}).get(kind) or {}


def _theta(config: Mapping[str, Any], kind: AttentionKind) -> float:
    """Read a base as transformers 5 writes it, or as version 4 did."""
    theta = _rope(config, kind).get("rope_theta", config.get(_OLD_THETA[kind], _THETA[kind]))
    # In version 4 sliding layers without a base of their own had that of the others.
    return float(_theta(config, "full_attention") if theta is None else theta)
