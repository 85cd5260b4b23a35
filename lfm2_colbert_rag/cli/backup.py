"""``lfm2-colbert backup``: a copy of an index, made while it serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import IndexFolder
from .output import byte_size

__all__ = ["backup"]


def backup(
    folder: IndexFolder,
    to: Annotated[
        Path, typer.Argument(metavar="TO", help="A new folder for the copy.", show_default=False)
    ],
) -> None:
    """Copy an index into a new folder while it is searched and written.

    The copy is one whole commit, and every file is compared with its checksum on the way. It is
    an index itself; 'lfm2-colbert restore' brings it back.
    """
    from ..retriever import Retriever

    with Retriever.open(folder) as retriever:
        retriever.backup(to)
    size = sum(file.stat().st_size for file in to.rglob("*") if file.is_file())
    typer.echo(f"Copied {folder} to {to} ({byte_size(size)}).")
