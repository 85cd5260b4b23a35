"""Tables as spreadsheet programs, databases and people write them."""

from __future__ import annotations

import csv
import gzip
import threading

import pytest

from lfm2_colbert_rag.errors import ConfigError, InputError
from lfm2_colbert_rag.files.options import ReadOptions
from lfm2_colbert_rag.files.records import Odd, Section
from lfm2_colbert_rag.files.rows import Columns

from .conftest import Read

# What LibreOffice 7.4.7.2 writes of one sheet ("Text CSV"), with three choices of delimiter and
# encoding: soffice --convert-to 'csv:Text - txt - csv (StarCalc):59,34,76' (44,34,1; 9,34,65535).
# It leaves out the empty columns at the end, and keeps the empty row.
LIBRE_OFFICE = (
    'Id;Text ;Preis;Land\n1;"Grüße aus Köln: ""Tee"", Kaffee; Kuchen";4.5;DE\n'
    '2;"Zeile eins\nZeile zwei";12;FR\n;;;\n3;Año nuevo – 5 €;7;ES\n'
).encode()
LIBRE_OFFICE_CP1252 = (
    b'Id,Text ,Preis,Land\n1,"Gr\xfc\xdfe aus K\xf6ln: ""Tee"", Kaffee; Kuchen",4.5,DE\n'
    b'2,"Zeile eins\nZeile zwei",12,FR\n,,,\n3,A\xf1o nuevo \x96 5 \x80,7,ES\n'
)
LIBRE_OFFICE_UTF16 = b"\xff\xfe" + LIBRE_OFFICE.decode().replace(";", "\t").replace(
    "Kaffee\t", "Kaffee;"
).encode("utf-16-le")
SHEETS = {
    "LibreOffice": LIBRE_OFFICE,
    "LibreOffice, cp1252": LIBRE_OFFICE_CP1252,
    "LibreOffice, UTF-16": LIBRE_OFFICE_UTF16,
    # Excel: "CSV UTF-8" where the list separator is a semicolon, and its hint in the first line.
    "Excel, UTF-8": b"\xef\xbb\xbf" + LIBRE_OFFICE.replace(b"\n", b"\r\n"),
    "Excel, hint": b"sep=;\r\n" + LIBRE_OFFICE.replace(b"\n", b"\r\n"),
    "Mac, CR": LIBRE_OFFICE.replace(b"\n", b"\r"),
    "empty columns at the end": LIBRE_OFFICE.replace(b"DE\n", b"DE;;\n").replace(
        b"Land", b"Land;;"
    ),
    "blank lines above": b"\n;;;\n" + LIBRE_OFFICE,
}


def texts(sections: list[Section | Odd]) -> list[str]:
    return [one.text for one in sections if isinstance(one, Section)]


@pytest.mark.parametrize("name", SHEETS)
def test_one_sheet_however_it_was_written(read: Read, name: str) -> None:
    first, second, third = read("prices.csv", SHEETS[name])
    assert first.text == 'Grüße aus Köln: "Tee", Kaffee; Kuchen'
    assert (first.id, first.metadata) == ("1", {"Preis": "4.5", "Land": "DE"})
    assert second.text.split() == ["Zeile", "eins", "Zeile", "zwei"]
    assert (third.id, third.text) == ("3", "Año nuevo – 5 €")


def test_places_are_lines_of_the_file(read: Read) -> None:
    assert [one.place for one in read("a.csv", LIBRE_OFFICE)] == ["line 2", "line 3", "line 6"]
    hint = read("a.csv", SHEETS["Excel, hint"])
    assert [one.place for one in hint] == ["line 3", "line 4", "line 7"]


