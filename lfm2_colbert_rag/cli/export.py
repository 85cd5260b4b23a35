"""``lfm2-colbert export``: an index as plain files."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from .options import IndexPlace, NewFolder
from .output import count

__all__ = ["export"]


def export(
    folder: IndexPlace,
    into: NewFolder,
    dtype: Annotated[
        Literal["float16", "float32"], typer.Option("--dtype", help="Of the vectors.")
    ] = "float16",
) -> None:
    """Write an index as plain files: JSON Lines for the texts, .npy for the vectors.

    'lfm2-colbert import' reads the folder, and so does anything that reads JSON and NumPy's
    arrays. (For a model, see 'lfm2-colbert export-model'.)
    """
    from ..retriever import Retriever

    with Retriever.open(folder) as retriever:
        exported = retriever.export(into, dtype=dtype)
    typer.echo(f"Exported {count(exported, 'passage')} from {folder} to {into}.")
