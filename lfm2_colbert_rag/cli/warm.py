"""``lfm2-colbert warm``: do ahead what the first question would wait for."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import make_console

__all__ = ["warm"]


def warm(
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="nano, a hub id, or a folder.")
    ] = "nano",
    nbits: Annotated[
        int,
        typer.Option("--nbits", metavar="2|4", help="Bits a dimension of compressed vectors."),
    ] = 4,
) -> None:
    """Convert the model and compile the search kernels now, so that no first question waits.

    For images, CI and serverless functions. It takes half a minute once, and a second where all is
    there already. Without it, a program that goes on answering compiles them beside its first
    answers, and one that ends at once never does.

    Everything is kept in the folder that LFM2_COLBERT_CACHE names, else in your own cache. Several
    users may share that folder, and it may be read-only afterwards. Kernels are compiled for this
    machine's processor: on another kind they are compiled again.

    In a Dockerfile:

        ENV LFM2_COLBERT_CACHE=/opt/lfm2-colbert

        RUN lfm2-colbert warm --model nano
    """
    from ..retriever.warming import warm as make_ready

    console = make_console(stderr=True)
    with console.status("") as status:
        done = make_ready(model, nbits=nbits, progress=lambda what: status.update(f"{what} ..."))
    for one in done:
        how = "made" if one.new else "found"
        typer.echo(f"{one.what}: {how} in {one.seconds:.1f} s ({one.folder})")
