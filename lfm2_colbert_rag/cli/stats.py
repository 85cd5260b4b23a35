"""``lfm2-colbert stats``: what an index holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from .options import IndexPlace, JsonFlag
from .output import byte_size, echo_json, make_console, plain

__all__ = ["show_value", "stats"]


def stats(
    folder: IndexPlace,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure the recall of a compressed index again.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show how many passages an index holds, their size, and how well it finds them.

    The fields of their metadata come last, with what they hold, from a sample of the passages: they
    are what --where can ask for.

    Recall is recall@10 against exact search, with its 95 % interval, as it was last measured on the
    index itself: by 'lfm2-colbert optimize', or by --measure.
    Drift is how much worse new passages fit the codebook of a compressed index than those that it
    was made of.
    """
    from ..retriever import Retriever
    from ..retriever.fields import describe_fields

    with Retriever.open(folder, read_only=not measure) as retriever:
        if measure:
            retriever.measure_recall()
        values = retriever.stats().to_dict()
        fields = describe_fields(retriever)
    if as_json:
        echo_json(values | {"fields": [asdict(one) for one in fields]})
        return

    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name in values:
        if name != "nbits" or values[name] is not None:
            table.add_row(name.replace("_", " "), Text(plain(show_value(name, values))))
    for place, one in enumerate(fields):
        shown = Text.assemble(plain(one.name), (f": {plain(str(one))}", "dim"))
        table.add_row("" if place else "metadata", shown)
    make_console().print(table)


def show_value(name: str, values: dict[str, Any]) -> str:
    """Write one figure of an index for people.

    Args:
        name: which one.
        values: all of them, as :meth:`~lfm2_colbert_rag.types.IndexStats.to_dict` gives them.
    """
    value = values[name]
    if name in ("bytes", "lexical_bytes"):
        return "none" if value is None else byte_size(value)
    if name == "recall":
        return "1 (exact search)" if values["storage"] == "exact" else _recall(value)
    if name == "drift":
        return f"{value:.1%}"
    if name == "optimize_due":
        return "no" if value is None else f"yes: {value}"
    if name == "languages":
        return ", ".join(f"{language} {number:,}" for language, number in value.items()) or "none"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _recall(value: dict[str, Any] | None) -> str:
    if value is None:
        return "not measured"
    between = f"{value['low']:.3f}–{value['high']:.3f}"
    return f"{value['recall']:.3f} ({between}, {value['queries']:,} queries)"
