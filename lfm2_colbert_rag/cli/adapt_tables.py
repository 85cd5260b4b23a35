"""What ``lfm2-colbert adapt`` shows as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from ..training import Figure, Verdict

__all__ = ["figures_table"]


def figures_table(verdict: Verdict) -> Table:
    """Return the figures of a verdict; p is corrected where it decides."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), title_justify="left")
    table.title = "nDCG@10 with the present model and the new one"
    table.add_column("questions", overflow="fold")
    table.add_column("mode")
    for name in ("number", "before", "after", "gain", "p"):
        table.add_column(name, justify="right")
    for one in verdict.figures:
        table.add_row(one.name, one.mode, *_cells(one))
    known = verdict.membership
    if known is not None:
        for name, (before, after) in (("trained", known.trained), ("kept", known.held_out)):
            rise = f"{after - before:+.3f}"
            table.add_row(
                f"first hit right, {name}", "late", "", f"{before:.3f}", f"{after:.3f}", rise, ""
            )
    return table


def _cells(one: Figure) -> list[str]:
    p = one.p if one.corrected is None else one.corrected
    return [
        f"{one.questions:,}",
        f"{one.before:.3f}",
        f"{one.after:.3f}",
        f"{one.gain:+.3f}",
        f"{p:.4f}",
    ]
