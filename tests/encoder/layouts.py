"""The files of a checkpoint but its weights, as the libraries that save such models write them.

Shared by the checkpoints of tests (``checkpoints.py``) and of benchmarks; needs no torch.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lfm2_colbert_rag.encoder.config import Lfm2Config

MARKERS = ("[Q] ", "[D] ")

_BASE = "sentence_transformers.base.modules"
_TOKEN_LEVEL = {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"}


def write_json(file: Path, content: object) -> None:
    """Write one JSON file, making its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


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
        "eos_token_id": 3,
        "pad_token_id": 0,
        **changes,
    }


def write_tokenizer_config(folder: Path, bos: str, eos: str) -> None:
    """Write what transformers needs beside ``tokenizer.json``."""
    tokens = {"bos_token": bos, "eos_token": eos, "pad_token": eos}
    content = {"tokenizer_class": "PreTrainedTokenizerFast", **tokens}
    write_json(folder / "tokenizer_config.json", content)


def write_head(
    folder: Path,
    layout: str,
    sizes: tuple[int, int],
    lengths: tuple[int, int],
    framing: Mapping[str, Any] | None = None,
) -> None:
    """Write everything around the backbone.

    Args:
        folder: of the checkpoint.
        layout: ``"pylate"`` or ``"multi_vector"``.
        sizes: width of the backbone, and of a token vector.
        lengths: of queries and documents.
        framing: changes single keys of the file that has the lengths; ``...`` leaves one out.
    """
    dense: dict[str, Any] = {
        "in_features": sizes[0],
        "out_features": sizes[1],
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    write, more = {
        "pylate": (_write_pylate, {"use_residual": False}),
        "multi_vector": (_write_multi_vector, _TOKEN_LEVEL),
    }[layout]
    write_json(folder / "1_Dense" / "config.json", dense | more)
    write(folder, *lengths, framing or {})


def _write_pylate(folder: Path, query: int, document: int, framing: Mapping[str, Any]) -> None:
    """As PyLate 1.6 saves."""
    _write_modules(folder, "sentence_transformers.models.Transformer", "pylate.models.Dense.Dense")
    options = {
        "model_type": "ColBERT",
        "prompts": {"query": "", "document": ""},
        "default_prompt_name": None,
        "similarity_fn_name": "MaxSim",
        "query_prefix": MARKERS[0],
        "document_prefix": MARKERS[1],
        "query_length": query,
        "document_length": document,
        "attend_to_expansion_tokens": False,
        "skiplist_words": list(string.punctuation),
        "do_query_expansion": True,
    }
    write_json(folder / "config_sentence_transformers.json", _changed(options, framing))


def _write_multi_vector(
    folder: Path, query: int, document: int, framing: Mapping[str, Any]
) -> None:
    """As sentence-transformers 6.2 saves a MultiVectorEncoder."""
    _write_modules(
        folder,
        f"{_BASE}.transformer.Transformer",
        f"{_BASE}.dense.Dense",
        "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask",
        f"{_BASE}.normalize.Normalize",
    )
    write_json(folder / "3_Normalize" / "config.json", _TOKEN_LEVEL)
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
    expansion = {"strategy": "fixed", "attend": False, "token": None, "length": query}
    options = {"document_length": document, "query_expansion": expansion}
    write_json(folder / "sentence_bert_config.json", _changed(options, framing))


def _changed(options: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**options, **changes}.items() if value is not ...}


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
    write_json(folder / "modules.json", entries)
