"""Small files of each kind, made by the programs that people make them with, or by hand."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import docx
import openpyxl
import pptx

from lfm2_colbert_rag.files.records import SourceFile

OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
WORDS = ("Keys open doors.", "Lamps give light.")


def source(path: Path, data: bytes) -> SourceFile:
    path.write_bytes(data)
    return SourceFile(path, path.name)


def archive(members: Mapping[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return stream.getvalue()


def pdf(*pages: str, title: str = "", encrypted: bool = False) -> bytes:
    """Make a PDF of one line of Latin-1 a line of text."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for page in pages:
        shown = page.encode("latin-1").replace(b"(", b"\\(").replace(b")", b"\\)")
        lines = b" T* ".join(b"(" + line + b") Tj" for line in shown.split(b"\n"))
        stream = b"BT /F1 12 Tf 14 TL 40 700 Td " + lines + b" ET"
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources "
            b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica "
            b"/Encoding /WinAnsiEncoding >> >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    objects.append(b"<< /Title (%s) >>" % title.encode("latin-1"))
    extra = b"/Info %d 0 R" % len(objects)
    if encrypted:  # a password that is not the empty one
        objects.append(
            b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (b"ab" * 32, b"cd" * 32)
        )
        extra += b" /Encrypt %d 0 R /ID [<%s> <%s>]" % (len(objects), b"01" * 16, b"01" * 16)
    out, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return out + b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        extra,
        out.rindex(b"xref\n0"),
    )


def word(document=None) -> bytes:
    if document is None:
        document = docx.Document()
        for words in WORDS:
            document.add_paragraph(words)
    return saved(document)


def saved(document) -> bytes:
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def slides() -> bytes:
    made = pptx.Presentation()
    for words in WORDS:
        slide = made.slides.add_slide(made.slide_layouts[5])
        slide.shapes.title.text = words
    return saved(made)


def workbook(rows, name: str = "Prices") -> bytes:
    made = openpyxl.Workbook()
    made.active.title = name
    for row in rows:
        made.active.append(row)
    return saved(made)


def opendocument(body: str, meta: str = "") -> bytes:
    names = " ".join(
        f'xmlns:{name}="{OFFICE}:{full}:1.0"'
        for name, full in (("office", "office"), ("text", "text"), ("table", "table"),
                           ("draw", "drawing"), ("presentation", "presentation"))
    )  # fmt: skip
    return archive({
        "mimetype": "application/vnd.oasis.opendocument.text",
        "META-INF/manifest.xml": "<manifest/>",
        "content.xml": f"<office:document-content {names}><office:body>{body}</office:body>"
        "</office:document-content>",
        "meta.xml": f"<m xmlns:dc='http://purl.org/dc/elements/1.1/'>{meta}</m>",
    })  # fmt: skip


def book(chapters: Mapping[str, str], spine: list[str], title: str = "", **more: str) -> bytes:
    items = "".join(
        f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml"/>'
        for name in chapters
    )
    order = "".join(f'<itemref idref="{name}"/>' for name in spine)
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></metadata>'
        f"<manifest>{items}</manifest><spine>{order}</spine></package>"
    )
    return archive({
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OEBPS/a.opf"/>'
        "</rootfiles></container>",
        "OEBPS/a.opf": package,
        **{f"OEBPS/{name}.xhtml": markup for name, markup in chapters.items()},
        **more,
    })  # fmt: skip


def page(body: str) -> str:
    return (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/>'
        f'<script src="a.js"/></head><body><a id="x"/>{body}</body></html>'
    )


def every_kind() -> dict[str, bytes]:
    """One whole file of each kind, with the same words in each."""
    text = "".join(f"<text:p>{words}</text:p>" for words in WORDS)
    cells = "".join(
        f"<table:table-row><table:table-cell><text:p>{words}</text:p></table:table-cell>"
        "</table:table-row>"
        for words in WORDS
    )
    return {
        ".pdf": pdf(*WORDS),
        ".html": page("".join(f"<p>{words}</p>" for words in WORDS)).encode(),
        ".docx": word(),
        ".pptx": slides(),
        ".xlsx": workbook([(words,) for words in WORDS]),
        ".epub": book({"one": page(WORDS[0]), "two": page(WORDS[1])}, ["one", "two"]),
        ".odt": opendocument(f"<office:text>{text}</office:text>"),
        ".odp": opendocument(
            f"<office:presentation><draw:page>{text}</draw:page></office:presentation>"
        ),
        ".ods": opendocument(
            '<office:spreadsheet><table:table table:name="Prices">'
            f"{cells}</table:table></office:spreadsheet>"
        ),
        ".rtf": rb"{\rtf1\ansi Keys open doors.\par Lamps give light.\par}",
    }
