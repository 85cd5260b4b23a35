"""The shapes of BERT and XLM-RoBERTa that a graph is written for.

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

PositionKind = Literal["from zero", "after padding"]

# ``model_type`` of transformers, and what goes before the names of tensors when a model was saved
# together with what it was trained for.
_PREFIXES: Mapping[str, str] = {
    "bert": "bert.",
    "roberta": "roberta.",
    "xlm-roberta": "roberta.",
}


@dataclass(frozen=True, kw_only=True)
class BertConfig:
    """Shape of a BERT, RoBERTa or XLM-RoBERTa backbone.

    Attributes:
        vocab_size: rows of the embedding table.
        hidden_size: width of the residual stream.
        feed_forward_size: inner width of the feed-forward.
        num_layers: how many layers there are.
        num_attention_heads: heads of each.
        activation: of the feed-forward.
        norm_eps: epsilon of every LayerNorm.
        position_rows: rows of the table of positions.
        token_types: rows of the table of token types; texts have the first.
        positions: ``"from zero"`` for BERT; ``"after padding"`` counts from the row after that of
            the padding token, and leaves padding tokens out.
        padding_id: the padding token.
        prefix: what the names of tensors may begin with.
    """

    vocab_size: int
    hidden_size: int
    feed_forward_size: int
    num_layers: int
    num_attention_heads: int
    activation: ForeignActivation = "gelu"
    norm_eps: float = 1e-12
    position_rows: int = 512
    token_types: int = 2
    positions: PositionKind = "from zero"
    padding_id: int = 0
    prefix: str = ""

    def __post_init__(self) -> None:
        """Refuse shapes that no such backbone can have."""
        sizes = ("vocab_size", "hidden_size", "feed_forward_size", "num_layers")
        require_positive(self, *sizes, "num_attention_heads", "position_rows", "token_types")
        require_heads(self.hidden_size, self.num_attention_heads)
        if self.num_layers > MOST_LAYERS:
            raise ModelFormatError(
                f"num_hidden_layers must be 1 to {MOST_LAYERS}, not {self.num_layers}."
            )
        if self.activation not in ACTIVATIONS.values():
            raise ModelFormatError(f"activation {self.activation!r} is not supported.")
        if self.longest_input <= 0:
            raise ModelFormatError(
                f"max_position_embeddings is {self.position_rows}, which leaves no position after "
                f"that of the padding token {self.padding_id}."
            )

    @property
    def longest_input(self) -> int:
        """Positions that a text may have."""
        after = self.positions == "after padding"
        return self.position_rows - (self.padding_id + 1 if after else 0)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> BertConfig | None:
        """Read a Hugging Face ``config.json``, of transformers 4 or 5.

        Returns:
            None for another architecture, and for a decoder, another kind of positions or another
            activation, which ``transformers`` may know.

        Raises:
            ModelFormatError: a size is of the wrong type, or impossible.
        """
        kind = str(config.get("model_type"))
        activation = ACTIVATIONS.get(str(config.get("hidden_act", "gelu")))
        decoder = config.get("is_decoder") or config.get("add_cross_attention")
        usual = config.get("position_embedding_type") in (None, "absolute")
        if kind not in _PREFIXES or activation is None or decoder or not usual:
            return None
        # What is left out has the defaults of transformers.
        return cls(
            vocab_size=whole_number(config, "vocab_size"),
            hidden_size=whole_number(config, "hidden_size"),
            feed_forward_size=whole_number(config, "intermediate_size", 3072),
            num_layers=whole_number(config, "num_hidden_layers", 12),
            num_attention_heads=whole_number(config, "num_attention_heads", 12),
            activation=activation,
            norm_eps=float(config.get("layer_norm_eps", 1e-12)),
            position_rows=whole_number(config, "max_position_embeddings", 512),
            token_types=whole_number(config, "type_vocab_size", 2),
            positions="from zero" if kind == "bert" else "after padding",
            padding_id=whole_number(config, "pad_token_id", 0 if kind == "bert" else 1),
            prefix=_PREFIXES[kind],
        )
