"""Give the cut teacher its head, and write both as a model folder of sentence-transformers' layout.

The matrices were of 4 bits when the teacher came, 32 columns sharing a scale, and are stored so
again, without loss.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import string
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from .cut import TABLE, read_json, write_json
from .head import Head, fit_head, without_directions
from .states import PREFIXES

LOG = logging.getLogger(__name__)

GROUP = 32
QUERY_LENGTH, DOCUMENT_LENGTH = 64, 256
LOSSLESS = 2e-3  # of the largest weight of a group: the scale itself was rounded to float16


def pack(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return a matrix in 4 bits, two numbers a byte, and its float16 scales ``(rows, groups)``.

    The largest weight of each group is the whole number -8, so that scales may be negative.

    Raises:
        ValueError: the matrix did not come from 4 bits.
    """
    grouped = matrix.float().unflatten(-1, (-1, GROUP))
    place = grouped.abs().argmax(-1, keepdim=True)
    largest = grouped.gather(-1, place)
    scales = (largest / -8).half()
    scales = torch.where(scales == 0, torch.ones_like(scales), scales)
    numbers = (grouped / scales.float()).round().clamp(-8, 7)
    error = (numbers * scales.float() - grouped).abs() / largest.abs().clamp_min(1e-8)
    if error.max() > LOSSLESS:
        raise ValueError(f"packing loses {error.max():.4f} of a group's largest weight")
    whole = (numbers.flatten(-2) + 8).to(torch.uint8)
    return whole[:, 0::2] | (whole[:, 1::2] << 4), scales.squeeze(-1)


def compact(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Store matrices in 4 bits, and all else as it came."""
    stored: dict[str, Tensor] = {}
    for name, tensor in sorted(tensors.items()):
        if name == TABLE or (name.startswith("encoder") and tensor.dim() == 2):
            stored[name], stored[f"{name}_scale"] = pack(tensor)
        else:
            stored[name] = tensor.half().contiguous()
    return stored


def describe(out: Path, hidden_size: int, size: int) -> None:
    """Write what says how texts are read and what the modules are."""
    base = "sentence_transformers.base.modules"
    own = "sentence_transformers.multi_vector_encoder.modules"
    modules = [
        ("", f"{base}.transformer.Transformer"),
        ("1_Dense", f"{base}.dense.Dense"),
        ("2_MultiVectorMask", f"{own}.multi_vector_mask.MultiVectorMask"),
        ("3_Normalize", f"{base}.normalize.Normalize"),
    ]
    write_json(
        out / "modules.json",
        [
            {"idx": place, "name": str(place), "path": path, "type": kind}
            for place, (path, kind) in enumerate(modules)
        ],
    )
    of_tokens = {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"}
    dense = {
        "in_features": hidden_size,
        "out_features": size,
        "bias": True,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    mask = {"skiplist_words": list(string.punctuation), "skiplist_tasks": ["document"]}
    parts = {"1_Dense": dense | of_tokens, "2_MultiVectorMask": mask, "3_Normalize": of_tokens}
    for name, config in parts.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        write_json(out / name / "config.json", config)
    prompts = dict(zip(("query", "document"), PREFIXES, strict=True))
    write_json(
        out / "config_sentence_transformers.json",
        {"model_type": "MultiVectorEncoder", "prompts": prompts, "similarity_fn_name": "maxsim"},
    )
    write_json(
        out / "sentence_bert_config.json",
        {"query_length": QUERY_LENGTH, "document_length": DOCUMENT_LENGTH},
    )


def export(model: Path, head: Head, out: Path) -> int:
    """Write the folder; return its size in bytes."""
    out.mkdir(parents=True, exist_ok=True)
    config = read_json(model / "config.json")
    describe(out, config["hidden_size"], len(head[1]))
    names = ("tokenizer.json", "tokenizer_config.json")
    for name in names:
        shutil.copyfile(model / name, out / name)
    write_json(out / "config.json", config)
    metadata = {"format": "pt"}
    tensors = compact(load_file(model / "model.safetensors"))
    save_file(tensors, out / "model.safetensors", metadata=metadata)
    weight, bias = (torch.from_numpy(np.ascontiguousarray(one)).float() for one in head)
    projection = {"linear.weight": weight, "linear.bias": bias}
    save_file(projection, out / "1_Dense" / "model.safetensors", metadata=metadata)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def main() -> None:
    """Fit the head and export the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder that `cut` wrote")
    parser.add_argument("--states", type=Path, required=True, help="file that `states` wrote")
    parser.add_argument("--size", type=int, default=192, help="of a vector")
    parser.add_argument("--within", type=float, default=0.5, help="see recipes.small.head")
    parser.add_argument(
        "--without-directions", type=int, default=0, help="between languages, taken out of the head"
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    saved = np.load(args.states)
    head = fit_head(saved, args.size, args.within)
    if args.without_directions:
        head = without_directions(head, saved, args.without_directions)
    LOG.info("%d bytes", export(args.model, head, args.out))


if __name__ == "__main__":
    main()
