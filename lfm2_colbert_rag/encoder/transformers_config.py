"""Backbones other than LFM2: what ``transformers`` needs to run them, and the shape of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import ModelFormatError
from .bert_config import BertConfig
from .modernbert_config import ModernBertConfig

ForeignShape: TypeAlias = BertConfig | ModernBertConfig

_ADAPTER = "adapter_config.json"
_PLAIN = ("bert", "roberta", "xlm-roberta")


@dataclass(frozen=True, kw_only=True)
class TransformersConfig:
    """A backbone that the ``transformers`` library knows: BERT, XLM-R, ModernBERT and others.

    Attributes:
        folder: where its ``config.json`` and weights are.
        model_type: the name that ``transformers`` knows the architecture by.
        vocab_size: rows of the embedding table.
        hidden_size: width of a hidden state.
        max_positions: what the configuration says of the longest input, which for some
            architectures is a few more than that; None where it says nothing.
        pad_token_id: the token that fills short texts of a batch up; architectures that number
            their positions by it leave it out.
        token_types: whether the backbone embeds token types, which are 0 for all of a text.
        shape: what a graph of it is written from; None where ``transformers`` alone can run it.
    """

    folder: Path
    model_type: str
    vocab_size: int
    hidden_size: int
    max_positions: int | None = None
    pad_token_id: int = 0
    token_types: bool = False
    shape: ForeignShape | None = None

    @classmethod
    def from_dict(cls, folder: Path, config: Mapping[str, Any]) -> TransformersConfig:
        """Read a Hugging Face ``config.json``.

        Args:
            folder: where it lies.
            config: its contents.

        Raises:
            ModelFormatError: it names no architecture, or one that code of its own computes, or a
                size is missing or impossible; or the folder holds an adapter.
        """
        if (folder / _ADAPTER).exists():
            raise ModelFormatError(
                f"{folder} holds an adapter ({_ADAPTER}), which is not supported. Merge it "
                "into the model where you trained it, and save that."
            )
        model_type = config.get("model_type")
        if not model_type or not isinstance(model_type, str):
            raise ModelFormatError(
                f"{folder / 'config.json'} has no 'model_type', so it names no architecture."
            )
        # Both libraries would read such a configuration as that of a plain model, and say nothing.
        if model_type in _PLAIN and config.get("position_embedding_type") == "rotary":
            raise ModelFormatError(
                f"{folder / 'config.json'} names a {model_type!r} with rotary positions, which "
                "only code of the checkpoint's author computes, as that of jina-colbert-v2; code "
                "that comes with a checkpoint is never run. Choose a checkpoint of plain BERT, "
                "XLM-RoBERTa or ModernBERT."
            )
        # Architectures spell their width differently; transformers maps them in code.
        return cls(
            folder=folder,
            model_type=model_type,
            vocab_size=_size(folder, config, ("vocab_size",)),
            hidden_size=_size(folder, config, ("hidden_size", "d_model", "dim", "n_embd")),
            max_positions=_limit(config, ("max_position_embeddings", "n_positions")),
            pad_token_id=_limit(config, ("pad_token_id",)) or 0,
            token_types=bool(_limit(config, ("type_vocab_size",))),
            shape=BertConfig.from_dict(config) or ModernBertConfig.from_dict(config),
        )

    def require_positions(self, longest_input: int, positions: int) -> None:
        """Refuse texts that are longer than what the backbone can take.

        Args:
            longest_input: positions that the checkpoint asks for.
            positions: those that the backbone has.

        Raises:
            ModelFormatError: they are fewer.
        """
        if longest_input > positions:
            raise ModelFormatError(
                f"The checkpoint asks for texts of {longest_input} positions, but its "
                f"{self.model_type!r} backbone has {positions}. Lower query_length and "
                "document_length in its configuration."
            )


def _size(folder: Path, config: Mapping[str, Any], names: tuple[str, ...]) -> int:
    size = next((config[name] for name in names if config.get(name) is not None), None)
    if type(size) is not int or size <= 0:
        raise ModelFormatError(
            f"{folder / 'config.json'} must hold a positive {' or '.join(map(repr, names))}; it "
            f"says {size!r}. A model of type {config['model_type']!r} may not be one of text alone."
        )
    return size


def _limit(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    limit = next((config[name] for name in names if config.get(name) is not None), None)
    return limit if type(limit) is int and limit >= 0 else None
