"""Write checkpoints with random weights of the published shape, for any library to load.

::

    python -m benchmarks.encode.checkpoints --tokenizer FILE --out DIR

makes ``DIR/pylate`` and ``DIR/sentence-transformers``, which share one file of weights.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import string
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

BOS, EOS = "<|startoftext|>", "<|im_end|>"
MARKERS = ("[Q] ", "[D] ")
QUERY_LENGTH, DOCUMENT_LENGTH = 32, 512
LAYOUTS = ("pylate", "sentence-transformers")

_CONV, _ATTENTION = "conv", "full_attention"
_BASE = "sentence_transformers.base.modules"
_TOKEN_LEVEL = {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"}


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

    def config(self, vocabulary: int) -> dict[str, Any]:
        """Return the ``config.json`` of the backbone, as transformers writes it."""
        return {
            "architectures": ["Lfm2Model"],
            "model_type": "lfm2",
            "dtype": "float32",
            "vocab_size": vocabulary,
            "hidden_size": self.hidden,
            "intermediate_size": self.feed_forward,
            "block_auto_adjust_ff_dim": False,
            "num_hidden_layers": len(self.layers),
            "layer_types": list(self.layers),
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_value_heads,
            "conv_L_cache": 3,
            "conv_bias": False,
            "norm_eps": 1e-5,
            "rope_theta": 1_000_000.0,
            "rope_parameters": {"rope_theta": 1_000_000.0, "rope_type": "default"},
            "max_position_embeddings": 128_000,
            "tie_word_embeddings": True,
            "bos_token_id": 1,
            "eos_token_id": 7,
            "pad_token_id": 0,
        }

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


TINY = Shape(64, 96, (_CONV, _ATTENTION, _CONV), 4, 2, 16)


def write_checkpoints(
    folder: Path, shape: Shape, tokenizer: Path | None, seed: int = 0
) -> dict[str, Path]:
    """Write one model in the layout of each library.

    Args:
        folder: made if need be; a model that it already holds is kept.
        shape: of the model.
        tokenizer: ``tokenizer.json`` of an LFM2 model; None for a small one of single bytes.
        seed: of the weights.

    Returns:
        The model's folder, by layout.
    """
    folders = {layout: folder / layout for layout in LAYOUTS}
    if (folder / "complete").exists():
        return folders
    loaded = _byte_tokenizer() if tokenizer is None else Tokenizer.from_file(str(tokenizer))
    loaded.add_tokens([AddedToken(marker, special=False) for marker in MARKERS])
    vocabulary = loaded.get_vocab_size()
    for layout, target in folders.items():
        shutil.rmtree(target, ignore_errors=True)
        _write_texts(target, layout, shape, loaded, vocabulary)
    first, *others = folders.values()
    write_random(first / "model.safetensors", dict(shape.tensors(vocabulary)), seed)
    head = {"linear.weight": (shape.dim, shape.hidden)}
    write_random(first / "1_Dense" / "model.safetensors", head, seed + 1)
    for other in others:
        for file in ("model.safetensors", "1_Dense/model.safetensors"):
            _link(first / file, other / file)
    (folder / "complete").touch()
    return folders


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
    if name.endswith("norm.weight"):
        values *= np.float32(0.1)
        values += np.float32(1)
    elif name.startswith("embed"):
        values *= np.float32(0.02)
    else:
        values *= np.float32(prod(shape[1:]) ** -0.5)
    return values.astype("<f4", copy=False)


def _byte_tokenizer() -> Tokenizer:
    """Build a tokenizer in which each byte is a token, with the special tokens of LFM2."""
    special = ["<|pad|>", BOS, "<|endoftext|>", *(f"<|reserved_{n}|>" for n in range(4)), EOS]
    pieces = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({piece: place for place, piece in enumerate(pieces)}, []))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, special.index(BOS))]
    )
    return tokenizer


def _write_texts(
    folder: Path, layout: str, shape: Shape, tokenizer: Tokenizer, vocabulary: int
) -> None:
    """Write all files of a model but its weights."""
    (folder / "1_Dense").mkdir(parents=True)
    _write_json(folder / "config.json", shape.config(vocabulary))
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": BOS,
            "eos_token": EOS,
            "pad_token": EOS,
            "model_max_length": 128_000,
        },
    )
    dense: dict[str, Any] = {
        "in_features": shape.hidden,
        "out_features": shape.dim,
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    if layout == "pylate":
        _write_json(folder / "1_Dense" / "config.json", dense | {"use_residual": False})
        _write_pylate(folder)
    else:
        _write_json(folder / "1_Dense" / "config.json", dense | _TOKEN_LEVEL)
        _write_multi_vector(folder)


def _write_pylate(folder: Path) -> None:
    """As PyLate 1.6 saves."""
    _write_modules(folder, "sentence_transformers.models.Transformer", "pylate.models.Dense.Dense")
    _write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": DOCUMENT_LENGTH - 1, "do_lower_case": False},
    )
    _write_json(
        folder / "config_sentence_transformers.json",
        {
            "model_type": "ColBERT",
            "prompts": {"query": "", "document": ""},
            "default_prompt_name": None,
            "similarity_fn_name": "MaxSim",
            "query_prefix": MARKERS[0],
            "document_prefix": MARKERS[1],
            "query_length": QUERY_LENGTH,
            "document_length": DOCUMENT_LENGTH,
            "attend_to_expansion_tokens": False,
            "skiplist_words": list(string.punctuation),
            "do_query_expansion": True,
        },
    )


def _write_multi_vector(folder: Path) -> None:
    """As sentence-transformers 6.2 saves a MultiVectorEncoder."""
    _write_modules(
        folder,
        f"{_BASE}.transformer.Transformer",
        f"{_BASE}.dense.Dense",
        "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask",
        f"{_BASE}.normalize.Normalize",
    )
    _write_json(
        folder / "2_MultiVectorMask" / "config.json",
        {
            "skiplist_words": list(string.punctuation),
            "skiplist_tasks": ["document"],
            "keep_only_token_ids": None,
        },
    )
    _write_json(folder / "3_Normalize" / "config.json", _TOKEN_LEVEL)
    _write_json(
        folder / "config_sentence_transformers.json",
        {
            "model_type": "MultiVectorEncoder",
            "prompts": {"query": MARKERS[0], "document": MARKERS[1]},
            "default_prompt_name": None,
            "similarity_fn_name": "maxsim",
        },
    )
    expansion = {"strategy": "fixed", "attend": False, "token": None, "length": QUERY_LENGTH}
    _write_json(
        folder / "sentence_bert_config.json",
        {"document_length": DOCUMENT_LENGTH, "query_expansion": expansion},
    )


def _write_modules(folder: Path, *types: str) -> None:
    entries = [
        {
            "idx": place,
            "name": str(place),
            "path": f"{place}_{type_name.rpartition('.')[2]}" if place else "",
            "type": type_name,
        }
        for place, type_name in enumerate(types)
    ]
    _write_json(folder / "modules.json", entries)


def _write_json(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def main() -> None:
    """Write the checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json; default: single bytes")
    parser.add_argument("--tiny", action="store_true", help="a model of a few thousand weights")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    write_checkpoints(args.out, TINY if args.tiny else Shape(), args.tokenizer, args.seed)


if __name__ == "__main__":
    main()
