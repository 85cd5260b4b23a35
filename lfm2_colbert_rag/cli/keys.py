"""``lfm2-colbert keys``: who may ask a server, and what."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import JsonFlag, parse_where
from .output import echo_json, make_console, note, plain

if TYPE_CHECKING:
    from ..server.access.key_record import Key

__all__ = ["keys"]

keys = typer.Typer(
    help="Make, list and revoke the keys of a server.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

KeysOption = Annotated[Path, typer.Option("--keys", metavar="FILE", help="The file of keys.")]

_KEYS = Path("keys.json")  # where ``serve`` looks for it as well

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@keys.callback()
def _keys() -> None:
    """Make, list and revoke the keys of a server."""


@keys.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is called.", show_default=False)],
    file: KeysOption = _KEYS,
    scope: Annotated[
        list[str],
        typer.Option(
            help="What it is for: search, rerank, read, write, admin, metrics or audit; may be "
            "given several times."
        ),
    ] = ["search"],  # noqa: B006 - typer copies it
    index: Annotated[
        list[str] | None,
        typer.Option(
            help="An index that it may know of; several times for several. All if left out.",
            show_default=False,
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Whose passages it sees.", show_default=False)
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="""A filter that all it sees must match, such as '{"year": {"$gte": 2024}}'.""",
            show_default=False,
        ),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            help="A key of metadata that it sees; several times for several. All if left out.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second at most.", show_default=False)
    ] = None,
    expires_in: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="When it ends, such as 12h, 90d or 4w.", show_default=False
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a key, and print it: this once, since only a hash of it is kept.

    Two live keys may have one name: to replace a key make a second one, give it to whoever uses
    the first, and revoke the first by its id. The file is made if it is missing, for its owner
    alone.
    """
    from ..server.access.keys import KeyFile

    ends = None if expires_in is None else time.time() + _seconds(expires_in)
    key, text = KeyFile(file).create(
        name, scope, index, tenant, parse_where(where), field, rate, ends
    )
    if as_json:
        echo_json({"key": text, **key.to_dict()})
        return
    note(f"The key {key.id} ({name}), which is shown this once:")
    typer.echo(text)


@keys.command("list")
def list_(file: KeysOption = _KEYS, as_json: JsonFlag = False) -> None:
    """List all keys, the revoked and expired ones too, without what is secret of them."""
    from ..server.access.keys import KeyFile

    found, now = KeyFile(file).keys(), time.time()
    if as_json:
        echo_json([{**key.to_dict(), "state": _state(key, now)} for key in found])
        return

    from rich.table import Table
    from rich.text import Text

    table = Table("id", "name", "state", "scopes", "sees", "expires", box=None)
    for key in found:
        cells = (key.id, key.name, _state(key, now), " ".join(sorted(key.rights.scopes)))
        row = [*cells, _sees(key), _day(key.expires)]
        table.add_row(*(Text(plain(cell), overflow="fold") for cell in row))
    make_console().print(table)


@keys.command()
def revoke(
    id_or_name: Annotated[
        str, typer.Argument(metavar="KEY", help="An id, or a name for all keys that have it.")
    ],
    file: KeysOption = _KEYS,
    as_json: JsonFlag = False,
) -> None:
    """End a key for ever, with all tokens that were made of it.

    Servers notice within a second.
    """
    from ..server.access.keys import KeyFile

    ended = KeyFile(file).revoke(id_or_name)
    if as_json:
        echo_json([key.to_dict() for key in ended])
        return
    for key in ended:
        typer.echo(f"Revoked the key {key.id} ({plain(key.name)}).")


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if match is None:
        raise typer.BadParameter(
            f"--expires-in takes a whole number and s, m, h, d or w, such as 90d, not {text[:40]}"
        )
    return int(match[1]) * _SECONDS[match[2]]


def _state(key: Key, now: float) -> str:
    if key.is_live(now):
        return "live"
    return "expired" if key.revoked is None else "revoked"


def _sees(key: Key) -> str:
    shown: dict[str, Any] = key.to_dict()
    parts = [f"tenant {shown['tenant']}"] if shown["tenant"] is not None else []
    parts += [f"index {name}" for name in shown["indexes"] or ()]
    parts += ["a filter"] if shown["where"] else []
    parts += [f"field {name}" for name in shown["fields"] or ()]
    return ", ".join(parts) or "all"


def _day(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
