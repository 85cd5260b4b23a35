"""``lfm2-colbert align``: take language out of a model's questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import ModelArgument
from .output import make_console, note

if TYPE_CHECKING:
    from rich.table import Table

    from ..encoder.alignment import Alignment
    from ..encoder.removals import Measured

__all__ = ["align"]


def align(
    model: ModelArgument,
    texts: Annotated[
        Path | None,
        typer.Option(
            "--texts",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help='Your own texts: JSON lines, each {"en": ..., "de": ...} with a text, or with '
            '{"question": ..., "passage": ...}. Else everyday ones in 17 languages that come with '
            "the library.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write the query adapter here; as query_adapter.safetensors in the folder of a "
            "model it is the model's own.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Find what to take out of questions so that their language decides less.

    In an index of many languages most models prefer passages in the language of the question. Few
    directions of their vectors tell languages apart. This finds which, and how far to take them out
    of questions, by questions with known answers; what passages are stored as stays as it is. Where
    questions with answers in their own language would lose, or nothing is gained, it writes
    nothing and says so.

    Use it with: lfm2-colbert search DIR QUESTION --query-adapter FILE
    """
    from .._support.progress import reporting
    from ..encoder import load_encoder
    from ..encoder.aligned_texts import AlignedTexts
    from ..encoder.alignment import align as find

    aligned = AlignedTexts.bundled() if texts is None else AlignedTexts.read(texts)
    encoder = load_encoder(model)
    questions = len(aligned) * len(aligned.languages)
    with reporting(None, questions, "aligning") as report:
        found = find(encoder, aligned, progress=report)
    make_console().print(_table(found))
    if found.adapter is None:
        note("Nothing is gained: questions are best put as they are, and nothing was written.")
    elif out is None:
        note("Write the last line's adapter with --out FILE.")
    else:
        found.adapter.save(out)
        note(f"Wrote {out}.")


def _table(found: Alignment) -> Table:
    from rich.table import Table

    from ..encoder.removals import WAYS

    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
    table.title = f"{found.model}, measured on {found.texts} ({len(found.languages)} languages)"
    for name in ("questions", "answer in another language", "in their own"):
        table.add_column(name, justify="left" if name == "questions" else "right")
    table.add_row("as they are", *_figures(found.plain))
    for way in WAYS:
        best = found.best_of(way)
        if best is None:
            table.add_row(f"without {WAYS[way]}", "–", "would lose", style="dim")
        else:
            chosen = "bold" if found.adapter is not None and best is found.best else ""
            table.add_row(str(best.removal), *_figures(best.measured), style=chosen)
    return table


def _figures(measured: Measured) -> list[str]:
    return [f"{one:.3f}" for one in (measured.across, measured.within)]
