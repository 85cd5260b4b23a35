"""JSON Lines, and files of one JSON value."""

from __future__ import annotations

import gzip
import json

import pytest

from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.files.options import ReadOptions
from lfm2_colbert_rag.files.records import Odd, Section
from lfm2_colbert_rag.files.rows import Columns

from .conftest import Read

ROWS = [{"id": "a", "text": "alpha", "year": 2024}, {"text": "beta", "tags": ["x"]}]


def facts(sections: list[Section | Odd]) -> list[tuple[str | None, str, dict]]:
    return [(one.id, one.text, one.metadata) for one in sections if isinstance(one, Section)]


SHAPES = {
    "a list": ("a.json", json.dumps(ROWS)),
    "indented": ("a.json", json.dumps(ROWS, indent=2)),
    "within an object": ("a.json", json.dumps({"total": 2, "documents": ROWS, "next": None})),
    "lines": ("a.jsonl", "\n\n".join(map(json.dumps, ROWS))),
    "lines with a mark": ("a.jsonl", "\ufeff" + "\r\n".join(map(json.dumps, ROWS))),
    "ndjson": ("a.ndjson", "\n".join(map(json.dumps, ROWS))),
    "lines under another name": ("a.json", "\n".join(map(json.dumps, ROWS)) + "\n"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_same_rows_in_every_shape(read: Read, name: str) -> None:
    file, content = SHAPES[name]
    expected = [("a", "alpha", {"year": 2024}), (None, "beta", {"tags": ["x"]})]
    assert facts(read(file, content.encode())) == expected
    assert facts(read(f"{file}.gz", gzip.compress(content.encode()))) == expected
    if "mark" not in name:
        assert facts(read(file, content.encode("utf-16"))) == expected


def test_a_list_of_texts(read: Read) -> None:
    assert facts(read("a.json", b'["one", "two"]')) == [(None, "one", {}), (None, "two", {})]


def test_one_object_is_one_passage(read: Read) -> None:
    (section,) = read("a.json", b'{"id": 7, "text": "seven", "lang": "en"}')
    assert (section.id, section.text, section.metadata) == ("7", "seven", {"lang": "en"})


def test_keys_may_be_named(read: Read) -> None:
    options = ReadOptions(Columns(("page_content",), "source"))
    content = json.dumps({"page_content": "a", "metadata": {"page": 3}, "source": "m.pdf"})
    for name in ("a.jsonl", "a.json"):
        assert facts(read(name, content.encode(), options)) == [("m.pdf", "a", {"page": 3})]


def test_metadata_under_their_own_key_are_the_metadata(read: Read) -> None:
    """As exports of this library, of BEIR and of the frameworks write them."""
    line = b'{"_id": "d1", "text": "a", "title": "T", "metadata": {"year": 2024}}'
    assert facts(read("a.jsonl", line)) == [("d1", "a", {"title": "T", "year": 2024})]


ODD = {
    "broken": (b'{"text": \n', "not a JSON object"),
    "a list": (b'["text"]\n', "not a JSON object, but"),
    "deep": (b"[" * 100_000, "not a JSON object"),
    "NaN": (b'{"text": "a", "x": NaN}', "not a JSON object (NaN"),
    "a number": (b'{"text": 5}', "the text is 5"),
    "no text": (b'{"txt": "a"}', "no key 'text' among 'txt'. Name the right one"),
    "true": (b'{"id": true, "text": "a"}', "the id must be a text or a whole number"),
    "a list for an id": (b'{"id": [1], "text": "a"}', "the id must be a text or a whole number"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_lines_are_named_and_the_others_read(read: Read, name: str) -> None:
    content, reason = ODD[name]
    first, odd, last = read(
        "a.jsonl", b'{"text": "fine"}\n' + content.strip() + b'\n{"text": "last"}'
    )
    assert (first.text, last.text) == ("fine", "last")
    assert odd.place == "line 2"
    assert odd.reason.startswith(reason)


def test_without_an_id_is_without_an_id(read: Read) -> None:
    lines = [b'{"text": "a"}', b'{"id": null, "text": "a"}', b'{"id": "", "text": "a"}']
    sections = read("a.jsonl", b"\n".join(lines))
    assert {one.id for one in sections} == {None}
    assert len({one.key for one in sections}) == 1


NO_TEXTS = {
    "broken": (b'{"text": "a"', "not JSON ("),
    "a number": (b"7", "it holds 7 and no texts"),
    "something else": (b'{"name": "pkg", "version": "1.0"}', "an object with 'name', 'version'"),
    "two lists": (b'{"a": [{"text": "x"}], "b": [{"text": "y"}]}', "an object with 'a', 'b'"),
    "a key twice": (b'[{"text": "a", "text": "b"}]', "the key 'text' is there twice"),
}


@pytest.mark.parametrize("name", NO_TEXTS)
def test_a_file_without_texts_says_what_is_wanted(read: Read, name: str) -> None:
    content, message = NO_TEXTS[name]
    with pytest.raises(InputError) as caught:
        read("a.json", content)
    assert message in str(caught.value)


def test_items_that_are_no_passages_are_named(read: Read) -> None:
    first, odd = read("a.json", b'[{"text": "a"}, 7]')
    assert (first.text, odd.place) == ("a", "item 2")
