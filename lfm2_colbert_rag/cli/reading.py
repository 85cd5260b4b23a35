"""How files are to be read, as options; and what is said of those that were not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from .output import count, note, plain

if TYPE_CHECKING:
    from ..files.corpus import Corpus
    from ..files.options import ReadOptions
    from ..files.records import Odd
    from ..files.walk import Sources

__all__ = [
    "DelimiterOption",
    "EncodingOption",
    "IdColumnOption",
    "KindOption",
    "TextColumnOption",
    "TypedOption",
    "check_kind",
    "describe_sources",
    "read_options",
    "tell_odd",
]

TextColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--text-column",
        metavar="NAME",
        help="The column of a table, or the key of JSON, that holds the text; 'text' by default. "
        "May be repeated: a line each. '*' is the whole row.",
        show_default=False,
    ),
]
IdColumnOption = Annotated[
    str | None,
    typer.Option(
        "--id-column",
        metavar="NAME",
        help="The column or key that holds the id; 'id' by default, if there is one.",
        show_default=False,
    ),
]
DelimiterOption = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHARACTER",
        help="What stands between the cells of tables; found out by default.",
        show_default=False,
    ),
]
TypedOption = Annotated[
    bool,
    typer.Option(
        "--typed",
        help="Read columns of tables that hold numbers only, or true and false only, as such.",
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Of all texts, such as cp1252; found out by default.",
        show_default=False,
    ),
]
KindOption = Annotated[
    str | None,
    typer.Option(
        "--kind",
        metavar="SUFFIX",
        help="How to read standard input, and files named here whose suffix says nothing: txt, "
        "jsonl, csv ...",
        show_default=False,
    ),
]


def read_options(
    text: list[str] | None, id: str | None, delimiter: str | None, typed: bool
) -> ReadOptions:
    r"""Put the options together; a delimiter may be written ``\t``.

    Raises:
        ConfigError: one of them means nothing.
    """
    from ..files.options import ReadOptions
    from ..files.rows import Columns

    between = "\t" if delimiter in (r"\t", "tab") else delimiter
    return ReadOptions(Columns(tuple(text or ()), id), between, typed)


def check_kind(kind: str, kinds: Collection[str]) -> str:
    """Return a kind as a suffix.

    Raises:
        typer.BadParameter: there is no such kind.
    """
    suffix = f".{kind.lower().lstrip('.')}"
    if suffix not in kinds:
        known = ", ".join(one.removeprefix(".") for one in kinds)
        raise typer.BadParameter(f"--kind must be one of {known}, not {kind}")
    return suffix


def describe_sources(sources: Sources, corpus: Corpus) -> None:
    """Tell what was left out without being odd."""
    if remark := corpus.remark:
        note(remark[0].upper() + remark[1:])
    if sources.skipped:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(sources.skipped.items()))
        note(f"Skipped {count(sources.skipped.total(), 'file')} of other kinds: {kinds}.")
    if corpus.empty:
        note(f"Skipped {count(corpus.empty, 'file')} without any text.")
    if sources.passed_over:
        note(f"Passed over indexes and exports of this library: {', '.join(sources.passed_over)}.")
    for encoding, files in sorted(corpus.guessed.items()):
        shown = ", ".join(map(str, files[:3])) + (" ..." if len(files) > 3 else "")
        note(f"Read {count(len(files), 'file')} as {encoding}, by a guess: {shown}.")


def tell_odd(odd: Sequence[Odd]) -> bool:
    """List what could not be read, each reason once, and say whether there is anything."""
    if not odd:
        return False
    note(f"Could not be read ({len(odd):,}):")
    places: dict[str, list[str]] = {}
    for one in odd:  # a library that is missing is the reason for many
        places.setdefault(one.reason, []).append(one.place)
    for reason, named in places.items():
        note(plain(f"  {', '.join(named)}: {reason}"))
    return True
