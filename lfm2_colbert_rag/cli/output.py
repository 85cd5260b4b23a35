"""Where the commands write: results to stdout, progress and notes to stderr."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import typer

from .._support.graphemes import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = [
    "byte_size",
    "count",
    "echo_json",
    "make_console",
    "make_progress",
    "note",
    "plain",
    "replace_what_cannot_be_written",
]


def make_console(*, stderr: bool = False) -> Console:
    """Return a console on stdout, or on stderr, that colours nothing by itself."""
    from rich.console import Console

    return Console(highlight=False, stderr=stderr)


def make_progress() -> Progress:
    """Return a progress bar on stderr; nothing is drawn where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    console.quiet = not console.is_terminal  # ``disable`` still writes a line in older rich
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def note(message: str) -> None:
    """Tell the user something that is not a result."""
    typer.echo(message, err=True)


def echo_json(value: Any) -> None:
    """Write one JSON value on one line; escaped to ASCII where stdout cannot carry the rest."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    typer.echo(json.dumps(value, ensure_ascii=not encoding.startswith("utf")))


def replace_what_cannot_be_written() -> None:
    """Let ``?`` be written for characters that the encoding lacks, as ASCII does in LC_ALL=C."""
    for stream in (sys.stdout, sys.stderr):
        # In such a locale Python escapes what it could not read, and nothing else.
        if isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def count(number: int, noun: str) -> str:
    """Return a number with its noun, ``1 passage`` or ``2,000 passages``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def byte_size(number: float) -> str:
    """Return a size in bytes for human readers, ``12.5 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
