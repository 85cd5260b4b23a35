"""``lfm2-colbert export-model``: a model, converted, in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import ModelArgument
from .output import byte_size

__all__ = ["export_model"]


def export_model(
    model: ModelArgument,
    into: Annotated[
        Path,
        typer.Option(
            "--into", metavar="DIR", help="A new folder for the model.", show_default=False
        ),
    ],
    dtype: Annotated[
        Literal["int8", "float32", "float16", "bfloat16"],
        typer.Option("--dtype", help="Of the weights."),
    ] = "int8",
) -> None:
    """Convert a model for serving without torch, into a folder that needs nothing else.

    Give the folder as --model, also on a machine without network. An index made with the model
    opens with the export, and the other way round.
    """
    from ..encoder.onnx.model_export import export_model as convert

    folder = convert(model, into, dtype=dtype)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    typer.echo(f"Exported {model} in {dtype} to {folder} ({byte_size(size)}).")
