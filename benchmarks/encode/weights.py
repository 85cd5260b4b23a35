"""Random weights of the shape of an LFM2 model, as safetensors."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lfm2_colbert_rag.encoder.config import Lfm2Config

_CONV, _ATTENTION = "conv", "full_attention"


@dataclass(frozen=True)
class Shape:
    """Sizes of a backbone and its projection; by default those of LFM2-ColBERT-350M.

    Attributes:
        hidden: width of the residual stream.
        feed_forward: inner width of the feed-forward.
        layers: kind of each layer.
        heads: query heads.
        key_value_heads: key and value heads.
        dim: width of a token vector.
    """

    hidden: int = 1024
    feed_forward: int = 4608
    layers: tuple[str, ...] = (
        *(_CONV, _CONV, _ATTENTION) * 3,
        *(_CONV, _ATTENTION) * 3,
        _CONV,
    )
    heads: int = 16
    key_value_heads: int = 8
    dim: int = 128

    def config(self, vocabulary: int) -> Lfm2Config:
        """Return the backbone that it is."""
        return Lfm2Config(
            vocab_size=vocabulary, hidden_size=self.hidden, feed_forward_size=self.feed_forward,
            layer_types=self.layers, num_attention_heads=self.heads,
            num_key_value_heads=self.key_value_heads,
        )  # fmt: skip

    def tensors(self, vocabulary: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the name and shape of each tensor of the backbone."""
        wide, inner = self.hidden, self.feed_forward
        head = wide // self.heads
        narrow = head * self.key_value_heads
        yield "embed_tokens.weight", (vocabulary, wide)
        for place, kind in enumerate(self.layers):
            parts: dict[str, tuple[int, ...]] = {
                "operator_norm.weight": (wide,),
                "ffn_norm.weight": (wide,),
                "feed_forward.w1.weight": (inner, wide),
                "feed_forward.w2.weight": (wide, inner),
                "feed_forward.w3.weight": (inner, wide),
            }
            if kind == _CONV:
                parts["conv.in_proj.weight"] = (3 * wide, wide)
                parts["conv.conv.weight"] = (wide, 1, 3)
                parts["conv.out_proj.weight"] = (wide, wide)
            else:
                parts["self_attn.q_proj.weight"] = (wide, wide)
                parts["self_attn.k_proj.weight"] = (narrow, wide)
                parts["self_attn.v_proj.weight"] = (narrow, wide)
                parts["self_attn.out_proj.weight"] = (wide, wide)
                parts["self_attn.q_layernorm.weight"] = (head,)
                parts["self_attn.k_layernorm.weight"] = (head,)
            for name, shape in parts.items():
                yield f"layers.{place}.{name}", shape
        yield "embedding_norm.weight", (wide,)


def write_random(file: Path, shapes: Mapping[str, tuple[int, ...]], seed: int) -> None:
    """Write random float32 tensors as safetensors, one at a time, so that memory stays small."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", len(encoded)))
        stream.write(encoded)
        for place, (name, shape) in enumerate(shapes.items()):
            stream.write(_values(name, shape, np.random.default_rng([seed, place])).tobytes())


def _values(
    name: str, shape: tuple[int, ...], random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Draw values of the scale that training starts from."""
    values = random.standard_normal(shape, dtype=np.float32)
    if name.lower().endswith("norm.weight"):
        values *= np.float32(0.1)
        values += np.float32(1)
    elif name.startswith("embed") or name.endswith("bias"):
        values *= np.float32(0.02)
    else:
        values *= np.float32(prod(shape[1:]) ** -0.5)
    return values.astype("<f4", copy=False)
