"""Write a trained student as a model folder in PyLate's layout, with matrices of whole numbers."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import string
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from .student import VECTOR_SIZE, Student, load_checkpoint, round_rows
from .vocabulary import MARKERS

LOG = logging.getLogger(__name__)

# Training saw documents of up to 250 tokens; longer texts are found better by windows so long
# than as a whole: mean nDCG@10 of five languages on English XQuAD .827 against .824.
QUERY_LENGTH, DOCUMENT_LENGTH, POSITIONS = 64, 256, 512


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row of a matrix to int8; return it and the ``(rows, 1)`` float32 scales."""
    scale = weight.abs().amax(1, keepdim=True).clamp_min(1e-8) / 127
    return (weight / scale).round().clamp(-127, 127).to(torch.int8), scale


def pack(table: Tensor) -> tuple[Tensor, Tensor]:
    """Round rows to 4 bits, two numbers a byte; return them and the ``(rows, groups)`` scales."""
    numbers, scales = round_rows(table)
    whole = (numbers.flatten(-2) + 8).to(torch.uint8)
    return whole[:, 0::2] | (whole[:, 1::2] << 4), scales.squeeze(-1)


def compact(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Store the embeddings in 4 bits, other matrices in int8, everything else as float32."""
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name == "embed_tokens.weight":
            stored[name], stored[name + "_scale"] = pack(tensor.detach().float())
        elif tensor.dim() == 2:
            stored[name], stored[name + "_scale"] = quantise(tensor.detach().float())
        else:
            stored[name] = tensor.detach().float().contiguous()
    return stored


def backbone_config(student: Student) -> dict[str, Any]:
    """Return ``config.json`` with the keys of the published LFM2 models."""
    config = student.config
    return {
        "architectures": ["Lfm2BidirectionalModel"],
        "model_type": "lfm2",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.feed_forward_size,
        "block_auto_adjust_ff_dim": False,
        "num_hidden_layers": len(config.layer_types),
        "layer_types": list(config.layer_types),
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "conv_L_cache": config.conv_kernel,
        "conv_bias": config.conv_bias,
        "norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_theta": config.rope_theta, "rope_type": "default"},
        "max_position_embeddings": POSITIONS,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "dtype": "float32",
    }


SENTENCE_TRANSFORMERS_CONFIG: dict[str, Any] = {
    "model_type": "ColBERT",
    "query_prefix": MARKERS[0],
    "document_prefix": MARKERS[1],
    "query_length": QUERY_LENGTH,
    "document_length": DOCUMENT_LENGTH,
    "do_query_expansion": False,
    "attend_to_expansion_tokens": False,
    "skiplist_words": list(string.punctuation),
    "similarity_fn_name": "MaxSim",
}

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"},
]

SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
SPECIAL_TOKENS |= {"unk_token": "<unk>"}


def write_json(path: Path, value: object) -> None:
    """Write readable JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def export(student: Student, tokenizer: Path, out: Path) -> int:
    """Write the folder; return its size in bytes, without a card that is there already."""
    dense = out / "1_Dense"
    dense.mkdir(parents=True, exist_ok=True)
    metadata = {"format": "pt"}
    save_file(compact(student.backbone.state_dict()), out / "model.safetensors", metadata=metadata)
    save_file(
        compact({"linear.weight": student.head.weight}),
        dense / "model.safetensors",
        metadata=metadata,
    )
    write_json(
        dense / "config.json",
        {
            "in_features": student.config.hidden_size,
            "out_features": VECTOR_SIZE,
            "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity",
            "use_residual": False,
        },
    )
    write_json(out / "config.json", backbone_config(student))
    write_json(out / "config_sentence_transformers.json", SENTENCE_TRANSFORMERS_CONFIG)
    write_json(out / "modules.json", MODULES)
    write_json(out / "special_tokens_map.json", SPECIAL_TOKENS)
    write_json(
        out / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": POSITIONS,
            "padding_side": "right",
            "truncation_side": "right",
            "clean_up_tokenization_spaces": False,
            **SPECIAL_TOKENS,
        },
    )
    shutil.copyfile(tokenizer, out / "tokenizer.json")
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def main() -> None:
    """Export a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    student = load_checkpoint(args.checkpoint)
    LOG.info("%d bytes", export(student, args.vocabulary / "tokenizer.json", args.out))


if __name__ == "__main__":
    main()
