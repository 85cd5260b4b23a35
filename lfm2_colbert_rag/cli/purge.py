"""``lfm2-colbert purge``: remove what was deleted for good."""

from __future__ import annotations

import typer

from .options import IndexFolder, JsonFlag
from .output import byte_size, count, echo_json

__all__ = ["purge"]


def purge(folder: IndexFolder, as_json: JsonFlag = False) -> None:
    """Remove every byte of deleted and replaced passages from the files of an index, now.

    Unlike 'lfm2-colbert optimize' it does not wait an hour for readers. It fails if something may
    be left. A receipt is shown.
    """
    from ..retriever import Retriever

    with Retriever.open(folder) as retriever:
        receipt = retriever.purge()
    if as_json:
        echo_json({"path": str(folder), **receipt.to_dict()})
        return
    gone = count(receipt.passages, "deleted or replaced passage")
    freed = f"{count(receipt.files or 0, 'file')} removed, {byte_size(receipt.bytes or 0)} freed"
    typer.echo(
        f"{receipt.when}: nothing is left of {gone} in {folder} ({freed}, generation "
        f"{receipt.generation:,})."
    )
