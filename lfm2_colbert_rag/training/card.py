"""The card of what was trained: figures, hashes and counts; never a text, an id or a path."""

from __future__ import annotations

from pathlib import Path

from .trained import Trained

FILE = "README.md"

_WHAT = {
    "query": "A square matrix on the vectors of questions; passages keep the vectors they have.",
    "head": "The projections to token vectors; the backbone is as it was.",
    "lora": "Matrices of low rank, added to those of all layers; the embedding table is as it was.",
    "layers": "All layers and projections; the embedding table is as it was.",
}


def write_card(folder: Path, trained: Trained) -> None:
    """Write the card of a model into its folder.

    Raises:
        OSError: it cannot be written.
    """
    rows = [f"| {name.replace('_', ' ')} | {value} |" for name, value in trained.to_dict().items()]
    lines = [
        "# An adapted retrieval model",
        "",
        _WHAT[trained.method],
        "",
        "It was adapted on private passages and is as confidential as they are: what it learned",
        "can be asked out of it. Whether it is better than the original is not said here, but by",
        "the verdict on questions that took no part.",
        "",
        "| | |",
        "|---|---|",
        *rows,
        "",
    ]
    (folder / FILE).write_text("\n".join(lines), encoding="utf-8")
