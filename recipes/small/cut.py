"""Cut the vocabulary of the teacher down to the pieces that nano has; all else stays as it is."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

LOG = logging.getLogger(__name__)

TABLE = "embeddings.word_embeddings.weight"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_json(path: Path, value: object) -> None:
    """Write readable JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def cut_tokenizer(tokenizer: dict[str, Any]) -> dict[str, Any]:
    """Return nano's tokenizer without its markers, which are its last added tokens."""
    pieces = len(tokenizer["model"]["vocab"])
    added = [token for token in tokenizer["added_tokens"] if token["id"] < pieces]
    return {**tokenizer, "added_tokens": added}


def rows_of(tokenizer: dict[str, Any], teacher: dict[str, Any]) -> list[int]:
    """Return the teacher's row of each piece.

    Raises:
        KeyError: a piece is not one of the teacher's.
    """
    places = {piece: place for place, (piece, _) in enumerate(teacher["model"]["vocab"])}
    return [places[piece] for piece, _ in tokenizer["model"]["vocab"]]


def cut(teacher: Path, tokenizer_file: Path, out: Path) -> int:
    """Write the cut teacher as a Hugging Face folder; return how many pieces it has."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = cut_tokenizer(read_json(tokenizer_file))
    rows = rows_of(tokenizer, read_json(teacher / "tokenizer.json"))
    tensors = load_file(teacher / "model.safetensors")
    tensors[TABLE] = tensors[TABLE][torch.tensor(rows)].contiguous()
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    write_json(out / "config.json", {**read_json(teacher / "config.json"), "vocab_size": len(rows)})
    shutil.copyfile(teacher / "tokenizer_config.json", out / "tokenizer_config.json")
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (out / "tokenizer.json").write_text(text, encoding="utf-8")
    return len(rows)


def main() -> None:
    """Cut the vocabulary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True, help="Hugging Face folder")
    parser.add_argument("--tokenizer", type=Path, required=True, help="nano's tokenizer.json")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    LOG.info("%d pieces", cut(args.teacher, args.tokenizer, args.out))


if __name__ == "__main__":
    main()
