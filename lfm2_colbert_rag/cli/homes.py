"""A ``~`` in a path is the home wherever a command takes one, also where a shell left it alone.

Shells expand what stands by itself, and neither ``'~/index'`` nor ``--into=~/index``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")


def at_home(command: Callable[..., _T]) -> Callable[..., _T]:
    """Return a command that gets its paths with ``~`` expanded.

    Args:
        command: typer sees its parameters as they are.

    Example:
        >>> from pathlib import Path
        >>> at_home(lambda path: path == Path.home() / "index")(path=Path("~/index"))
        True
    """

    @functools.wraps(command)
    def run(*args: Any, **named: Any) -> _T:
        return command(*args, **{name: _expanded(value) for name, value in named.items()})

    return run


def _expanded(value: Any) -> Any:
    if isinstance(value, Path):
        try:
            return value.expanduser()
        except RuntimeError:  # nobody knows this home: a folder may be called so
            return value
    if isinstance(value, list | tuple):
        return type(value)(_expanded(one) for one in value)
    return value
