"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..cluster.address import is_address
from ..types import Mode, Storage

__all__ = [
    "BitsOption",
    "IndexFolder",
    "IndexPlace",
    "JsonFlag",
    "LexicalOption",
    "ModeOption",
    "ModelArgument",
    "ModelOption",
    "NewFolder",
    "OverlapOption",
    "PoolOption",
    "QueryAdapterOption",
    "StorageOption",
    "TargetOption",
    "TargetPlace",
    "WhereOption",
    "may_be_index",
    "parse_where",
    "read_place",
    "typed_text",
]

IndexFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder of an index.", show_default=False)
]


def read_place(text: str) -> Any:
    """Return an address as it is written, and a folder as a path."""
    return text if is_address(text) else Path(text)


# Of a folder or an address: a path would lose one of the slashes of the latter.
IndexPlace = Annotated[
    Path,
    typer.Argument(
        metavar="INDEX",
        help="The folder of an index, or its address, such as qdrant://host:6334/manuals.",
        parser=read_place,
        show_default=False,
    ),
]
TargetPlace = Annotated[
    Path,
    typer.Option(
        "--into",
        metavar="INDEX",
        help="The folder of the index, or its address; made if it is not there.",
        parser=read_place,
        show_default=False,
    ),
]
NewFolder = Annotated[
    Path, typer.Option("--into", metavar="DIR", help="A new folder.", show_default=False)
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="JSON",
        help="""Only passages whose metadata matches, such as '{"lang": "es"}'; 'lfm2-colbert
        stats' lists the fields.""",
        show_default=False,
    ),
]
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="nano, a hub id, or a folder.", show_default=False)
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="nano (comes with the library), a hub id, or a folder. An existing index knows its "
        "own.",
        show_default=False,
    ),
]
OverlapOption = Annotated[
    int | None,
    typer.Option(
        "--window-overlap",
        metavar="TOKENS",
        min=0,
        help="What two windows of a long text share at most; an eighth of a window by default. "
        "Chosen when the index is made.",
        show_default=False,
    ),
]
PoolOption = Annotated[
    int | None,
    typer.Option(
        "--pool-factor",
        metavar="N",
        min=1,
        help="Keep about one vector for N tokens: a smaller index, a little less quality. Chosen "
        "when the index is made; above 1 it needs the extra 'pooling'.",
        show_default=False,
    ),
]
StorageOption = Annotated[
    Storage | None,
    typer.Option(
        "--storage",
        help="exact: vectors as they are, all compared with every question. compressed: a few "
        "bits a dimension, for millions of passages. auto, the default: exact until compression "
        "pays. May be changed later, but not back to exact.",
        show_default=False,
    ),
]
BitsOption = Annotated[
    int | None,
    typer.Option(
        "--nbits",
        metavar="2|4",
        help="Bits a dimension of compressed vectors; 4 by default. Chosen when the index is made.",
        show_default=False,
    ),
]
LexicalOption = Annotated[
    bool | None,
    typer.Option(
        "--lexical/--no-lexical",
        help="Keep the words of passages as well, for --mode lexical and hybrid; a new index does "
        "so by default. May be changed later.",
        show_default=False,
    ),
]
ModeOption = Annotated[
    Mode | None,
    typer.Option(
        "--mode",
        help="late: by the meaning of words, in any language. lexical: by the words themselves "
        "(BM25). hybrid: by both; the default where the index keeps words.",
        show_default=False,
    ),
]
QueryAdapterOption = Annotated[
    str,
    typer.Option(
        "--query-adapter",
        metavar="auto|none|FILE",
        help="The map that questions go through. auto: the index's own, and the model's, which "
        "takes language out of them where an index holds several. A file: what lfm2-colbert align "
        "wrote.",
    ),
]
TargetOption = Annotated[
    float | None,
    typer.Option(
        "--target-recall",
        metavar="SHARE",
        help="Search a compressed index as thoroughly as this recall@10 needs, such as 0.95. "
        "Measured on the index itself the first time, and remembered by it.",
        show_default=False,
    ),
]

_EXAMPLE = """{"year": {"$gte": 2024}}"""


def typed_text(text: str) -> str:
    """Return what the user typed where Python took its UTF-8 for ASCII, as in LC_ALL=C."""
    try:
        return text.encode("ascii", "surrogateescape").decode() if not text.isascii() else text
    except UnicodeError:  # it was understood, or is not UTF-8
        return text


def parse_where(text: str | None) -> dict[str, Any] | None:
    """Read the value of ``--where``.

    Args:
        text: what the user typed, or None.

    Returns:
        The filter, or None.

    Raises:
        typer.BadParameter: it is not a JSON object.
    """
    if text is None:
        return None
    try:
        where = json.loads(typed_text(text))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise typer.BadParameter(
            f"--where is not JSON ({reason}); write for example --where '{_EXAMPLE}'"
        ) from None
    if not isinstance(where, dict):
        raise typer.BadParameter(
            f"--where must be a JSON object, not {text[:40]}; write for example "
            f"--where '{_EXAMPLE}'"
        )
    return where


def may_be_index(place: Path) -> bool:
    """Tell whether there is an index; of an address nobody knows before it is opened."""
    from ..storage.store import Store

    return is_address(place) or Store.is_index(place)
