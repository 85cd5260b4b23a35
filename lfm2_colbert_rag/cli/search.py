"""``lfm2-colbert search``: ask an index a question."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..types import public_metadata
from .options import (
    IndexPlace,
    JsonFlag,
    ModeOption,
    QueryAdapterOption,
    TargetOption,
    WhereOption,
    parse_where,
    typed_text,
)
from .output import echo_json, make_console, note, plain

if TYPE_CHECKING:
    from rich.table import Table

    from ..retriever import Retriever
    from ..types import Hit, Mode

__all__ = ["hit_to_dict", "search"]

SHOWN = 320  # characters of a passage in the table


def search(
    folder: IndexPlace,
    question: Annotated[
        str, typer.Argument(help="Your question, in any language.", show_default=False)
    ],
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="How many passages.")] = 5,
    where: WhereOption = None,
    mode: ModeOption = None,
    query_adapter: QueryAdapterOption = "auto",
    target_recall: TargetOption = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say how the search went about it, too.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Find the passages that answer a question, best first, with the words that matched.

    With --json each passage is one line: id, score, relevance, text, metadata, window (the
    characters of the part of a long text that answered; null for all of it), legs (rank and score
    that each way of searching gave) and evidence. With
    --plan a last line has the key plan, and nothing else.
    """
    from ..retriever import Retriever

    wanted, question = parse_where(where), typed_text(question)
    with Retriever.open(
        folder,
        mode=mode,
        query_adapter=query_adapter,
        read_only=True,
        target_recall=target_recall,
    ) as retriever:
        hits = retriever.search(question, k, where=wanted)
        if as_json:
            for hit in hits:
                echo_json(hit_to_dict(hit, question))
        elif hits:
            console = make_console()
            console.print(_table(question, hits, marks=console.color_system is None))
        else:
            note(_why_nothing(retriever, mode, wanted))
        if plan:
            _show_plan(retriever, question, k, wanted, as_json=as_json)


def hit_to_dict(hit: Hit, question: str) -> dict[str, Any]:
    """Return a hit as a JSON object.

    Args:
        hit: what a search returned.
        question: the question it answers, to quote the matched words.

    Returns:
        Its fields, and the evidence as :meth:`Hit.quote_evidence` gives it.
    """
    return {
        "id": hit.id,
        "score": hit.score,
        "relevance": hit.relevance,
        "text": hit.text,
        "metadata": public_metadata(hit.metadata),
        "window": None if hit.window is None else list(hit.window),
        "legs": {name: asdict(leg) for name, leg in hit.legs.items()},
        "evidence": hit.quote_evidence(question),
    }


def _why_nothing(retriever: Retriever, mode: Mode | None, where: dict[str, Any] | None) -> str:
    from ..retriever.fields import why_nothing

    if not len(retriever):
        return "The index is empty."
    if where is not None and (mode != "lexical" or not retriever.count(where)):
        return why_nothing(retriever, where)
    among = "" if where is None else " that matches --where"
    return f"No passage{among} shares a word with the question."


def _table(question: str, hits: list[Hit], *, marks: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from .highlight import highlight_passage

    table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1, 0, 0), leading=1)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("relevance", justify="right", no_wrap=True)
    table.add_column("passage", ratio=1, overflow="fold")
    for rank, hit in enumerate(hits, 1):
        passage = Text.assemble(
            (plain(hit.id), "bold"),
            "  ",
            (plain(_metadata_line(public_metadata(hit.metadata))), "dim"),
            "\n",
        )
        passage.append_text(highlight_passage(question, hit, limit=SHOWN, marks=marks))
        table.add_row(str(rank), f"{hit.relevance:.2f}", passage)
    return table


def _show_plan(
    retriever: Retriever, question: str, k: int, where: dict[str, Any] | None, *, as_json: bool
) -> None:
    plan = retriever.plan(question, k=k, where=where)
    if as_json:
        echo_json({"plan": plan.to_dict()})
    else:
        make_console(stderr=True).print(plan)


def _metadata_line(metadata: dict[str, Any]) -> str:
    return "  ".join(
        f"{key}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for key, value in metadata.items()
    )
