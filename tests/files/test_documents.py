"""What the readers of documents give: right words, in order, with what citations need."""

from __future__ import annotations

import datetime

import docx
import openpyxl
import pptx
import pytest
from docx.oxml import parse_xml

from lfm2_colbert_rag.files.kinds import READERS
from lfm2_colbert_rag.files.records import Section

from . import made


@pytest.fixture
def read(tmp_path):
    def read(suffix: str, data: bytes) -> list[Section]:
        return list(READERS[suffix](made.source(tmp_path / f"file{suffix}", data)))

    return read


@pytest.mark.parametrize("suffix", made.every_kind())
def test_every_kind_gives_its_words_in_order(read, suffix):
    found = read(suffix, made.every_kind()[suffix])
    text = "\n".join(section.text for section in found)
    assert text.split() == " ".join(made.WORDS).split()
    assert len({section.key for section in found}) == len(found)


def test_pages_of_a_pdf_keep_their_numbers(read):
    found = read(".pdf", made.pdf("One.", "", "Three.", title="Manual"))
    assert [(one.text, one.metadata) for one in found] == [
        ("One.", {"page": 1, "title": "Manual"}),
        ("Three.", {"page": 3, "title": "Manual"}),
    ]
    assert [one.key for one in found] == ["page 1", "page 3"]


def test_lines_of_a_pdf_become_running_text(read):
    lines = (
        "2.1 Returns\nWhoever sends a lamp back within thirty days gets the price back, and who-\n"
        "ever sends it later gets another lamp. Nobody gets back the postage.\nNothing."
    )
    (found,) = read(".pdf", made.pdf(lines))
    assert found.text == (
        "2.1 Returns\nWhoever sends a lamp back within thirty days gets the price back, and "
        "whoever sends it later gets another lamp. Nobody gets back the postage.\nNothing."
    )


@pytest.mark.parametrize(
    "data",
    [
        "<meta charset=iso-8859-2><p>žluťoučký".encode("iso-8859-2"),
        # what it says of itself is wrong
        "<meta http-equiv=x content='text/html; charset=Shift_JIS'><p>žluťoučký".encode(),
        "<?xml version='1.0' encoding='windows-1250'?><p>žluťoučký</p>".encode("cp1250"),
        "<p>žluťoučký".encode("utf-8-sig"),
        "<p>žluťoučký".encode("utf-16"),
        "<p>žluťoučký".encode(),
    ],
)
def test_pages_are_read_in_their_encoding(read, data):
    assert "žluťoučký" in read(".html", data)[0].text


def test_a_page_is_its_main_text(read):
    (found,) = read(
        ".html",
        b"""<title>Lamps &amp; more</title><style>p {}</style><body>
        <nav>Home</nav><div class=navheader>Next</div><script>go()</script>
        <h1>Li<b>gh</b>t</h1><p>A lamp<br>is l&shy;it<sup>2</sup>.<ul><li><p>one<li>two</ul>
        <table><tr><th>Item<th>Price<tr><td><p>Lamp</p><td>12</table>
        <pre>a\n  b</pre><footer>Imprint</footer>""",
    )
    assert found.text == "Light\nA lamp\nis lit2.\n- one\n- two\nItem | Price\nLamp | 12\na\n  b"
    assert found.metadata == {"title": "Lamps & more"}


def test_main_is_all_where_there_is_one(read):
    (found,) = read(".html", b"<div>Menu</div><main><h1>Head</h1>Text</main><div>Ads</div>")
    assert found.text == "Head\nText"
    assert found.metadata == {"title": "Head"}


def test_a_page_may_be_nested_deeply(read):
    assert read(".html", b"<div>" * 2_000 + b"deep")[0].text == "deep"


def long(words: str) -> str:
    return " ".join([words] * 400)


def test_what_is_long_is_divided_at_its_headings(read):
    document = docx.Document()
    document.core_properties.title = "Handbook"
    document.add_heading("Handbook", 0)
    for name in ("Buying", "Returns"):
        document.add_heading(name, 1)
        document.add_paragraph(f"About {name}.")
        for part in ("Deadlines", "Costs"):
            document.add_heading(part, 2)
            document.add_paragraph(long(f"{name} {part}"))
    found = read(".docx", made.word(document))
    assert [one.metadata["section"] for one in found if "Deadlines" in one.text] == [
        "Handbook > Buying > Deadlines",
        "Handbook > Returns > Deadlines",
    ]
    assert found[-1].text.startswith("Handbook > Returns\nCosts\nReturns Costs Returns")
    assert {one.metadata["title"] for one in found} == {"Handbook"}
    assert [one.key for one in found if "About" in one.text] == [
        "Handbook > Buying",
        "Handbook > Returns",
    ]
    assert sum(one.text.count("Returns Costs") for one in found) == 400


def test_short_documents_stay_whole(read):
    (found,) = read(".html", b"<h1>A</h1>a<h2>B</h2>b<h1>C</h1>c")
    assert (found.key, found.text) == (None, "A\na\nB\nb\nC\nc")


