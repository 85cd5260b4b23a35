"""Texts in the encodings of the world come out as they were written."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lfm2_colbert_rag.errors import ConfigError, InputError
from lfm2_colbert_rag.files.encodings import find_encoding, named_encoding, open_text
from lfm2_colbert_rag.files.records import SourceFile

from .conftest import Read

# Public-domain openings: the Universal Declaration of Human Rights, article 1.
ARTICLES = {
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft "
    "und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como "
    "están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni "
    "obdarzeni rozumem i sumieniem i powinni postępować wobec innych w duchu braterstwa.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены "
    "разумом и совестью и должны поступать в отношении друг друга в духе братства.",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
    "人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
    "zh": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 "
    "이성과 양심을 부여받았으며 서로 형제애의 정신으로 행동하여야 한다.",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. "
    "Είναι προικισμένοι με λογική και συνείδηση, και οφείλουν να συμπεριφέρονται μεταξύ τους.",
}
BY_GUESS = [
    *(("de", "cp1252"), ("es", "cp1252"), ("de", "cp850"), ("es", "mac_roman"), ("pl", "cp1250")),
    *(("pl", "iso8859_2"), ("ru", "cp1251"), ("ru", "koi8_r"), ("ru", "cp866"), ("el", "cp1253")),
    *(("ja", "cp932"), ("ja", "euc_jp"), ("ja", "iso2022_jp"), ("zh", "gb18030"), ("ko", "cp949")),
]
BY_MARK = ("utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be")


@pytest.mark.parametrize(("lang", "codec"), BY_GUESS)
def test_what_nothing_tells_is_guessed(read: Read, lang: str, codec: str) -> None:
    (section,) = read("a.txt", ARTICLES[lang].encode(codec))
    assert section.text == ARTICLES[lang]


@pytest.mark.parametrize("codec", BY_MARK)
def test_a_mark_or_the_form_tells(read: Read, codec: str) -> None:
    text = "Größe: 5 €\nsecond line"  # without a mark, mostly Latin letters
    (section,) = read("a.txt", text.encode(codec))
    assert section.text == text


@pytest.mark.parametrize(
    "text", ["café", "Grüße", "ça coûte 5 €", "año;niño", "“So” – ja", "Köln;Größe;5 €"]
)
def test_a_word_of_western_europe_is_enough(read: Read, text: str) -> None:
    (section,) = read("a.txt", text.encode("cp1252"))
    assert section.text == text


def test_far_behind_the_beginning_is_looked_at_as_well(read: Read) -> None:
    text = "plain lines\n" * 50_000 + ARTICLES["ru"]
    (section,) = read("a.txt", text.encode("cp1251"))
    assert section.text == text


def test_a_broken_character_does_not_make_it_another_encoding(read: Read, tmp_path: Path) -> None:
    content = ARTICLES["ru"].encode()
    (section,) = read("a.txt", content[:41] + content[42:])
    assert section.text.count("\N{REPLACEMENT CHARACTER}") == 1
    assert section.text[-30:] == ARTICLES["ru"][-30:]
    assert find_encoding(SourceFile(tmp_path / "a.txt", "a.txt")).broken


def test_what_packed_files_hold_is_read(read: Read) -> None:
    content = ARTICLES["ja"].encode("cp932")
    for name, held in (("a.txt.gz", gzip.compress(content)), ("a.txt", gzip.compress(content))):
        (section,) = read(name, held)
        assert section.text == ARTICLES["ja"]
    (section,) = read("a.txt.gz", content)  # as browsers save it
    assert section.text == ARTICLES["ja"]


@pytest.mark.parametrize("content", [bytes(range(256)) * 8, b"\x7fELF\0\0\0\x01\x80" * 99])
def test_what_is_no_text_is_refused(read: Read, content: bytes) -> None:
    with pytest.raises(InputError, match="no text"):
        read("a.txt", content)


def test_line_ends_are_one(read: Read) -> None:
    (section,) = read("a.txt", b"one\r\ntwo\rthree\n")
    assert section.text == "one\ntwo\nthree\n"


def test_an_encoding_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("ÄÖ".encode("cp437"))
    file = SourceFile(path, "a.txt", encoding=named_encoding("cp437"))
    with open_text(file, newline=None) as stream:
        assert stream.read() == "ÄÖ"
    for name in ("latin-99", "hex", ""):
        with pytest.raises(ConfigError, match="no encoding of texts"):
            named_encoding(name)
