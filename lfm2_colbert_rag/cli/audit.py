"""``lfm2-colbert audit``: does a server's audit log still hang together?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import JsonFlag
from .output import count, echo_json, note

if TYPE_CHECKING:
    from ..server.audit.verifying import AuditReport

__all__ = ["audit"]

audit = typer.Typer(
    help="Check the audit log of a server.", no_args_is_help=True, rich_markup_mode="markdown"
)


@audit.callback()
def _audit() -> None:
    """Check the audit log of a server."""


@audit.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the audit log.")],
    expect: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A hash that this command printed earlier."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check that no line of an audit log was changed, removed, added or moved.

    Prints the hash of the last line: note it elsewhere, and pass it as `--expect` later, since
    nothing in the folder can tell whether the newest lines were removed. Exits with 1 and names
    what is wrong if anything is.
    """
    from ..server.audit.verifying import verify_log

    report = verify_log(folder, known=expect)
    if as_json:
        echo_json(report.to_dict())
    else:
        _tell(report)
    if report.problems:
        raise typer.Exit(1)


def _tell(report: AuditReport) -> None:
    for problem in report.problems:
        typer.echo(problem)
    if report.problems:
        note(f"{report.folder} is broken: {count(len(report.problems), 'problem')}.")
    else:
        typer.echo(f"{report.folder} is whole.")
    typer.echo(
        f"{count(report.lines, 'line')} in {count(report.files, 'file')}, from number "
        f"{report.first:,} to {report.last:,}. Hash of the last: {report.last_hash}"
    )
    if report.first > 1:
        note("Older files are not here any more.")
    if not report.stopped:
        note(
            "The last line does not say that the server stopped: it runs, it was killed, or the "
            "newest lines were removed."
        )
    if report.unclean or report.repaired:
        note(
            f"Servers that did not stop in order: {report.unclean:,}; unfinished lines of theirs "
            f"that were taken away: {report.repaired:,}."
        )
    if report.lost:
        note(f"Records lost while the disk took no more: {report.lost:,}.")