def test_a_word_document_is_read_as_it_is_seen(read):
    document = docx.Document()
    paragraph = document.add_paragraph("seen ")
    names = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    for tag, old in (("ins", "added "), ("del", "gone ")):
        kind = "delText" if tag == "del" else "t"
        space = 'xml:space="preserve"'
        paragraph._p.append(
            parse_xml(f"<w:{tag} {names}><w:r><w:{kind} {space}>{old}</w:{kind}></w:r></w:{tag}>")
        )
    paragraph._p.append(
        parse_xml(f"<w:hyperlink {names}><w:r><w:t>linked</w:t></w:r></w:hyperlink>")
    )
    table = document.add_table(2, 2)
    for row, words in zip(table.rows, (("Item", "Price"), ("Lamp", "12")), strict=True):
        for cell, word in zip(row.cells, words, strict=True):
            cell.text = word
    body = document.element.body
    content = "<w:p><w:r><w:t>con</w:t></w:r><w:r><w:t>trol</w:t></w:r></w:p>"
    body.insert(2, parse_xml(f"<w:sdt {names}><w:sdtContent>{content}</w:sdtContent></w:sdt>"))
    (found,) = read(".docx", made.word(document))
    assert found.text == "seen added linked\nItem | Price\nLamp | 12\ncontrol"


def test_slides_are_numbered_and_bring_tables_and_notes(read):
    deck = pptx.Presentation()
    deck.core_properties.title = "Lamps"
    deck.slides.add_slide(deck.slide_layouts[6])  # empty
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    table = slide.shapes.add_table(1, 2, 0, 2_000_000, 9_000, 9_000).table
    table.cell(0, 0).text, table.cell(0, 1).text = "Lamp", "12"
    slide.shapes.add_textbox(0, 1_000_000, 9_000, 9_000).text_frame.text = "between"
    slide.shapes.title.text = "Title"
    slide.notes_slide.notes_text_frame.text = "note"
    (found,) = read(".pptx", made.saved(deck))
    assert found.text == "Title\nbetween\nLamp | 12\nnote"
    assert found.metadata == {"slide": 2, "title": "Lamps"}


def test_a_row_is_a_passage_under_the_names_of_its_columns(read):
    day = datetime.datetime(2024, 1, 5)
    rows = [["Lamps of 2024"], [], ["Item", "Price", "Since"], ["Lamp", 12.5, day], [], ["Bulb", 3]]
    lead, lamp, bulb = read(".xlsx", made.workbook(rows))
    assert (lead.text, lead.metadata) == ("Lamps of 2024", {"sheet": "Prices"})
    assert lamp.text == "Item: Lamp\nPrice: 12.5\nSince: 2024-01-05"
    assert lamp.metadata == {
        "Item": "Lamp", "Price": 12.5, "Since": "2024-01-05", "sheet": "Prices", "row": 4,
    }  # fmt: skip
    assert bulb.text == "Item: Bulb\nPrice: 3"
    assert bulb.metadata["row"] == 6
    assert bulb.place == "sheet Prices, row 6"


def test_rows_keep_their_keys_when_others_are_deleted(read):
    rows = [["Item", "Price"], ["Lamp", 12], ["Bulb", 3], ["Bulb", 3]]
    before = {one.key for one in read(".xlsx", made.workbook(rows))}
    del rows[1]
    after = {one.key for one in read(".xlsx", made.workbook(rows))}
    assert len(before) == 3
    assert after < before


def test_a_column_of_texts_is_read_as_in_csv(read):
    (found,) = read(".xlsx", made.workbook([["ID", "Text", "year"], [7, "Lamps.", 2024]]))
    assert (found.id, found.text) == ("7", "Lamps.")
    assert found.metadata["year"] == 2024


def test_a_table_without_names_gives_its_cells(read):
    first, _ = read(".xlsx", made.workbook([["Lamp", 12], ["Bulb", 3]]))
    assert first.text == "Lamp | 12"


def test_a_cell_far_away_costs_nothing(read):
    book = openpyxl.Workbook()
    book.active["A1"], book.active["B1"], book.active["XFD2000"] = "Lamp", 12, "far"
    assert [one.text for one in read(".xlsx", made.saved(book))] == ["Lamp | 12", "far"]


def test_opendocument_has_headings_tables_and_spaces(read):
    (found,) = read(".odt", made.opendocument(
        '<office:text><text:h text:outline-level="1">Head</text:h><text:p>a<text:s/>b'
        "<text:span>c</text:span><text:line-break/>d</text:p><table:table><table:table-row>"
        "<table:table-cell><text:p>Lamp</text:p></table:table-cell><table:table-cell><text:p>12"
        "</text:p></table:table-cell></table:table-row></table:table></office:text>",
        "<dc:title>Lamps</dc:title>",
    ))  # fmt: skip
    assert found.text == "Head\na bc\nd\nLamp | 12"
    assert found.metadata == {"title": "Lamps"}


def test_repeated_cells_of_a_sheet_are_not_unrolled_without_end(read):
    (found,) = read(".ods", made.opendocument(
        '<office:spreadsheet><table:table table:name="S"><table:table-row '
        'table:number-rows-repeated="1000000"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row><table:table-row>'
        '<table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell '
        'table:number-columns-repeated="2"><text:p>b</text:p></table:table-cell>'
        "</table:table-row></table:table></office:spreadsheet>"
    ))  # fmt: skip
    assert found.text == "a | b | b"


def test_chapters_come_in_the_order_of_reading(read):
    chapters = {"b": made.page("<h1>One</h1>First."), "a": made.page("<h1>Two</h1>Second.")}
    found = read(".epub", made.book(chapters, ["b", "a"], "Book"))
    assert [one.text for one in found] == ["One\nFirst.", "Two\nSecond."]
    assert found[1].metadata == {"title": "Book", "chapter": 2, "section": "Two"}
    assert found[1].key == "chapter 2"
