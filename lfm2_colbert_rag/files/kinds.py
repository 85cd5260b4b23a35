"""Which reader a file of each kind has, by its suffix."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .epub import read_epub
from .html import read_html
from .json_files import read_json, read_jsonl
from .opendocument import read_odp, read_ods, read_odt
from .options import ReadOptions
from .pdf import read_pdf
from .records import Odd, Reader, Section, SourceFile
from .rtf import read_rtf
from .sheets import read_xlsx
from .slides import read_pptx
from .tables import read_table
from .text import read_text
from .word import read_docx

__all__ = ["READERS", "ROWS", "SUFFIXES", "TEXTS", "readers"]

_WITH_OPTIONS: dict[str, Callable[[SourceFile, ReadOptions], Iterator[Section | Odd]]] = {
    ".csv": read_table,
    ".tsv": read_table,
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".xlsx": read_xlsx,
    ".xlsm": read_xlsx,
    ".ods": read_ods,
}
_OTHERS: dict[str, Reader] = {
    **dict.fromkeys((".txt", ".md", ".markdown", ".rst"), read_text),
    ".pdf": read_pdf,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".docx": read_docx,
    ".pptx": read_pptx,
    ".epub": read_epub,
    ".odt": read_odt,
    ".odp": read_odp,
    ".rtf": read_rtf,
}


def readers(options: ReadOptions) -> dict[str, Reader]:
    """Return the reader of each kind, with the user's options."""
    own = {suffix: _bound(read, options) for suffix, read in _WITH_OPTIONS.items()}
    return {**_OTHERS, **own}


def _bound(
    read: Callable[[SourceFile, ReadOptions], Iterator[Section | Odd]], options: ReadOptions
) -> Reader:
    return lambda file: read(file, options)


READERS = readers(ReadOptions())
"""The reader of each kind, with its defaults."""

ROWS = frozenset({".csv", ".tsv", ".json", ".jsonl", ".ndjson"})
"""Kinds whose passages are somebody's rows: their metadata are the rows' own and nothing else."""

TEXTS = ROWS | {".txt", ".md", ".markdown", ".rst"}
"""Kinds that are bytes in some encoding, from the first to the last."""

SUFFIXES = ", ".join([*READERS, "each also with .gz"])
"""The kinds, for messages."""
