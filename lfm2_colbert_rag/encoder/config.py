"""What a checkpoint says of itself: the shape of the backbone and the framing of its texts.

Plain validated data classes: reading them needs neither torch nor a tokenizer.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..errors import ModelFormatError
from .foreign_values import MOST_LAYERS
from .transformers_config import TransformersConfig

LayerKind = Literal["conv", "full_attention"]
MaskedPositions = Literal["kept", "zeroed"]

# Architecture names that mean "no causal mask, centred convolution". The published LFM2.5 config
# says ``model_type: lfm2`` like the causal model, so the architecture alone decides.
BIDIRECTIONAL_ARCHITECTURES = frozenset({"Lfm2BidirectionalModel"})
CAUSAL_ARCHITECTURES = frozenset({"Lfm2Model", "Lfm2ForCausalLM"})


LONGEST_TEXT = 1 << 20

NORMAL_FORM: Literal["NFC"] = "NFC"
"""The form of Unicode in which every encoder reads texts."""


@dataclass(frozen=True, kw_only=True)
class Lfm2Config:
    """Shape of an LFM2 backbone.

    Attributes:
        vocab_size: rows of the embedding table.
        hidden_size: width of the residual stream.
        feed_forward_size: inner width of the feed-forward, after the published rounding rule.
        layer_types: ``"conv"`` or ``"full_attention"`` for each layer.
        num_attention_heads: query heads.
        num_key_value_heads: key/value heads; divides ``num_attention_heads``.
        conv_kernel: positions that the short convolution sees (``conv_L_cache``).
        conv_bias: whether the convolution and its projections carry biases.
        norm_eps: epsilon of every RMSNorm.
        rope_theta: base of the rotary frequencies.
        bidirectional: False for LFM2, True for LFM2.5.
    """

    vocab_size: int
    hidden_size: int
    feed_forward_size: int
    layer_types: tuple[LayerKind, ...]
    num_attention_heads: int
    num_key_value_heads: int
    conv_kernel: int = 3
    conv_bias: bool = False
    norm_eps: float = 1e-5
    rope_theta: float = 1_000_000.0
    bidirectional: bool = False

    def __post_init__(self) -> None:
        """Refuse shapes that no LFM2 backbone can have."""
        for name in ("vocab_size", "hidden_size", "feed_forward_size", "conv_kernel"):
            if getattr(self, name) <= 0:
                raise ModelFormatError(f"{name} must be positive, not {getattr(self, name)}.")
        if self.hidden_size % self.num_attention_heads:
            raise ModelFormatError(
                f"hidden_size {self.hidden_size} is not a multiple of "
                f"num_attention_heads {self.num_attention_heads}."
            )
        if self.num_attention_heads % self.num_key_value_heads:
            raise ModelFormatError(
                f"num_attention_heads {self.num_attention_heads} is not a multiple of "
                f"num_key_value_heads {self.num_key_value_heads}."
            )
        unknown = set(self.layer_types) - {"conv", "full_attention"}
        if unknown or not self.layer_types:
            raise ModelFormatError(
                f"layer_types must be 'conv' or 'full_attention' for each layer; got "
                f"{sorted(unknown) or 'none'}."
            )

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
    def from_dict(cls, config: Mapping[str, Any]) -> Lfm2Config:
        """Read a Hugging Face ``config.json``, of transformers 4 or 5.

        Raises:
            ModelFormatError: the architecture is not LFM2, or a size is missing or impossible.
        """
        try:
            return cls(
                vocab_size=config["vocab_size"],
                hidden_size=config["hidden_size"],
                feed_forward_size=_feed_forward_size(config),
                layer_types=_layer_types(config),
                num_attention_heads=config["num_attention_heads"],
                num_key_value_heads=config["num_key_value_heads"],
                conv_kernel=config.get("conv_L_cache", 3),
                conv_bias=config.get("conv_bias", False),
                norm_eps=config.get("norm_eps", 1e-5),
                rope_theta=_rope_theta(config),
                bidirectional=_is_bidirectional(config),
            )
        except KeyError as error:
            raise ModelFormatError(f"config.json has no {error.args[0]!r}.") from None
        except ModelFormatError:
            raise
        except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise ModelFormatError(
                f"config.json has a value of the wrong type: {error}."
            ) from error


def _architectures(config: Mapping[str, Any]) -> set[str]:
    remote = (config.get("auto_map") or {}).get("AutoModel", "")
    return {*(config.get("architectures") or ()), str(remote).rpartition(".")[2]}


def _is_bidirectional(config: Mapping[str, Any]) -> bool:
    names = _architectures(config)
    if names & BIDIRECTIONAL_ARCHITECTURES:
        return True
    if names & CAUSAL_ARCHITECTURES:
        return False
    raise ModelFormatError(
        f"config.json names the architectures {sorted(n for n in names if n)}; "
        f"this backbone runs {sorted(CAUSAL_ARCHITECTURES | BIDIRECTIONAL_ARCHITECTURES)}."
    )


def _feed_forward_size(config: Mapping[str, Any]) -> int:
    """Apply the rounding rule of LFM2: 6656 becomes 4608 for the 350M model."""
    size = config.get("block_ff_dim") or config["intermediate_size"]
    if not config.get("block_auto_adjust_ff_dim", True):
        return int(size)
    size = int(2 * size / 3)
    multiplier = config.get("block_ffn_dim_multiplier")
    if multiplier is not None:
        size = int(multiplier * size)
    multiple = config.get("block_multiple_of", 256)
    return int(multiple * ((size + multiple - 1) // multiple))


def _layer_types(config: Mapping[str, Any]) -> tuple[LayerKind, ...]:
    if config.get("layer_types"):
        return tuple(config["layer_types"])
    count = config["num_hidden_layers"]
    if type(count) is not int or not 0 < count <= MOST_LAYERS:
        raise ModelFormatError(f"num_hidden_layers must be 1 to {MOST_LAYERS}, not {count!r:.40}.")
    attention = config.get("full_attn_idxs")
    attention = range(count) if attention is None else attention
    return tuple("full_attention" if i in attention else "conv" for i in range(count))


def _rope_theta(config: Mapping[str, Any]) -> float:
    parameters = config.get("rope_parameters") or {}
    kind = parameters.get("rope_type", "default")
    if kind != "default":
        raise ModelFormatError(f"rope_type {kind!r} is not supported; LFM2 uses 'default'.")
    return float(parameters.get("rope_theta", config.get("rope_theta", 1_000_000.0)))


BackboneConfig: TypeAlias = Lfm2Config | TransformersConfig


def read_backbone(folder: Path, config: Mapping[str, Any]) -> BackboneConfig:
    """Tell the two kinds of backbones apart, LFM2 and what ``transformers`` knows; read that one.

    Args:
        folder: where the ``config.json`` lies.
        config: its contents.

    Raises:
        ModelFormatError: see ``from_dict`` of the two.
    """
    ours = _architectures(config) & (CAUSAL_ARCHITECTURES | BIDIRECTIONAL_ARCHITECTURES)
    if ours or config.get("model_type") == "lfm2":
        return Lfm2Config.from_dict(config)
    return TransformersConfig.from_dict(folder, config)


@dataclass(frozen=True, kw_only=True)
class FramingConfig:
    """How a text becomes token ids, and which positions keep a vector.

    Attributes:
        query_prefix: marker put after the first token of a query; several tokens where the
            tokenizer of a sentence-transformers model does not know it as one.
        document_prefix: the same for a document.
        query_length: positions of a query, markers included; with expansion always exactly this.
        document_length: positions of a document at most, markers included.
        query_expansion: pad queries to ``query_length`` with scored end-of-sequence tokens.
        attend_to_expansion_tokens: whether other positions may attend to those.
        expansion_token: the token that queries are padded with; None takes the tokenizer's mask
            token, else its end-of-sequence token, else its padding token.
        skiplist: words whose tokens get no vector in a document.
        masked_positions: ``"kept"`` leaves expansion tokens visible to the convolutions, as in
            training; ``"zeroed"`` blanks them, as recent versions of transformers do. It concerns
            LFM2 backbones only: others have no convolutions.
        lower_case: whether texts are put in lower case before they are tokenized.
    """

    query_prefix: str = "[Q] "
    document_prefix: str = "[D] "
    query_length: int = 32
    document_length: int = 512
    query_expansion: bool = True
    attend_to_expansion_tokens: bool = False
    expansion_token: str | None = None
    skiplist: tuple[str, ...] = field(default=tuple(string.punctuation))
    masked_positions: MaskedPositions = "kept"
    lower_case: bool = False

    def __post_init__(self) -> None:
        """Refuse lengths that leave no room for text, and unknown options."""
        for name in ("query_length", "document_length"):
            if not 4 <= getattr(self, name) <= LONGEST_TEXT:
                raise ModelFormatError(
                    f"{name} must be at least 4 and at most {LONGEST_TEXT:,}, not "
                    f"{getattr(self, name)}."
                )
        if self.masked_positions not in ("kept", "zeroed"):
            raise ModelFormatError(
                f"masked_positions must be 'kept' or 'zeroed', not {self.masked_positions!r}."
            )

    @property
    def longest_input(self) -> int:
        """Positions that a backbone must be able to take."""
        return max(self.query_length, self.document_length)
