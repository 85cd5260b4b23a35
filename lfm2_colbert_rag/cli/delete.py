"""``lfm2-colbert delete``: remove passages from an index."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import InputError
from .options import IndexPlace, WhereOption, parse_where
from .output import count

__all__ = ["delete"]


def delete(
    folder: IndexPlace,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="An id; may be repeated.", show_default=False),
    ] = None,
    where: WhereOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Every passage.")] = False,
) -> None:
    """Delete passages, by their ids or by their metadata, and say how many there were."""
    from ..retriever import Retriever

    wanted = parse_where(where)
    if [bool(ids), wanted is not None, everything].count(True) != 1:
        raise typer.BadParameter("say what to delete, with one of --id, --where and --all")
    with Retriever.open(folder) as retriever:
        try:
            deleted = retriever.delete(ids, where=wanted, all=everything)
        except InputError as error:
            raise InputError(str(error).replace("all=True", "--all")) from None
        held = len(retriever)
    typer.echo(f"Deleted {count(deleted, 'passage')}; {folder} holds {held:,}.")
