"""A progress bar for work that lasts; a line now and then where no bar can be drawn."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console

ProgressLike: TypeAlias = "bool | Callable[[int], None] | None"

# Fewer texts than this are done before a bar could be read.
LONG = 200
# Seconds between two lines.
EVERY = 10.0


@contextmanager
def reporting(
    progress: ProgressLike, total: int | None, description: str
) -> Iterator[Callable[[int], None]]:
    """Give a function to call with the number of texts just finished.

    Args:
        progress: a function of the caller's own; True for a bar, or for a line every ten seconds
            where none can be drawn; False for nothing; None for a bar where the work is long
            and a person is looking at the terminal.
        total: number of texts in all; None where nobody knows, which counts as long.
        description: what is going on.
    """
    if callable(progress):
        yield progress
        return
    long = total is None or total >= LONG
    wanted = (long and sys.stderr.isatty()) if progress is None else progress
    if not wanted:
        yield lambda finished: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield _Lines(console, total, description)
        return
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda finished: bar.advance(task, finished)


class _Lines:
    """Writes how far the work is, at most once in :data:`EVERY` seconds."""

    def __init__(self, console: Console, total: int | None, description: str) -> None:
        self._console = console
        self._of = "" if total is None else f" of {total:,}"
        self._what = description
        self._finished = 0
        self._told = time.monotonic()

    def __call__(self, finished: int) -> None:
        """Count what was just finished."""
        self._finished += finished
        now = time.monotonic()
        if now - self._told >= EVERY:
            self._told = now
            line = f"{self._what}: {self._finished:,}{self._of}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
