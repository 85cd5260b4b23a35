"""A checkpoint folder, read and checked without loading its weights, torch or a tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import LFM2ColBERTError, ModelFormatError
from .bert_config import BertConfig
from .config import (
    NORMAL_FORM,
    BackboneConfig,
    FramingConfig,
    Lfm2Config,
    MaskedPositions,
    read_backbone,
)
from .hub import resolve_model
from .jsonfiles import read_json
from .layouts import DenseHead, Layout, read_framing, read_modules
from .model_files import require_file
from .protocol import Fingerprint
from .transformers_config import ForeignShape, TransformersConfig
from .weights import StoredTensor, digest, find_weight_files, stored_tensors

__all__ = ["Checkpoint", "DenseHead", "SpecialTokens", "StoredTensor", "resolve_model"]


EXPORT_FILE = "onnx/export.json"
"""In a model exported for ONNX Runtime: the hash of the weights it was made from, and its dtype."""


@dataclass(frozen=True)
class SpecialTokens:
    """Tokens with a part to play, as their text or id; None where there is none.

    Attributes:
        mask: the first that query expansion may pad with.
        eos: the second: the end of a sequence.
        pad: the third: padding.
        unk: what a word of the skiplist means that the tokenizer lacks; None where such words mean
            nothing.
    """

    mask: str | int | None = None
    eos: str | int | None = None
    pad: str | int | None = None
    unk: str | int | None = None


@dataclass(frozen=True)
class Checkpoint:
    """Everything a folder says of a late-interaction model.

    Attributes:
        folder: where it is.
        layout: which library wrote it.
        backbone: shape and direction of an LFM2 backbone, or what ``transformers`` is to run.
        framing: how texts become token ids.
        heads: the projections to token vectors, in order; their widths chain.
        tokenizer_file: its ``tokenizer.json``.
        special_tokens: mask, end-of-sequence, padding and unknown tokens.
        backbone_files: safetensors files of the backbone; none in an exported model.
        head_files: safetensors files of each projection; none in an exported model.
        exported: what an exported model says of itself; empty for a checkpoint.
    """

    folder: Path
    layout: Layout
    backbone: BackboneConfig
    framing: FramingConfig
    heads: tuple[DenseHead, ...]
    tokenizer_file: Path
    special_tokens: SpecialTokens
    backbone_files: tuple[Path, ...]
    head_files: tuple[tuple[Path, ...], ...]
    exported: Mapping[str, Any]

    @classmethod
    def read(
        cls, folder: str | Path, *, masked_positions: MaskedPositions | None = None
    ) -> Checkpoint:
        """Read a folder in the layout of PyLate or of sentence-transformers 6.

        Args:
            folder: the checkpoint.
            masked_positions: overrides what the checkpoint says of query expansion and the
                convolutions; see :class:`~lfm2_colbert_rag.encoder.config.FramingConfig`. Means
                nothing to backbones other than LFM2.

        Raises:
            ModelFormatError: a file is missing or malformed, or asks for what is not supported;
                the message says which and what to do.
        """
        try:
            return cls._read(Path(folder), masked_positions)
        except LFM2ColBERTError:
            raise
        # These files have hundreds of keys, and any of them may be of any type.
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ModelFormatError(
                f"A configuration file of {folder} holds a value that cannot be "
                f"({type(error).__name__}: {error}). Download the model again."
            ) from error

    @classmethod
    def _read(cls, folder: Path, masked_positions: MaskedPositions | None) -> Checkpoint:
        modules = read_modules(folder)
        framing = read_framing(folder, modules)
        exported = read_json(folder / EXPORT_FILE, required=False)
        root = modules.transformer
        backbone_config = read_json(root / "config.json")
        backbone = read_backbone(root, backbone_config)
        if isinstance(backbone, TransformersConfig):
            masked_positions = FramingConfig.masked_positions
        if masked_positions is not None:
            framing = replace(framing, masked_positions=masked_positions)
        _check_widths(modules.heads, backbone.hidden_size)
        tokenizer_file = root / "tokenizer.json"
        if not tokenizer_file.is_file():
            raise ModelFormatError(
                f"{root} has no tokenizer.json. Save the tokenizer again as a fast tokenizer."
            )
        require_file(tokenizer_file)
        return cls(
            folder=folder,
            layout=modules.layout,
            backbone=backbone,
            framing=framing,
            heads=modules.heads,
            tokenizer_file=tokenizer_file,
            special_tokens=_special_tokens(root, backbone_config, modules.layout),
            backbone_files=() if exported else find_weight_files(root),
            head_files=()
            if exported
            else tuple(find_weight_files(head.folder) for head in modules.heads),
            exported=exported,
        )

    @property
    def dim(self) -> int:
        """Width of a token vector."""
        return self.heads[-1].out_features

    @property
    def architecture(self) -> str:
        """``"causal"`` or ``"bidirectional"`` for LFM2; else what ``transformers`` calls it."""
        if isinstance(self.backbone, TransformersConfig):
            return self.backbone.model_type
        return "bidirectional" if self.backbone.bidirectional else "causal"

    @property
    def is_lfm2(self) -> bool:
        """Whether the backbone is our own, and not one of ``transformers``."""
        return isinstance(self.backbone, Lfm2Config)

    @property
    def has_graph(self) -> bool:
        """Whether the backbone is one that runs without torch."""
        return isinstance(self.backbone, Lfm2Config) or self.backbone.shape is not None

    @property
    def graph_config(self) -> Lfm2Config | ForeignShape:
        """What the graph of a backbone that runs without torch is written from.

        Raises:
            ModelFormatError: the backbone is another, or the checkpoint asks for longer texts than
                it can take.
        """
        backbone = self.backbone
        if isinstance(backbone, Lfm2Config):
            return backbone
        if backbone.shape is None:
            raise ModelFormatError(
                f"The {backbone.model_type!r} backbone of {self.folder} cannot run without torch; "
                "LFM2, BERT, XLM-RoBERTa and ModernBERT can, in their usual forms. Pass "
                "engine='torch'; it needs: pip install \"lfm2-colbert-rag[torch]\""
            )
        if isinstance(backbone.shape, BertConfig):
            backbone.require_positions(self.framing.longest_input, backbone.shape.longest_input)
        return backbone.shape

    def backbone_tensors(self) -> Mapping[str, StoredTensor]:
        """Describe the backbone's tensors, by name without any prefix."""
        prefix = self.graph_config.prefix if self.has_graph else ""
        return stored_tensors(self.backbone_files, prefix)

    def head_tensors(self) -> tuple[Mapping[str, StoredTensor], ...]:
        """Describe the tensors of each projection.

        Returns:
            For each head ``linear.weight`` and, where it has them, ``linear.bias`` and
            ``residual.weight``.
        """
        return tuple(stored_tensors(files) for files in self.head_files)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Everything that decides the vectors, wherever the folder is.

        The precision of the arithmetic is not part of it: vectors are always float32, and an
        index may be filled on a GPU in bfloat16 and searched on a CPU in float32.
        """
        framing = self.framing
        weights = self.exported.get("weights") or digest(
            (*self.backbone_files, *chain(*self.head_files), self.tokenizer_file)
        )
        fingerprint: dict[str, str | int | float | bool | None] = {
            "kind": "lfm2-colbert",
            "weights": weights,
            "architecture": self.architecture,
            "dim": self.dim,
            "query_prefix": framing.query_prefix,
            "document_prefix": framing.document_prefix,
            "query_length": framing.query_length,
            "document_length": framing.document_length,
            "query_expansion": framing.query_expansion,
            "attend_to_expansion_tokens": framing.attend_to_expansion_tokens,
            "expansion_token": framing.expansion_token,
            "skiplist": json.dumps(framing.skiplist, ensure_ascii=False),
            "masked_positions": framing.masked_positions,
            "normal_form": NORMAL_FORM,
            "vectors": "float32",
        }
        # Said only where it is not the usual, so that indexes made before it could be run still
        # open.
        if len(self.heads) > 1 or not self.heads[0].is_plain:
            fingerprint["heads"] = json.dumps([_describe(head) for head in self.heads])
        if framing.lower_case:
            fingerprint["lower_case"] = True
        return fingerprint


def _describe(head: DenseHead) -> list[str | int | bool]:
    return [head.in_features, head.out_features, head.bias, head.activation, head.residual]


def _check_widths(heads: Sequence[DenseHead], width: int) -> None:
    giver = "backbone"
    for head in heads:
        if head.in_features != width:
            raise ModelFormatError(
                f"The Dense of {head.folder} takes {head.in_features} features, but the {giver} "
                f"gives {width}."
            )
        giver, width = f"Dense of {head.folder}", head.out_features


def _special_tokens(
    folder: Path, backbone_config: Mapping[str, Any], layout: Layout
) -> SpecialTokens:
    config = {
        **read_json(folder / "special_tokens_map.json", required=False),
        **read_json(folder / "tokenizer_config.json", required=False),
    }
    for side in ("padding_side", "truncation_side"):
        if config.get(side, "right") != "right":
            raise ModelFormatError(
                f"{folder / 'tokenizer_config.json'} sets {side}={config[side]!r}; supported is "
                "'right'."
            )
    if not config:
        return _undescribed_tokens(folder, backbone_config, layout)
    return SpecialTokens(
        mask=_token_text(config.get("mask_token")),
        eos=_token_text(config.get("eos_token")),
        pad=_token_text(config.get("pad_token")),
        # PyLate looks words up as transformers does, so one that is not a token skips all that are
        # unknown; sentence-transformers leaves it out.
        unk=_token_text(config.get("unk_token")) if layout == "pylate" else None,
    )


def _undescribed_tokens(
    folder: Path, backbone_config: Mapping[str, Any], layout: Layout
) -> SpecialTokens:
    """Guess the special tokens where nothing but ``tokenizer.json`` is there."""
    eos = backbone_config.get("eos_token_id")
    eos = eos[0] if isinstance(eos, list) and eos else eos
    added = read_json(folder / "tokenizer.json").get("added_tokens")
    added = added if isinstance(added, list) else []
    known = {token.get("content") for token in added if isinstance(token, dict)}
    return SpecialTokens(
        mask=next((name for name in ("[MASK]", "<mask>") if name in known), None),
        eos=eos if isinstance(eos, int) else None,
        unk=next((name for name in ("[UNK]", "<unk>") if name in known), None)
        if layout == "pylate"
        else None,
    )


def _token_text(token: object) -> str | None:
    """Read a token saved as its text, or as an object that also says how it is matched."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None
