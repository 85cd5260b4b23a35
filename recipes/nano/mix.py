"""The mean of what a student was and what further training made of it, part by part.

What training on more languages adds and what it takes lie in different parts. The rows of pieces
in scripts of the languages that were added have everything to gain from it; the layers, which
serve the languages that were known before, are best met halfway (Wortsman et al., "Robust
fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import torch

from .grow import pieces_of
from .student import Student, load_checkpoint, save_checkpoint

# Greek, Cyrillic, Devanagari, Thai.
ADDED_SCRIPTS = re.compile("[\u0370-\u03ff\u0400-\u04ff\u0900-\u097f\u0e00-\u0e7f]")
MARKERS = 2


def mix(before: Student, after: Student, layers: float, rows: torch.Tensor) -> Student:
    """Put the mean into the second student, and return it.

    Args:
        before: as it was.
        after: of the same shape, trained from it.
        layers: share of ``after`` in all weights but the embeddings, 0..1.
        rows: ``(vocabulary, 1)`` its share in each row of the embeddings.
    """
    earlier = before.state_dict()
    with torch.no_grad():
        for name, weight in after.state_dict().items():
            share = rows if name.endswith("embed_tokens.weight") else torch.tensor(layers)
            weight.copy_(earlier[name] + (weight - earlier[name]) * share)
    return after


def main() -> None:
    """Write the checkpoint of the mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--after", type=Path, required=True)
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--layers", type=float, default=0.4, help="share of AFTER in them")
    parser.add_argument("--rows", type=float, default=0.5, help="the same, of embeddings")
    parser.add_argument("--added", type=float, default=1.0, help="the same, of added scripts")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    pieces = pieces_of(args.vocabulary / "tokenizer.json")
    added = torch.tensor(
        [bool(ADDED_SCRIPTS.search(piece)) for piece in pieces] + [False] * MARKERS
    )
    rows = torch.where(added, args.added, args.rows)[:, None]
    before, after = load_checkpoint(args.before), load_checkpoint(args.after)
    save_checkpoint(mix(before, after, args.layers, rows), args.out)


if __name__ == "__main__":
    main()
