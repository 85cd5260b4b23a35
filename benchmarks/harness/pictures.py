"""The style of all plots, and where they go; needs matplotlib."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .command import PLOTS


@contextmanager
def picture(
    name: str, rows: int = 1, columns: int = 1, **options: Any
) -> Iterator[tuple[Any, Any]]:
    """Yield a figure and its panels, ``(rows, columns)``, and save it at the end.

    Args:
        name: of the file below ``benchmarks/plots``, or the path of a file.
        rows: of panels.
        columns: of panels.
        **options: of ``Figure.subplots``, and ``size``, in inches.
    """
    from matplotlib.figure import Figure

    path = Path(name) if name.endswith(".png") else PLOTS / f"{name}.png"
    figure = Figure(figsize=options.pop("size"), layout="constrained")
    yield figure, figure.subplots(rows, columns, squeeze=False, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, facecolor="white")


def finish(panel: Any, xlabel: str, ylabel: str) -> None:
    """Label a panel of points and lines, with a grid and a legend."""
    panel.set_xlabel(xlabel)
    panel.set_ylabel(ylabel)
    panel.grid(alpha=0.3, which="both")
    panel.legend(fontsize=8)
