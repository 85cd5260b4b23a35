"""``lfm2-colbert restore``: a backup, verified and brought back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import count

__all__ = ["restore"]


def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="The backup.", show_default=False)],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder for the index.", show_default=False)
    ],
) -> None:
    """Bring a backup back as an index, once every file of it was verified.

    A broken backup is refused, and what is broken is named.
    """
    from ..retriever import Retriever

    with Retriever.restore(source, folder) as retriever:
        held = len(retriever)
    typer.echo(f"Restored {count(held, 'passage')} from {source}; {folder} is sound.")
