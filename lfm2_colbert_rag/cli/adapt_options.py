"""The options of ``lfm2-colbert adapt``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ..retriever import Retriever
    from ..training import Labels

__all__ = [
    "AskedIndexOption",
    "GuardOption",
    "IntoOption",
    "JudgedModelOption",
    "MemoryOption",
    "MethodOption",
    "MinutesOption",
    "NewModelOption",
    "NewWorkOption",
    "NoLabelsOption",
    "PairsOption",
    "QrelsOption",
    "QueriesOption",
    "ReportOption",
    "SeedOption",
    "WorkFolder",
    "read_memory",
    "read_options",
]

_FILE = {"metavar": "FILE", "show_default": False}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)B?\s*", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

WorkFolder = Annotated[
    Path,
    typer.Argument(metavar="WORK", help="The folder that 'adapt mine' made.", show_default=False),
]
NewWorkOption = Annotated[
    Path,
    typer.Option("--into", metavar="DIR", help="The work folder to make.", show_default=False),
]
IntoOption = Annotated[
    Path | None,
    typer.Option(
        "--into",
        metavar="DIR",
        help="The work folder: a new one, or one to go on with. Beside the index if left out.",
        show_default=False,
    ),
]
PairsOption = Annotated[
    Path | None,
    typer.Option(
        "--pairs",
        "--log",
        help='Pairs, triplets or clicks, as JSON lines: {"query", "id"}, {"query", "text"}, '
        '{"query", "positive", "negatives"}, {"query", "pos", "neg"}, {"query", "clicked"}; or a '
        "folder as BEIR has it.",
        **_FILE,
    ),
]
QueriesOption = Annotated[
    Path | None,
    typer.Option("--queries", help="Queries: JSON Lines, or lines of id, tab, text.", **_FILE),
]
QrelsOption = Annotated[
    Path | None,
    typer.Option("--qrels", help="Judgements: JSON Lines, TREC's or BEIR's.", **_FILE),
]
NoLabelsOption = Annotated[
    bool,
    typer.Option(
        "--no-labels",
        help="Train with questions made of titles and first sentences. Labels, if there are any, "
        "then only judge; without any nothing is proven, and nothing adopted.",
    ),
]
GuardOption = Annotated[
    Path | None,
    typer.Option(
        "--guard",
        metavar="DIR",
        help="Passages, queries and judgements of other matters that must not be forgotten.",
        show_default=False,
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of division and training.")]
NewModelOption = Annotated[
    Path,
    typer.Option("--into", metavar="DIR", help="The new folder of the model.", show_default=False),
]
JudgedModelOption = Annotated[
    Path,
    typer.Option(
        "--model",
        metavar="DIR",
        help="The folder of the model, or a query adapter's file.",
        show_default=False,
    ),
]
MethodOption = Annotated[
    Literal["query", "head", "lora", "layers"],
    typer.Option(
        "--method",
        help="query: a map on the vectors of questions; nothing is encoded again. head: the last "
        "projection. layers: all but the table of words. lora: the same in less memory.",
    ),
]
MinutesOption = Annotated[
    float, typer.Option("--minutes", metavar="N", help="Train so long at most.")
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory", metavar="SIZE", help="Train in so much memory, such as 4GB.", show_default=False
    ),
]
AskedIndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index",
        metavar="DIR",
        help="Where the index is now, if it was moved since.",
        show_default=False,
    ),
]
ReportOption = Annotated[
    bool,
    typer.Option(
        "--report/--no-report",
        help="Write a report with questions and passages into the work folder.",
    ),
]


def read_memory(text: str | None) -> int | None:
    """Read a size such as ``4GB``; None for None.

    Raises:
        typer.BadParameter: it is none.
    """
    if text is None:
        return None
    found = _SIZE.fullmatch(text)
    if found is None or not float(found[1]):
        raise typer.BadParameter(f"--memory must be a size such as 4GB or 800MB, not {text!r:.40}.")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def read_options(
    retriever: Retriever, pairs: Path | None, queries: Path | None, qrels: Path | None, own: bool
) -> Labels | None:
    """Read the labels that the options name; None where there are none.

    Raises:
        typer.BadParameter: they name too many, too few, or one half.
    """
    from ..training import read_judgements, read_pairs

    if (queries is None) != (qrels is None):
        raise typer.BadParameter("--queries and --qrels belong together; give both.")
    if pairs is not None and queries is not None:
        raise typer.BadParameter("give --pairs, or --queries and --qrels, not both.")
    if pairs is not None:
        return read_pairs(retriever, pairs)
    if queries is not None and qrels is not None:
        return read_judgements(retriever, queries, qrels)
    if not own:
        raise typer.BadParameter(
            "name the labels: --pairs FILE, or --queries and --qrels; or train without: "
            "--no-labels."
        )
    return None
