"""Writes small checkpoints with random weights, in every layout the library reads.

For any test that needs a real model folder::

    folder = write_checkpoint(tmp_path / "model")                     # PyLate, causal
    folder = write_checkpoint(tmp_path / "model", layout="multi_vector", bidirectional=True)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers import processors as post_processors
from torch import Tensor

from lfm2_colbert_rag.encoder.config import Lfm2Config
from lfm2_colbert_rag.encoder.lfm2 import Lfm2Backbone

from .layouts import MARKERS, hf_config, write_head, write_json, write_tokenizer_config

__all__ = ["MARKERS", "hf_config", "write_checkpoint", "write_json"]

SPECIAL = ("<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|im_end|>")
BOS, EOS = 1, 3
DIM = 8

# The splitting rule of the published models' tokenizer.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CORPUS = (
    "the quick brown fox jumps over the lazy dog . what is the capital of france ? ",
    "la capitale de la France est Paris, n'est-ce pas ? où est la gare ? ",
    "Die Hauptstadt von Deutschland ist Berlin! 1234 5678 ",
    "الكتاب على الطاولة ، أين هو؟ ภาษาไทย 日本語のテキスト、東京。 ",
)

STORED_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@lru_cache(maxsize=2)
def tokenizer_json(*, markers: bool = True) -> str:
    """Train a byte-level BPE of a few hundred pieces, built like the published one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern=_regex(), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS * 4, trainer)
    bos = SPECIAL[BOS]
    tokenizer.post_processor = post_processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, BOS)]
    )
    if markers:
        tokenizer.add_tokens([AddedToken(marker, special=False) for marker in MARKERS])
    return tokenizer.to_str()


def _regex() -> Any:
    from tokenizers import Regex

    return Regex(_SPLIT)


def small_config(*, bidirectional: bool = False, **changes: Any) -> Lfm2Config:
    """A backbone with both kinds of layers and grouped heads."""
    sizes: dict[str, Any] = {
        "vocab_size": Tokenizer.from_str(tokenizer_json()).get_vocab_size(),
        "hidden_size": 32,
        "feed_forward_size": 48,
        "layer_types": ("conv", "full_attention", "conv", "full_attention", "conv"),
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_theta": 10_000.0,
    }
    return Lfm2Config(**{**sizes, "bidirectional": bidirectional, **changes})


def random_backbone(config: Lfm2Config, seed: int = 0) -> Lfm2Backbone:
    """A backbone whose every weight, norms included, matters."""
    generator = torch.Generator().manual_seed(seed)
    backbone = Lfm2Backbone(config).eval().requires_grad_(False)
    for name, parameter in backbone.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("norm.weight"):
            parameter.copy_(1.0 + 0.2 * noise)
        elif parameter.ndim > 1:
            fan_in = parameter[0].numel()
            parameter.copy_(noise if "embed" in name else 1.5 * noise / fan_in**0.5)
        else:
            parameter.copy_(0.1 * noise)
    return backbone


@dataclass
class Recipe:
    """What to write; each default is a working PyLate checkpoint."""

    layout: Literal["pylate", "multi_vector"] = "pylate"
    bidirectional: bool = False
    dtype: str = "float32"
    shards: int = 1
    prefix: str = ""
    seed: int = 0
    markers_in_tokenizer: bool = True
    int8: bool = False
    framing: Mapping[str, Any] = field(default_factory=dict)
    backbone: Mapping[str, Any] = field(default_factory=dict)
    tensors: Callable[[dict[str, Tensor]], None] | None = None


def write_checkpoint(folder: Path, **options: Any) -> Path:
    """Write a checkpoint.

    Args:
        folder: made if need be.
        **options: fields of :class:`Recipe`; ``framing`` and ``backbone`` change single keys of
            the configuration files, ``tensors`` changes the backbone's tensors in place.
    """
    recipe = Recipe(**options)
    folder.mkdir(parents=True, exist_ok=True)
    config = small_config(bidirectional=recipe.bidirectional)
    write_json(folder / "config.json", hf_config(config, **recipe.backbone))
    tokenizer = tokenizer_json(markers=recipe.markers_in_tokenizer)
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    write_tokenizer_config(folder, SPECIAL[BOS], SPECIAL[EOS])
    _write_backbone(folder, config, recipe)
    write_head(folder, recipe.layout, (config.hidden_size, DIM), (16, 64), recipe.framing)
    _write_dense(folder, config, recipe)
    return folder


def edit_json(file: Path, **changes: Any) -> None:
    """Change keys of a JSON object; a value of None removes the key."""
    content = {**json.loads(file.read_text(encoding="utf-8")), **changes}
    write_json(file, {key: value for key, value in content.items() if value is not None})


def quantize(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Store every matrix as int8 with one scale a row."""
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.ndim != 2:
            stored[name] = tensor
            continue
        scale = tensor.abs().amax(dim=1, keepdim=True) / 127
        stored[name] = (tensor / scale).round().to(torch.int8)
        stored[name + "_scale"] = scale
    return stored


def _write_backbone(folder: Path, config: Lfm2Config, recipe: Recipe) -> None:
    state = dict(random_backbone(config, recipe.seed).state_dict())
    if recipe.tensors is not None:
        recipe.tensors(state)
    stored = quantize(state) if recipe.int8 else state
    dtype = STORED_DTYPES[recipe.dtype]
    tensors = {
        recipe.prefix + name: tensor if tensor.dtype == torch.int8 else tensor.to(dtype)
        for name, tensor in stored.items()
    }
    if recipe.shards == 1:
        save_file(tensors, folder / "model.safetensors")
        return
    names, weight_map = sorted(tensors), {}
    for number in range(recipe.shards):
        file = f"model-{number + 1:05}-of-{recipe.shards:05}.safetensors"
        part = names[number :: recipe.shards]
        save_file({name: tensors[name] for name in part}, folder / file)
        weight_map.update(dict.fromkeys(part, file))
    write_json(folder / "model.safetensors.index.json", {"weight_map": weight_map})


def _write_dense(folder: Path, config: Lfm2Config, recipe: Recipe) -> None:
    generator = torch.Generator().manual_seed(recipe.seed + 1)
    weight = torch.randn(DIM, config.hidden_size, generator=generator)
    tensors = quantize({"linear.weight": weight}) if recipe.int8 else {"linear.weight": weight}
    dtype = STORED_DTYPES[recipe.dtype]
    save_file(
        {name: t if t.dtype == torch.int8 else t.to(dtype) for name, t in tensors.items()},
        folder / "1_Dense" / "model.safetensors",
    )
