"""A progress bar for work that lasts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

ProgressLike: TypeAlias = "bool | Callable[[int], None] | None"

# Fewer texts than this are done before a bar could be read.
LONG = 200


@contextmanager
def reporting(
    progress: ProgressLike, total: int | None, description: str
) -> Iterator[Callable[[int], None]]:
    """Give a function to call with the number of texts just finished.

    Args:
        progress: a function of the caller's own; True for a bar; False for nothing; None for a
            bar where the work is long and a person is looking at the terminal.
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

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda finished: bar.advance(task, finished)
