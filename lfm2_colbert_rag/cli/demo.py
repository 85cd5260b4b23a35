"""``lfm2-colbert demo``: questions in one language, answers in another."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from .options import typed_text
from .output import count, make_console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ..retriever import Retriever
    from ..types import Hit

__all__ = ["Question", "demo", "load_questions"]

_DATA = files(__package__) / "demo_data"


@dataclass(frozen=True)
class Question:
    """A question of the demo.

    Attributes:
        text: the question.
        lang: its language; empty for a question of the user's own.
        asked_of: the language of the passages that it is put to; empty for all of them.
        answers: ids of the passages that answer it; empty where nobody has judged that.
    """

    text: str
    lang: str = ""
    asked_of: str = ""
    answers: tuple[str, ...] = ()


def load_questions() -> list[Question]:
    """Return the questions that come with the demo, in order."""
    lines = (_DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Question(fields["text"], fields["lang"], fields["asked_of"], tuple(fields["answers"]))
        for fields in map(json.loads, lines)
    ]


def demo(
    asked: Annotated[
        list[str] | None,
        typer.Option(
            "--question",
            "-q",
            help="Ask this instead; may be repeated.",
            show_default=False,
        ),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="DIR", help="Keep the index here.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="small, nano, a hub id, or a folder; small where it is installed, else nano.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Index a hundred passages in twelve languages and ask them questions in others.

    The passages are notes of a help desk, a bank, a library and others. Each question is put to
    the passages of one other language, through a filter on their metadata.
    """
    from ..encoder.installed_models import SMALL, installed_model
    from ..retriever import Retriever

    model = model or (SMALL if installed_model(SMALL) else "nano")
    questions = [Question(typed_text(text)) for text in asked] if asked else load_questions()
    console = make_console()
    with _folder(into) as folder, Retriever.open(folder, model=model) as retriever:
        _add_passages(retriever, console, model)
        if not asked:
            console.print("Each question is put to the passages of one language, not its own.")
        answers = [_ask(retriever, question) for question in questions]
        console.print(_table(questions, answers, marks=console.color_system is None))
        judged = [pair for pair in zip(questions, answers, strict=True) if pair[0].answers]
        if judged:
            texts = [question.text for question in questions]
            everywhere = [
                retriever.search_many(texts, 1, query_adapter=adapter)
                for adapter in ("auto", "none")
            ]
            console.print(_verdict(judged, everywhere, model) + "\n")
        _show_frameworks(console, retriever, questions[0].text)
    _show_next(console, into, questions[0].text)


@contextmanager
def _folder(into: Path | None) -> Iterator[Path]:
    if into is not None:
        yield into
        return
    # Windows cannot remove a file that is still mapped; leaving it to the system is no tragedy.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "demo.index"


def _add_passages(retriever: Retriever, console: Console, model: str) -> None:
    from ..files.corpus import Corpus
    from ..files.kinds import READERS
    from ..files.records import SourceFile
    from .index import add_corpus

    with as_file(_DATA / "passages.jsonl") as path, Corpus(READERS, prefix=None) as corpus:
        corpus.read([SourceFile(path, path.name)])
        passages = list(corpus)
        add_corpus(retriever, corpus)
    languages = len({passage.metadata["lang"] for passage in passages})
    console.print(
        f"{count(len(passages), 'passage')} in {languages} languages, indexed with {model}."
    )


def _table(questions: list[Question], answers: list[list[Hit]], *, marks: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from .highlight import highlight_passage, highlight_query

    table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1, 0, 0), leading=1)
    table.add_column("", no_wrap=True, style="cyan")
    table.add_column("question", ratio=4, overflow="fold")
    table.add_column("", no_wrap=True)
    table.add_column("", no_wrap=True, style="cyan")
    table.add_column("best passage", ratio=7, overflow="fold")
    for question, hits in zip(questions, answers, strict=True):
        if not hits:
            continue
        best = hits[0]
        passage = Text.assemble((best.id, "bold"), (f"  {best.relevance:.2f}\n", "dim"))
        passage.append_text(highlight_passage(question.text, best, marks=marks))
        mark, remark = _judge(question, hits)
        if remark:
            passage.append(f"\n{remark}", style="red")
        asked = highlight_query(question.text, best, marks=marks)
        table.add_row(question.lang, asked, mark, str(best.metadata.get("lang", "")), passage)
    return table


def _judge(question: Question, hits: list[Hit]) -> tuple[str, str]:
    """Return a tick or a cross, and for a cross where the answer is instead."""
    if not question.answers:
        return "", ""
    if hits[0].id in question.answers:
        return "[green]✓[/]", ""
    later = next((hit.id for hit in hits if hit.id in question.answers), None)
    where = f"comes later: {later}" if later else f"is not among the first {len(hits)}"
    return "[red]✗[/]", f"The answer {where}."


def _ask(retriever: Retriever, question: Question) -> list[Hit]:
    where = {"lang": question.asked_of} if question.asked_of else None
    return retriever.search(question.text, 3, where=where)


def _verdict(
    judged: list[tuple[Question, list[Hit]]], everywhere: list[list[list[Hit]]], model: str
) -> str:
    """Say how many answers came first: in their language, and everywhere, with and without."""
    questions = [question for question, _ in judged]
    first = _first(questions, [hits for _, hits in judged])
    adapted, plain = (_first(questions, answers) for answers in everywhere)
    return (
        "Highlighted: words of the passage that matched words of the question.\n"
        f"{first} of {len(judged)} answers came first among the passages of their language, and\n"
        f"{adapted} among all passages of all languages with {model}; {plain} where its query "
        "adapter\n"
        "does not take language out of the questions. nano and small are for a start;\n"
        "--model LiquidAI/LFM2-ColBERT-350M is the model for work."
    )


def _first(questions: list[Question], answers: list[list[Hit]]) -> int:
    pairs = zip(questions, answers, strict=True)
    return sum(hits[0].id in question.answers for question, hits in pairs if hits)


def _show_frameworks(console: Console, retriever: Retriever, question: str) -> None:
    from .frameworks import ask_langchain, ask_llama_index

    console.print(f"The same index in other frameworks, asked: {question}", markup=False)
    for ask in (ask_langchain, ask_llama_index):
        console.print(ask(retriever, question), markup=False, soft_wrap=True)


def _show_next(console: Console, into: Path | None, question: str) -> None:
    folder = into or Path("demo.index")
    first = f"lfm2-colbert search {quote(str(folder))} {quote(question)}"
    if into is None:
        commands = [f"lfm2-colbert demo --into {quote(str(folder))}", first]
    else:
        commands = [first, "lfm2-colbert index YOUR-FOLDER --into your.index --model nano"]
    console.print("\nTry next:", *commands, sep="\n  ", markup=False, soft_wrap=True)
