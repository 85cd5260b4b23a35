"""Writes small checkpoints with random weights, in every layout the library reads.

For any test that needs a real model folder::

    folder = write_checkpoint(tmp_path / "model")                     # PyLate, causal
    folder = write_checkpoint(tmp_path / "model", layout="multi_vector", bidirectional=True)
"""

from __future__ import annotations

import json
import string
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

SPECIAL = ("<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|im_end|>")
BOS, EOS = 1, 3
MARKERS = ("[Q] ", "[D] ")
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


def hf_config(config: Lfm2Config, **changes: Any) -> dict[str, Any]:
    """The ``config.json`` of a backbone, as transformers writes it."""
    architecture = "Lfm2BidirectionalModel" if config.bidirectional else "Lfm2Model"
    return {
        "architectures": [architecture],
        "model_type": "lfm2",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.feed_forward_size,
        "block_auto_adjust_ff_dim": False,
        "layer_types": list(config.layer_types),
        "num_hidden_layers": len(config.layer_types),
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "conv_L_cache": config.conv_kernel,
        "conv_bias": config.conv_bias,
        "norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "max_position_embeddings": 512,
        "eos_token_id": EOS,
        "pad_token_id": 0,
        **changes,
    }


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
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": SPECIAL[BOS],
            "eos_token": SPECIAL[EOS],
            "pad_token": SPECIAL[EOS],
        },
    )
    _write_backbone(folder, config, recipe)
    if recipe.layout == "pylate":
        _write_pylate(folder, config, recipe)
    else:
        _write_multi_vector(folder, config, recipe)
    return folder


def write_json(file: Path, content: object) -> None:
    """Write one JSON file, making its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


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


def _write_dense(folder: Path, config: Lfm2Config, recipe: Recipe, entries: dict[str, Any]) -> None:
    sizes = {"in_features": config.hidden_size, "out_features": DIM, "bias": False}
    identity = {"activation_function": "torch.nn.modules.linear.Identity"}
    write_json(folder / "1_Dense" / "config.json", {**sizes, **identity, **entries})
    generator = torch.Generator().manual_seed(recipe.seed + 1)
    weight = torch.randn(DIM, config.hidden_size, generator=generator)
    tensors = quantize({"linear.weight": weight}) if recipe.int8 else {"linear.weight": weight}
    dtype = STORED_DTYPES[recipe.dtype]
    save_file(
        {name: t if t.dtype == torch.int8 else t.to(dtype) for name, t in tensors.items()},
        folder / "1_Dense" / "model.safetensors",
    )


def _modules(folder: Path, *types: str) -> None:
    entries = [
        {
            "idx": place,
            "name": str(place),
            "path": "" if place == 0 else f"{place}_{type_name.rpartition('.')[2]}",
            "type": type_name,
        }
        for place, type_name in enumerate(types)
    ]
    write_json(folder / "modules.json", entries)


def _write_pylate(folder: Path, config: Lfm2Config, recipe: Recipe) -> None:
    """As PyLate 1.6 saves."""
    _modules(folder, "sentence_transformers.models.Transformer", "pylate.models.Dense.Dense")
    _write_dense(folder, config, recipe, {"use_residual": False})
    options = {
        "model_type": "ColBERT",
        "prompts": {"query": "", "document": ""},
        "default_prompt_name": None,
        "similarity_fn_name": "MaxSim",
        "query_prefix": MARKERS[0],
        "document_prefix": MARKERS[1],
        "query_length": 16,
        "document_length": 64,
        "attend_to_expansion_tokens": False,
        "skiplist_words": list(string.punctuation),
        "do_query_expansion": True,
    }
    write_json(
        folder / "config_sentence_transformers.json",
        {key: value for key, value in {**options, **recipe.framing}.items() if value is not ...},
    )


def _write_multi_vector(folder: Path, config: Lfm2Config, recipe: Recipe) -> None:
    """As sentence-transformers 6.2 saves a MultiVectorEncoder."""
    base = "sentence_transformers.base.modules"
    _modules(
        folder,
        f"{base}.transformer.Transformer",
        f"{base}.dense.Dense",
        "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask",
        f"{base}.normalize.Normalize",
    )
    token_level = {
        "module_input_name": "token_embeddings",
        "module_output_name": "token_embeddings",
    }
    _write_dense(folder, config, recipe, token_level)
    write_json(folder / "3_Normalize" / "config.json", token_level)
    write_json(
        folder / "2_MultiVectorMask" / "config.json",
        {
            "skiplist_words": list(string.punctuation),
            "skiplist_tasks": ["document"],
            "keep_only_token_ids": None,
        },
    )
    write_json(
        folder / "config_sentence_transformers.json",
        {
            "model_type": "MultiVectorEncoder",
            "prompts": {"query": MARKERS[0], "document": MARKERS[1]},
            "default_prompt_name": None,
            "similarity_fn_name": "maxsim",
        },
    )
    expansion = {"strategy": "fixed", "attend": False, "token": None, "length": 16}
    options = {"document_length": 64, "query_expansion": expansion}
    write_json(
        folder / "sentence_bert_config.json",
        {key: value for key, value in {**options, **recipe.framing}.items() if value is not ...},
    )
