"""``lfm2-colbert adapt migrate``, ``status``, ``rollback`` and ``forget``: what serves an index."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import IndexFolder, JsonFlag
from .output import count, echo_json, note

if TYPE_CHECKING:
    from ..retriever.maintenance.migration import Migration

__all__ = ["NOT_ADOPTED", "forget", "migrate", "rollback", "status"]

NICENESS = 10
NOT_ADOPTED = 3
"""The exit code where everything went well and a model is not to be used."""


def migrate(
    folder: IndexFolder,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What is to serve: the file or the folder of a query adapter, or a model.",
            show_default=False,
        ),
    ],
    keep: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="How long 'adapt rollback' shall be possible: 7d, 12h, 30m. Until the next "
            "'optimize' after that, it is.",
        ),
    ] = "7d",
    queries: Annotated[
        Path | None,
        typer.Option(
            help="Up to 50 of these questions, one a line, are asked before and after, to tell how "
            "many answers stay.",
            show_default=False,
        ),
    ] = None,
    yes_without_gate: Annotated[
        bool,
        typer.Option(
            "--yes-without-gate",
            help="Take also what 'adapt evaluate' did not judge, or did not adopt.",
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Let another query adapter serve, or another model; all who have the index open follow.

    An adapter serves at once. For a model the passages are encoded again while the index is
    searched and written; interrupted, the same command goes on where it stopped. What served
    before is kept for a time. The exit code is 3 where the model was judged and not adopted.
    """
    from ..retriever import Retriever

    if not yes_without_gate:
        _require_judged(model)
    questions = None if queries is None else _read_questions(queries)
    _give_way()
    with Retriever.open(folder) as retriever:
        told = retriever.migrate(
            model, keep=keep, questions=questions, despite_gate=yes_without_gate
        )
    if as_json:
        echo_json({"path": str(folder), **told.to_dict()})
        return
    _tell(folder, told)


def status(folder: IndexFolder, as_json: JsonFlag = False) -> None:
    """Say what serves an index, what did before, and what is being made."""
    from ..retriever import Retriever

    with Retriever.open(folder, read_only=True) as retriever:
        found = retriever.migration()
    if as_json:
        echo_json({"path": str(folder), **found.to_dict()})
        return
    typer.echo(f"serves    {_named(found.model, found.query_adapter)}")
    if found.former_model is not None:
        typer.echo(f"before    {_named(found.former_model, found.former_query_adapter)}")
        typer.echo(f"kept      until {found.kept_until}; it served until {found.since}")
        if found.missing:
            typer.echo(f"missing   {count(found.missing, 'passage')} to encode in a rollback")
    if found.building is not None:
        typer.echo(
            f"building  {found.building}: {found.built:,} of {count(found.passages, 'passage')}"
        )


def rollback(folder: IndexFolder, as_json: JsonFlag = False) -> None:
    """Let serve again what served before the last 'adapt migrate'.

    What serves now is kept in its place: a second rollback takes the first one back.
    """
    from ..retriever import Retriever

    with Retriever.open(folder) as retriever:
        told = retriever.rollback()
    if as_json:
        echo_json({"path": str(folder), **told.to_dict()})
        return
    _tell(folder, told)


def forget(folder: IndexFolder, as_json: JsonFlag = False) -> None:
    """Remove what served before the last 'adapt migrate' from the folder, for good."""
    from ..retriever import Retriever

    with Retriever.open(folder) as retriever:
        retriever.forget_previous()
        found = retriever.migration()
    if as_json:
        echo_json({"path": str(folder), **found.to_dict()})
        return
    typer.echo(f"{folder} keeps nothing that served before.")


def _require_judged(model: str) -> None:
    """Refuse what nobody judged, and what was judged and not adopted.

    Raises:
        typer.Exit: it was not adopted.
        ConfigError: nobody judged it.
    """
    from ..errors import ConfigError
    from ..retriever.maintenance.migration import read_verdict

    verdict = read_verdict(model)
    if verdict is None:
        raise ConfigError(
            f"nobody judged {model}, so that it may answer worse than what serves. Judge it with "
            "'lfm2-colbert adapt evaluate', or take it all the same with --yes-without-gate."
        )
    if not verdict["adopted"]:
        reasons = " ".join(str(one) for one in verdict["reasons"]) or "no reason is given."
        note(f"error: {model} was judged and not adopted: {reasons} Nothing was changed.")
        raise typer.Exit(NOT_ADOPTED)


def _give_way() -> None:
    """Let whoever serves the index go first, where the system knows how."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def _read_questions(path: Path) -> list[str]:
    from .._support.lines import numbered_lines

    lines = (line.strip() for _, line in numbered_lines(path))
    return [line for line in lines if line]


def _tell(folder: Path, told: Migration) -> None:
    typer.echo(f"{_named(told.model, told.query_adapter)} serves {folder}.")
    if told.encoded:
        note(f"{count(told.encoded, 'passage')} encoded in {told.seconds:,.0f} seconds.")
    if told.overlap is not None:
        note(f"Of {count(told.asked, 'question')} {told.overlap:.0%} of the ten best answers stay.")
    if told.kept_until is not None:
        note(f"What served before is kept until {told.kept_until}: adapt rollback {folder}")


def _named(model: str, adapter: str | None) -> str:
    return model if adapter is None else f"{model} with the query adapter ({adapter})"
