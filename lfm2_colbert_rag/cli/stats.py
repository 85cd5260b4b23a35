"""``lfm2-colbert stats``: what an index holds."""

from __future__ import annotations

from typing import Any

from .options import IndexFolder, JsonFlag
from .output import byte_size, echo_json, make_console, plain

__all__ = ["stats"]


def stats(folder: IndexFolder, as_json: JsonFlag = False) -> None:
    """Show how many passages an index holds, their size, and the model that made it."""
    from ..retriever import Retriever

    with Retriever.open(folder, create=False) as retriever:
        values = retriever.stats().to_dict()
    if as_json:
        echo_json(values)
        return

    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name.replace("_", " "), Text(plain(_show(name, value))))
    make_console().print(table)


def _show(name: str, value: Any) -> str:
    if name == "bytes":
        return byte_size(value)
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
