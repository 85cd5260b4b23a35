"""Libraries that read Office documents, as their manuals say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def python_docx(path: Path) -> Iterator[str]:
    """Paragraphs and tables; what is in content controls, frames and notes is not among them."""
    import docx
    from docx.table import Table

    for block in docx.Document(str(path)).iter_inner_content():
        if isinstance(block, Table):
            yield from (cell.text for row in block.rows for cell in row.cells)
        else:
            yield block.text


def docx2txt(path: Path) -> Iterator[str]:
    """The texts of the XML."""
    import docx2txt

    yield docx2txt.process(str(path))


def mammoth(path: Path) -> Iterator[str]:
    """Makes HTML of a document."""
    import mammoth as made

    with path.open("rb") as file:
        yield made.extract_raw_text(file).value


def openpyxl(path: Path) -> Iterator[str]:
    """Row by row."""
    import openpyxl

    for sheet in openpyxl.load_workbook(path, read_only=True, data_only=True):
        for row in sheet.iter_rows(values_only=True):
            yield " ".join(str(cell) for cell in row if cell is not None)


def calamine(path: Path) -> Iterator[str]:
    """A sheet at once, in Rust; a cell in the last corner of one ends the process."""
    from python_calamine import CalamineWorkbook

    for sheet in CalamineWorkbook.from_path(path).sheet_names:
        rows = CalamineWorkbook.from_path(path).get_sheet_by_name(sheet).to_python()
        for row in rows:
            yield " ".join(str(cell) for cell in row if cell != "")


def odfdo(path: Path) -> Iterator[str]:
    """Text as on a terminal."""
    from odfdo import Document

    yield Document(path).get_formatted_text()


def odfpy(path: Path) -> Iterator[str]:
    """Text of all paragraphs and headings."""
    from odf import teletype, text
    from odf.opendocument import load

    document = load(str(path))
    for kind in (text.H, text.P):
        yield from map(teletype.extractText, document.getElementsByType(kind))
