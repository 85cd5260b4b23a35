"""Workbooks of Excel (.xlsx), read row by row: neither their size nor a stray cell costs memory."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator

from .._support.extras import require
from ..errors import InputError
from .containers import content, open_zip, reading
from .options import DEFAULTS, ReadOptions
from .records import Odd, Section, SourceFile
from .sheet_rows import Cells, sheet_sections

__all__ = ["read_xlsx"]

KIND = "an .xlsx file"


def read_xlsx(file: SourceFile, options: ReadOptions = DEFAULTS) -> Iterator[Section | Odd]:
    """Read the rows of all sheets; formulas give what they had come to when the file was saved.

    Args:
        file: the file.
        options: which columns are text and id.

    Yields:
        A row, under the names of its columns, with its sheet and its number.

    Raises:
        InputError: it is damaged, encrypted, too large, or all its cells are empty.
        MissingExtraError: the extra ``files`` is not installed.
    """
    openpyxl = require("openpyxl", extra="files")
    data = content(file)
    open_zip(data, KIND).close()
    with warnings.catch_warnings(), reading(KIND):
        warnings.simplefilter("ignore")  # about styles and validations, which are not read
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    found = False
    try:
        title = (book.properties.title or "").strip()
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what the file says of its size may be wrong
            rows = _rows(sheet.iter_rows(values_only=True))
            facts = {"title": title} if title else {}
            for section in sheet_sections(sheet.title, rows, facts, options):
                found = True
                yield section
    finally:
        book.close()
    if not found:
        raise InputError("all its cells are empty.")


def _rows(rows: Iterator[Cells]) -> Iterator[Cells]:
    """Yield rows; what breaks while one is read is an error of ours."""
    while True:
        with warnings.catch_warnings(), reading(KIND):
            warnings.simplefilter("ignore")
            row = next(rows, None)
        if row is None:
            return
        yield row
