"""``lfm2-colbert optimize``: bring an index to its best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import IndexPlace, JsonFlag
from .output import echo_json, make_console, note
from .stats import show_value

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["optimize"]

COMPARED = ("storage", "segments", "deleted", "bytes", "bytes_per_vector", "recall", "drift")


def optimize(
    folder: IndexPlace,
    reencode: Annotated[
        bool,
        typer.Option(
            "--reencode",
            help="Encode all texts again, for the quality of an index made now. Takes as long as "
            "indexing them.",
        ),
    ] = False,
    forget_after: Annotated[
        float,
        typer.Option(
            "--forget-after",
            metavar="SECONDS",
            min=0,
            help="Remove the texts of passages that were deleted or replaced so long ago.",
        ),
    ] = 3600,
    as_json: JsonFlag = False,
) -> None:
    """Compress, merge, drop what was deleted, and renew the codebook where that is due.

    The index is searched and written meanwhile. What changed is shown; with --json as one object
    with the figures of 'lfm2-colbert stats' before and after.
    """
    from ..retriever import Retriever

    with Retriever.open(folder) as retriever:
        before = retriever.stats().to_dict()
        after = retriever.optimize(reencode=reencode, forget_after=forget_after).to_dict()
    if as_json:
        echo_json({"before": before, "after": after})
    else:
        make_console().print(_table(before, after))
    if after["forgettable"]:
        note(
            f"{after['forgettable']:,} deleted or replaced passages stay readable in the files; "
            f"the first can be removed from {after['forget_due']} on, by optimizing again."
        )


def _table(before: dict[str, Any], after: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("", style="bold", no_wrap=True)
    table.add_column("before", overflow="fold")
    table.add_column("after", overflow="fold")
    for name in COMPARED:
        old, new = show_value(name, before), show_value(name, after)
        table.add_row(name.replace("_", " "), old, "the same" if old == new else new)
    return table
