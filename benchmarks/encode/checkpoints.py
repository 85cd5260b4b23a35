"""Checkpoints with random weights of the published shape, for any library to load."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from tests.encoder.layouts import (
    MARKERS,
    hf_config,
    write_head,
    write_json,
    write_tokenizer_config,
)

from .weights import Shape, write_random

__all__ = ["TINY", "Shape", "byte_tokenizer", "write_checkpoints"]

BOS, EOS = "<|startoftext|>", "<|im_end|>"
LENGTHS = (32, 512)  # of queries and documents
LAYOUTS = {"pylate": "pylate", "sentence-transformers": "multi_vector"}

TINY = Shape(64, 96, ("conv", "full_attention", "conv"), 4, 2, 16)


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
    loaded = byte_tokenizer() if tokenizer is None else Tokenizer.from_file(str(tokenizer))
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


def byte_tokenizer() -> Tokenizer:
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
    config = hf_config(
        shape.config(vocabulary), dtype="float32", max_position_embeddings=128_000,
        rope_parameters={"rope_theta": 1_000_000.0, "rope_type": "default"}, bos_token_id=1,
        eos_token_id=7, tie_word_embeddings=True,
    )  # fmt: skip
    write_json(folder / "config.json", config)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_tokenizer_config(folder, BOS, EOS)
    write_head(folder, LAYOUTS[layout], (shape.hidden, shape.dim), LENGTHS)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
