"""The options of ``lfm2-colbert evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import read_place

__all__ = [
    "AskedIndexOption",
    "CompareOption",
    "CorpusOption",
    "DataOption",
    "DepthOption",
    "LanguagesOption",
    "LimitOption",
    "MeasuresOption",
    "MissingOption",
    "ModesOption",
    "OwnOption",
    "PassageLanguagesOption",
    "ProgressOption",
    "QrelsOption",
    "QueriesOption",
    "QueryLanguagesOption",
    "ReportOption",
    "TitlesOption",
]

_FILE = {"metavar": "FILE", "show_default": False}

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="A folder with corpus.jsonl, queries.jsonl and qrels.jsonl, or as BEIR has it.",
        show_default=False,
    ),
]
CorpusOption = Annotated[
    Path | None, typer.Option("--corpus", help="Passages, as JSON Lines.", **_FILE)
]
QueriesOption = Annotated[
    Path | None,
    typer.Option("--queries", help="Queries: JSON Lines, or lines of id, tab, text.", **_FILE),
]
QrelsOption = Annotated[
    Path | None,
    typer.Option("--qrels", help="Judgements: JSON Lines, TREC's or BEIR's.", **_FILE),
]
AskedIndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index",
        metavar="INDEX",
        help="Ask this index, a folder or an address; otherwise the corpus is indexed for the time "
        "being.",
        parser=read_place,
        show_default=False,
    ),
]
ModesOption = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="LIST",
        help="late, lexical, hybrid; the index's own way if left out.",
        show_default=False,
    ),
]
MeasuresOption = Annotated[
    str, typer.Option("--measures", metavar="LIST", help="Such as nDCG@10,R@100,AP.")
]
DepthOption = Annotated[
    int | None,
    typer.Option(
        "-k",
        min=1,
        help="Hits a query; what the measures need if left out.",
        show_default=False,
    ),
]
LanguagesOption = Annotated[
    str | None,
    typer.Option(
        "--languages",
        metavar="LIST",
        help="Of a folder in several languages, such as XQuAD: ask in each, search in each.",
        show_default=False,
    ),
]
QueryLanguagesOption = Annotated[
    str | None,
    typer.Option("--queries-lang", metavar="LIST", help="Ask in these only.", show_default=False),
]
PassageLanguagesOption = Annotated[
    str | None,
    typer.Option(
        "--passages-lang", metavar="LIST", help="Search in these only.", show_default=False
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--max-queries",
        metavar="N",
        min=1,
        help="At most so many queries, evenly spaced.",
        show_default=False,
    ),
]
TitlesOption = Annotated[
    bool | None,
    typer.Option(
        "--titles/--no-titles",
        help="Put titles before texts; by default for BEIR's files only.",
        show_default=False,
    ),
]
MissingOption = Annotated[
    str,
    typer.Option(
        "--missing",
        metavar="error|keep|drop",
        help="What to do with judgements of queries and passages that are not there: keep "
        "counts them as not found, drop leaves them out.",
    ),
]
OwnOption = Annotated[
    bool | None,
    typer.Option(
        "--leave-out-own/--keep-own",
        help="Whether the passage with a query's own id is left out of its hits; by default for "
        "BEIR's files only, as BEIR does.",
        show_default=False,
    ),
]
ProgressOption = Annotated[
    bool,
    typer.Option(
        "--progress/--no-progress",
        help="Show how far it is: a bar, or a line every ten seconds where none can be drawn.",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="DIR",
        help="Write report.html, report.md, evaluation.json and TREC run files there.",
        show_default=False,
    ),
]
CompareOption = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--compare",
        metavar="A.json B.json",
        help="Compare two evaluations that were written before, and do nothing else.",
        show_default=False,
    ),
]
