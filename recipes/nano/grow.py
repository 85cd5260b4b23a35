"""Turn an earlier nano into the start of a larger one: more layers, wider ones, more pieces.

What it knows stays: new layers and new units add nothing at first, and a new piece begins where a
regression on the teacher's word embeddings expects it.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lfm2_colbert_rag.encoder.weights import find_weight_files, read_array, stored_tensors

from .student import Student, configuration, save_checkpoint
from .targets import FRAME, vectors_of

LOG = logging.getLogger(__name__)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of a module's folder in float32."""
    tensors = stored_tensors(find_weight_files(folder))
    return {name: torch.from_numpy(read_array(tensor)) for name, tensor in tensors.items()}


def pieces_of(tokenizer: Path) -> list[str]:
    """Return the pieces of a ``tokenizer.json``, in the order of their ids."""
    vocab = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
    return [piece for piece, _ in vocab]


def grow_table(table: Tensor, old: list[str], new: list[str], features: Tensor) -> Tensor:
    """Return the rows of a larger vocabulary.

    Args:
        table: ``(old pieces + 2, width)``; the last two rows are the markers.
        old: pieces of the table.
        new: pieces of the result.
        features: ``(new pieces, d)`` the teacher's word embeddings.
    """
    places = {piece: place for place, piece in enumerate(old)}
    known = torch.tensor([piece in places for piece in new])
    rows = table[torch.tensor([places[piece] for piece in new if piece in places])]
    inputs = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    gram = inputs[known].T @ inputs[known]
    ridge = 1e-3 * gram.diagonal().mean() * torch.eye(len(gram))
    grown = inputs @ torch.linalg.solve(gram + ridge, inputs[known].T @ rows)
    grown[known] = rows
    LOG.info("%d of %d pieces are new", int((~known).sum()), len(new))
    return torch.cat([grown, table[-2:]])


def grow_layers(student: Student, weights: dict[str, Tensor]) -> None:
    """Copy weights into the upper left of the student's; what they leave free adds nothing."""
    with torch.no_grad():
        for name, own in student.backbone.named_parameters():
            if name == "embed_tokens.weight":
                continue
            closed = name.endswith(("out_proj.weight", "feed_forward.w2.weight"))
            if own.dim() == 2:
                nn.init.normal_(own, std=0.0 if closed else 0.05)
            if name in weights:
                old = weights[name]
                own[tuple(slice(size) for size in old.shape)] = old


def turn_head(student: Student, head: Tensor, targets: Path) -> None:
    """Give the student an earlier head ``(width, hidden)``, turned to the axes of the targets.

    MaxSim does not notice the turn, but the angle to the taught vectors does. The axes are those
    of a head fitted to them; that head itself retrieves worse than one trained by contrast.
    """
    left, _, right = torch.linalg.svd(fitted_head(student, targets) @ head.T)
    with torch.no_grad():
        student.head.weight.copy_((left @ right) @ head)


def fitted_head(student: Student, targets: Path, parts: int = 6) -> Tensor:
    """Return the ridge regression from the student's hidden states to the taught vectors."""
    size = student.config.hidden_size
    gram, cross = torch.zeros(size, size), torch.zeros(size, student.head.weight.shape[0])
    head, student.head = student.head, nn.Identity()
    with torch.no_grad():
        for path in sorted(targets.glob("targets.*.npz"))[:parts]:
            part, vectors = np.load(path), np.load(vectors_of(path))
            texts = np.split(part["ids"], np.cumsum(part["sizes"])[:-1])
            rows = [
                student.frame(text, is_query=bool(kind))
                for text, kind in zip(texts, part["is_query"], strict=True)
            ]
            for start in range(0, len(rows), 64):
                states = torch.cat(student(rows[start : start + 64]))
                ends = np.concatenate([[0], np.cumsum(part["sizes"] + FRAME)])
                stop = min(start + 64, len(rows))
                taught = torch.from_numpy(vectors[ends[start] : ends[stop]]).float()
                gram += states.T @ states
                cross += states.T @ taught
        ridge = 1e-3 * gram.diagonal().mean() * torch.eye(size)
    student.head = head
    return torch.linalg.solve(gram + ridge, cross).T


def main() -> None:
    """Write the checkpoint of a larger student."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the earlier model's folder")
    parser.add_argument("--teacher", type=Path, required=True, help="Hugging Face folder")
    parser.add_argument("--vocabulary", type=Path, required=True, help="the new one")
    parser.add_argument("--targets", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--feed-forward", type=int, default=768)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.manual_seed(0)
    weights = read_weights(args.model)
    teacher_ids = torch.from_numpy(np.load(args.vocabulary / "teacher_ids.npy"))
    words = load_file(args.teacher / "model.safetensors")["embeddings.word_embeddings.weight"]
    new = pieces_of(args.vocabulary / "tokenizer.json")
    old = pieces_of(args.model / "tokenizer.json")
    table = grow_table(weights["embed_tokens.weight"], old, new, words[teacher_ids].float())
    student = Student(configuration(len(table), args.layers, args.feed_forward)).eval()
    grow_layers(student, weights)
    with torch.no_grad():
        student.backbone.embed_tokens.weight.copy_(table)
    turn_head(student, read_weights(args.model / "1_Dense")["linear.weight"], args.targets)
    save_checkpoint(student, args.out)


if __name__ == "__main__":
    main()
