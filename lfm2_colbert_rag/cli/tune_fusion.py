"""``lfm2-colbert tune-fusion``: learn from judged queries how to search by meaning and words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import IndexFolder, JsonFlag
from .output import echo_json, make_console, note

__all__ = ["tune_fusion"]


def tune_fusion(
    folder: IndexFolder,
    queries: Annotated[
        Path,
        typer.Option(
            help='JSON lines, {"id": ..., "text": ...}, or lines of id, tab, text.',
            show_default=False,
        ),
    ],
    qrels: Annotated[
        Path,
        typer.Option(
            help='JSON lines, {"query": id, "doc": id, "score": grade}, TREC\'s or BEIR\'s.',
            show_default=False,
        ),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Learn how much words count in --mode hybrid, and remember it with the index.

    Some 30 judged queries are enough; where they do not show a gain, the default stays.
    """
    from ..evaluation import load_dataset
    from ..retriever import Retriever

    judged = load_dataset(queries=queries, qrels=qrels, missing="drop")
    with Retriever.open(folder) as retriever:
        report = retriever.tune_fusion(judged.queries, judged.qrels)
    for line in judged.notes:
        note(line)
    if as_json:
        echo_json(report.to_dict())
        return
    result = "adopted" if report.adopted else "not adopted; the default stays"
    make_console().print(
        f"{report.measure} on {report.queries} queries: default {report.default:.4f}, learned "
        f"{report.learned:.4f} ({result}). The lexical weight is {report.fusion.weight:.3g}."
    )
