"""Sheets of a spreadsheet: a row is a passage, under the names of its columns.

Who asks a table asks for what one of its rows says, and wants to be shown that row: all of a sheet
as one passage would be found by everything and answer nothing, and a row without the names of its
columns is a list of numbers. So "Price: 12.50" is what is searched, the values are metadata to
filter by, and the sheet and the row are kept for citations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

from ..errors import InputError
from .options import DEFAULTS, ReadOptions
from .records import Odd, Section
from .rows import Columns, to_section

__all__ = ["Cells", "sheet_sections"]

_LEAD = 50  # lines over the table that are kept as one passage
Cells = Sequence[Any]


def sheet_sections(
    sheet: str, rows: Iterable[Cells], facts: dict[str, Any], options: ReadOptions = DEFAULTS
) -> Iterator[Section | Odd]:
    r"""Give the rows of a sheet as passages.

    The first row with several cells names the columns if all of them are texts that differ. What
    stands over it, such as a title, is a passage of its own. Where a column is called ``text``, or
    is named in the options, this is the text of each passage, as in CSV.

    Args:
        sheet: its name.
        rows: values of its cells from the first row on, empty rows included.
        facts: metadata of every passage.
        options: which columns are text and id.

    Yields:
        Passages with their cells, ``sheet`` and ``row`` in their metadata; rows count from 1.

    Raises:
        InputError: the options name columns that the sheet has not.

    Example:
        >>> rows = [("Item", "Price"), ("Lamp", 12.5)]
        >>> [one.text for one in sheet_sections("Prices", rows, {})]
        ['Item: Lamp\nPrice: 12.5']
    """
    table: _Table | None = None
    lead: list[str] = []
    for number, row in enumerate(rows, 1):
        cells = [_shown(one) for one in row]
        filled = [cell for cell in cells if cell]
        if not filled:
            continue
        if table is None and len(filled) == 1 and len(lead) < _LEAD:
            lead += filled
            continue
        if table is None:
            yield from _lead(sheet, lead, facts)
            header = _header(row, cells)
            table = _Table(sheet, header or [], facts, options)
            if header:
                lead = filled
                continue
        lead = []
        yield table.section(number, row, cells)
    yield from _lead(sheet, lead, facts)  # there is nothing below it


def _lead(sheet: str, lines: list[str], facts: dict[str, Any]) -> Iterator[Section]:
    if lines:
        yield Section("\n".join(lines), f"sheet {sheet}", {**facts, "sheet": sheet}, sheet)


def _header(row: Cells, cells: list[str]) -> list[str] | None:
    """Return the names of columns, if a row holds such."""
    filled = [cell for cell in cells if cell]
    texts = all(isinstance(one, str) for one, cell in zip(row, cells, strict=True) if cell)
    return cells if texts and len(set(filled)) == len(filled) else None


class _Table:
    """Rows below the names of their columns, if there are such."""

    def __init__(
        self, sheet: str, header: list[str], facts: dict[str, Any], options: ReadOptions
    ) -> None:
        self._header = header
        self._facts = {**facts, "sheet": sheet}
        self._columns: Columns | None = None
        try:
            self._columns = options.columns.find(name for name in header if name)
        except InputError:
            if options.columns.text:
                raise
        self._seen: Counter[str | None] = Counter()

    def section(self, number: int, row: Cells, cells: list[str]) -> Section | Odd:
        """Return a row as a passage."""
        sheet = self._facts["sheet"]
        place = f"sheet {sheet}, row {number}"
        named = {
            name: (_value(one), cell)
            for name, one, cell in zip(self._header, row, cells, strict=False)
            if name and cell
        }
        fields = {name: value for name, (value, _) in named.items()}
        if self._columns is None:
            fields, columns = {**fields, "\0": self._lines(cells)}, Columns(("\0",))
        else:
            columns = self._columns
            fields |= {name: named[name][1] for name in columns.text if name in named}
        found = to_section(fields, columns, place)
        if isinstance(found, Odd) or found.id is not None:
            return found
        # rows alike are told apart by their order: their numbers change when one above is deleted
        self._seen[found.key] += 1
        again = f" {self._seen[found.key]}" if self._seen[found.key] > 1 else ""
        facts = {**found.metadata, **self._facts, "row": number}
        return replace(found, key=f"sheet {sheet} {found.key}{again}", metadata=facts)

    def _lines(self, cells: list[str]) -> str:
        if not self._header:
            return " | ".join(cell for cell in cells if cell)
        names = [*self._header, *[""] * (len(cells) - len(self._header))]
        pairs = zip(names, cells, strict=False)
        return "\n".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)


def _shown(value: Any) -> str:
    """Return what a cell shows, on one line: whole numbers without a point, no midnights."""
    value = _value(value)
    if value is None:
        return ""
    return f"{value:.15g}" if isinstance(value, float) else str(value).strip()


def _value(value: Any) -> Any:
    """Return the value of a cell as metadata hold it."""
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() else value).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