@pytest.mark.parametrize("between", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_the_delimiter_is_found_out(read: Read, between: str, suffix: str) -> None:
    header = between.join(["id", "text", "lang"])
    row = between.join(["7", '"a, b; c\td | e"', "en"])
    (section,) = read(f"a.{suffix}", f"{header}\n{row}\n".encode())
    assert (section.id, section.text) == ("7", "a, b; c\td | e")
    assert section.metadata == {"lang": "en"}


def test_a_table_of_texts_alone_has_no_delimiter(read: Read) -> None:
    sections = read("a.csv", b'Text\nOne, two; three\n"in ""quotes"""\n\nfour\n')
    assert texts(sections) == ["One, two; three", 'in "quotes"', "four"]


@pytest.mark.parametrize("header", ["text", "Text", " TEXT ", '"text"', "\ufefftext"])
def test_the_name_of_the_text_in_any_case(read: Read, header: str) -> None:
    (section,) = read("a.csv", f"{header},lang\nalpha,en\n".encode())
    assert (section.text, section.metadata) == ("alpha", {"lang": "en"})


def test_columns_may_be_named(read: Read) -> None:
    content = b"Nr,Title,body,lang\n7,Tea,Green tea,en\n8,,Coffee,\n"
    columns = Columns(("title", "Body"), "nr")
    first, second = read("a.csv", content, ReadOptions(columns))
    assert (first.id, first.text, first.metadata) == ("7", "Tea\nGreen tea", {"lang": "en"})
    assert (second.id, second.text, second.metadata) == ("8", "Coffee", {})


def test_whole_rows_may_be_the_text(read: Read) -> None:
    content = b"Nr,Item,Price,lang\n7,Lamp,12.50,en\n8,Chair,,de\n"
    first, second = read("a.csv", content, ReadOptions(Columns(("*",), "Nr"), typed=True))
    assert (first.id, first.text) == ("7", "Item: Lamp\nPrice: 12.50\nlang: en")
    assert first.metadata == {"Item": "Lamp", "Price": 12.5, "lang": "en"}
    assert second.text == "Item: Chair\nlang: de"
    rows = b'[{"a": "x", "n": 5, "deep": {"b": 1}, "none": null}]'
    (section,) = read("a.json", rows, ReadOptions(Columns(("*",))))
    assert section.text == "a: x\nn: 5"
    assert section.metadata == {"a": "x", "n": 5, "deep": {"b": 1}, "none": None}


MISSING = {
    "names what is there": (b"id;inhalt\n1;a\n", "no column 'text' among 'id', 'inhalt'"),
    "names the option": (b"id,words\n1,a\n", "Name the right one with --text-column"),
    "no header": (b"1,hello\n2,world\n", "no column 'text' among '1', 'hello'"),
    "nothing": (b"", "it holds no header"),
    "two of them": (b"Text,TEXT\na,b\n", "2 columns are named 'text'"),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_header_without_texts_is_named(read: Read, name: str) -> None:
    content, message = MISSING[name]
    with pytest.raises(InputError, match=r"column|header") as caught:
        read("a.csv", content)
    assert message in str(caught.value)


def test_odd_rows_are_named_and_the_others_read(read: Read) -> None:
    sections = read("a.csv", b'text,lang\nfine,en\na,b,c\nalone\n"x"y,de\nlast,fr\n')
    assert texts(sections) == ["fine", "last"]
    odd = [one for one in sections if isinstance(one, Odd)]
    assert [one.place for one in odd] == ["line 3", "line 4", "line 5"]
    assert odd[0].reason.startswith("3 values, but the header names 2 columns. Put values that")
    assert odd[1].reason.startswith("1 value, but")
    assert odd[2].reason.startswith("not a row of CSV")


def test_a_quote_that_is_never_closed_loses_what_follows_only(read: Read) -> None:
    first, odd = read("a.csv", b'text\nfine\n"open\nlost\n')
    assert first.text == "fine"
    assert (odd.place, odd.reason[:30]) == ("line 3", "a quote is opened here and nev")


def test_columns_without_a_name_are_left_out(read: Read) -> None:
    """As pandas writes its index, which is another one when a row is removed."""
    one = read("a.csv", b",text,lang\n0,alpha,en\n1,beta,de\n")[1]
    other = read("a.csv", b",text,lang\n0,beta,de\n")[0]
    assert one.metadata == {"lang": "de"}
    assert one.key == other.key


def test_names_that_come_again_are_numbered(read: Read) -> None:
    (section,) = read("a.csv", b"text,note,note\na,b,c\n")
    assert section.metadata == {"note": "b", "note (2)": "c"}


def test_blanks_after_commas_are_nothing(read: Read) -> None:
    (section,) = read("a.csv", b'id, text, lang\n1, "a, b", en \n')
    assert (section.text, section.metadata) == ("a, b", {"lang": "en"})


def test_cells_of_any_length(read: Read) -> None:
    before = csv.field_size_limit()
    text = "word " * 40_000
    (section,) = read("a.csv", f'id,text\na,"{text}"\n'.encode())
    assert section.text == text.strip()
    assert csv.field_size_limit() == before


def test_the_limit_is_the_others_own_again_while_many_read(read: Read) -> None:
    before = csv.field_size_limit(1000)
    try:
        content = f'id,text\na,"{"x" * 200_000}"\n'.encode()
        failed: list[BaseException] = []

        def read_it(name: str) -> None:
            try:
                for _ in range(3):
                    assert len(read(name, content)) == 1
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=read_it, args=(f"{n}.csv",)) for n in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert failed == []
        assert csv.field_size_limit() == 1000
    finally:
        csv.field_size_limit(before)


def test_values_stay_texts_unless_they_are_asked_for(read: Read) -> None:
    content = (
        b"id,text,year,price,zip,mixed,new,when\n"
        b"1,2024,2024,4.50,01067,1,true,2024-01-05\n2,b,-3,7,10115,x,FALSE,2024-02-30\n"
    )
    plain = read("a.csv", content)[0]
    assert set(map(type, plain.metadata.values())) == {str}
    first, second = read("a.csv", content, ReadOptions(typed=True))
    assert (first.id, first.text) == ("1", "2024")
    assert first.metadata == {
        "year": 2024,
        "price": 4.5,
        "zip": "01067",
        "mixed": "1",
        "new": True,
        "when": "2024-01-05",
    }
    assert (second.metadata["year"], second.metadata["price"]) == (-3, 7.0)
    assert (second.metadata["zip"], second.metadata["new"]) == ("10115", False)


def test_a_row_goes_by_its_content_not_by_its_place(read: Read) -> None:
    first = read("a.csv", b"text,lang\nalpha,en\nbeta,de\nalpha,fr\n")
    again = read("a.csv", b"text,lang\nbeta,de\nalpha,fr\n")
    assert [one.key for one in first[1:]] == [one.key for one in again]
    assert len({one.key for one in first}) == 3


def test_packed(read: Read) -> None:
    assert texts(read("a.csv.gz", gzip.compress(LIBRE_OFFICE)))[2] == "Año nuevo – 5 €"


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "a"])
def test_a_delimiter_is_one_character(delimiter: str) -> None:
    with pytest.raises(ConfigError, match="one character"):
        ReadOptions(delimiter=delimiter)


def test_a_delimiter_may_be_given(read: Read) -> None:
    (section,) = read("a.csv", b"text^lang\na, b^en\n", ReadOptions(delimiter="^"))
    assert (section.text, section.metadata) == ("a, b", {"lang": "en"})
