"""Tables as text: CSV and its relatives, as spreadsheet programs and databases write them."""

from __future__ import annotations

import csv
import io
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..errors import InputError
from .cells import Kinds
from .encodings import open_text
from .options import DEFAULTS, ReadOptions
from .records import Odd, Section, SourceFile
from .rows import Columns, to_section

__all__ = ["DELIMITERS", "read_table"]

DELIMITERS = ",;\t|"
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAMPLE = 1 << 16
# The first line that Excel writes and reads where the delimiter is not the country's own.
_HINT = re.compile(r'"?sep=(.)"?\s*$', re.IGNORECASE)
# Stands where a table of one column has no delimiter: texts in it may hold any of the others.
_NONE = "\x1f"


def read_table(file: SourceFile, options: ReadOptions = DEFAULTS) -> Iterator[Section | Odd]:
    """Read a passage a row, below a header that names the columns.

    Rows whose cells are all blank are left out, and so are columns without a name. Cells may be of
    any length, and hold line breaks in quotes.

    Args:
        file: the file.
        options: how it is read.

    Raises:
        InputError: it is no text, or its header names no column of texts.
        OSError: it cannot be read.
    """
    kinds = _find_kinds(file, options) if options.typed else None
    with open_text(file, newline="") as stream:
        table = _Table.begin(stream, options)
        columns = options.columns.find(table.names)
        for place, row in table.rows():
            found = row if isinstance(row, Odd) else to_section(row, columns, place)
            if kinds is not None and isinstance(found, Section):
                found = replace(found, metadata=kinds.values(found.metadata))
            yield found


class _Table:
    """A table whose header was read."""

    def __init__(self, reader: Any, header: list[str], delimiter: str, above: int) -> None:
        self._reader = reader
        self._header = header
        self._delimiter = delimiter
        self._above = above  # lines that the reader did not see

    @classmethod
    def begin(cls, stream: io.TextIOWrapper, options: ReadOptions) -> _Table:
        """Read what stands above the rows.

        Raises:
            InputError: there is no row at all.
        """
        sample = stream.read(_SAMPLE)
        stream.seek(0)
        hint = _HINT.match(sample.partition("\n")[0].partition("\r")[0])
        if hint:
            stream.readline()
        delimiter = options.delimiter or (hint[1] if hint else _sniff(sample, options.columns))
        reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True, strict=True)
        while True:
            with _any_length():
                try:
                    row = next(reader, None)
                except csv.Error as error:
                    raise InputError(
                        f"line {reader.line_num}: no header of CSV ({error})."
                    ) from None
            if row is None:
                raise InputError("it holds no header. Name the columns in the first line.")
            if any(cell.strip() for cell in row):
                return cls(reader, _named(row), delimiter, 1 if hint else 0)

    @property
    def names(self) -> list[str]:
        """The names of the columns; those without one are left out."""
        return [name for name in self._header if name]

    def rows(self) -> Iterator[tuple[str, dict[str, str] | Odd]]:
        """Yield the place of each row, and its cells by their columns; blank cells are left out."""
        while True:
            place = f"line {self._above + self._reader.line_num + 1}"
            with _any_length():
                try:
                    row = next(self._reader, None)
                except csv.Error as error:
                    yield place, Odd(place, self._broken(error))
                    continue
            if row is None:
                return
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield place, self._fields(cells, place)

    def _fields(self, row: list[str], place: str) -> dict[str, str] | Odd:
        while len(row) > len(self._header) and not row[-1]:
            row.pop()
        if len(row) != len(self._header):
            values, columns = _count(len(row), "value"), _count(len(self._header), "column")
            between = _NAMES.get(self._delimiter, repr(self._delimiter))
            return Odd(
                place,
                f"{values}, but the header names {columns}. Put "
                f'values that contain {between} or line breaks in "quotes".',
            )
        pairs = zip(self._header, row, strict=True)
        return {name: cell for name, cell in pairs if name and cell}

    @staticmethod
    def _broken(error: csv.Error) -> str:
        if "end of data" in str(error):
            return "a quote is opened here and never closed, so all that follows is lost."
        return f"not a row of CSV ({error})."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _named(row: list[str]) -> list[str]:
    """Return the names of columns, bare; those that come again are numbered."""
    seen: Counter[str] = Counter()
    names = []
    for cell in row:
        name = cell.strip()
        seen[name] += 1
        names.append(f"{name} ({seen[name]})" if name and seen[name] > 1 else name)
    while names and not names[-1]:
        names.pop()
    return names


def _sniff(sample: str, columns: Columns) -> str:
    """Tell what stands between cells: with which the header has the columns that are wanted."""
    found = [_judge(sample, delimiter, columns) for delimiter in DELIMITERS]
    best = max(found)
    if best[1] == 1:
        return _NONE
    return DELIMITERS[found.index(best)]


def _judge(sample: str, delimiter: str, columns: Columns) -> tuple[bool, int]:
    """Return whether a delimiter gives the columns, and how many there are in all rows."""
    with _any_length():
        text = io.StringIO(sample, newline="")
        reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True)
        rows: list[list[str]] = []
        try:
            for row in reader:
                if any(cell.strip() for cell in row) and not _HINT.match(delimiter.join(row)):
                    rows.append(row)
                if len(rows) == 20:
                    break
        except csv.Error:
            pass
    if not rows:
        return False, 1
    try:
        columns.find(_named(rows[0]))
    except InputError:
        alike = [len(row) for row in rows]
        return False, max(set(alike), key=alike.count)
    return True, len(rows[0])


def _find_kinds(file: SourceFile, options: ReadOptions) -> Kinds:
    """Look at all cells but those of texts and ids, which stay texts."""
    kinds = Kinds()
    with open_text(file, newline="") as stream:
        table = _Table.begin(stream, options)
        columns = options.columns.find(table.names)
        kept = {*columns.text, columns.id}
        for _, row in table.rows():
            if not isinstance(row, Odd):
                kinds.look({name: cell for name, cell in row.items() if name not in kept})
    return kinds


class _Limit:
    """How long cells may be is one number for the whole process: raised while somebody reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._before = 0

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Let cells be of any length within the block."""
        with self._lock:
            if not self._readers:
                self._before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                if not self._readers:
                    csv.field_size_limit(self._before)


_any_length = _Limit().raised
