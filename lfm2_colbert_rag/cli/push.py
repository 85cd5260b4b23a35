"""``lfm2-colbert push`` and ``pull``: an index moved to an engine, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import IndexFolder, NewFolder
from .output import count

__all__ = ["pull", "push"]

AddressArgument = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS", help="Such as qdrant://host:6334/manuals.", show_default=False
    ),
]


def push(folder: IndexFolder, address: AddressArgument) -> None:
    """Copy an index from its folder into an engine; nothing is encoded.

    Texts, metadata, vectors and evidence arrive as they are, with the index's settings. What is
    there under the same ids is replaced. Stopped in the middle, run it again.
    """
    from ..retriever.remote_moving import push as copy
    from ..retriever.remote_opening import backend_at, shards_of

    backend, options = backend_at(address)
    try:
        copied = copy(folder, backend, shards=shards_of(options), progress=True)
    finally:
        backend.close()
    typer.echo(f"Pushed {count(copied, 'passage')} from {folder} to {backend.name}.")


def pull(address: AddressArgument, into: NewFolder) -> None:
    """Copy an index from an engine into a new folder; nothing is encoded."""
    from ..retriever.remote_moving import pull as copy
    from ..retriever.remote_opening import backend_at

    backend, _ = backend_at(address)
    try:
        copied = copy(backend, Path(into).absolute(), progress=True)
    finally:
        backend.close()
    typer.echo(f"Pulled {count(copied, 'passage')} from {backend.name} into {into}.")
