"""Sheets of a spreadsheet: a row is a passage, under the names of its columns.

Who asks a table asks for what one of its rows says, and wants to be shown that row: all of a sheet
as one passage would be found by everything and answer nothing, and a row without the names of its
columns is a list of numbers. So "Price: 12.50" is what is searched, and the sheet and the row are
kept for citations.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from .records import Section

__all__ = ["Cells", "sheet_sections"]

_LEAD = 50  # lines over the table that are kept as one passage
Cells = Sequence[Any]


def sheet_sections(sheet: str, rows: Iterable[Cells], facts: dict[str, Any]) -> Iterator[Section]:
    """Give the rows of a sheet as passages.

    The first row with several cells names the columns if all of them are texts that differ. What
    stands over it, such as a title, is a passage of its own. Where a column is called ``text``,
    this is the text of each passage, a column ``id`` its id, and the others are metadata, as in
    CSV.

    Args:
        sheet: its name.
        rows: values of its cells from the first row on, empty rows included.
        facts: metadata of every passage.

    Yields:
        Passages with ``sheet`` and ``row`` in their metadata, rows counted from 1.

    Example:
        >>> rows = [("Item", "Price"), ("Lamp", 12.5)]
        >>> [one.text for one in sheet_sections("Prices", rows, {})]
        ['Item: Lamp\\nPrice: 12.5']
    """
    facts = {**facts, "sheet": sheet}
    seen: Counter[str] = Counter()
    lead: list[str] = []
    header: list[str] | None = None
    begun = False
    for number, row in enumerate(rows, 1):
        cells = {column: shown for column, one in enumerate(row) if (shown := _shown(one))}
        if not cells:
            continue
        if not begun and len(cells) == 1 and len(lead) < _LEAD:
            lead += cells.values()
            continue
        if not begun:
            begun, header = True, _header(row)
            yield from _lead(sheet, lead, facts)
            if header is not None:
                continue
        yield _section(row, cells, header, number, facts, seen)
    if not begun:
        yield from _lead(sheet, lead, facts)
    elif header is not None and not seen:
        yield from _lead(sheet, header, facts)


def _lead(sheet: str, lines: Iterable[str], facts: dict[str, Any]) -> Iterator[Section]:
    if text := "\n".join(line for line in lines if line):
        yield Section(text, f"sheet {sheet}", facts, f"sheet {sheet}")


def _header(row: Cells) -> list[str] | None:
    names = [" ".join(one.split()) if isinstance(one, str) else "" for one in row]
    filled = [name for name, one in zip(names, row, strict=True) if _shown(one)]
    return names if all(filled) and len(set(filled)) == len(filled) else None


def _section(
    row: Cells,
    cells: dict[int, str],
    header: list[str] | None,
    number: int,
    facts: dict[str, Any],
    seen: Counter[str],
) -> Section:
    place = f"sheet {facts['sheet']}, row {number}"
    facts = {**facts, "row": number}
    id = None
    if header is None:
        text = " | ".join(cells.values())
    else:
        named = {column: _name(header, column) for column in cells}
        text = "\n".join(
            f"{name}: {cells[column]}" if name else cells[column] for column, name in named.items()
        )
        roles = {name.casefold(): column for column, name in named.items()}
        if "text" in {name.casefold() for name in header}:
            text = cells.get(roles.get("text", -1), "")
            id = cells.get(roles.get("id", -1))
            own = {n: _value(row[c]) for c, n in named.items() if n.casefold() not in ("text", "id")}
            facts = {**own, **facts}
    # not the number of the row, which changes for all of them when one above is deleted
    mark = hashlib.blake2b("\0".join(cells.values()).encode("utf-8", "replace"), digest_size=8)
    key = f"sheet {facts['sheet']} {mark.hexdigest()}"
    seen[key] += 1
    again = f" {seen[key]}" if seen[key] > 1 else ""
    return Section(text, key + again, facts, place, id)


def _name(header: list[str], column: int) -> str:
    return header[column] if column < len(header) else ""


def _shown(value: Any) -> str:
    """Return what a cell shows: whole numbers without a point, dates without midnight."""
    value = _value(value)
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value).strip()


def _value(value: Any) -> Any:
    """Return the value of a cell as metadata hold it."""
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() else value).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
