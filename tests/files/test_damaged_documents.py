"""Documents that are damaged, locked, empty or made to do harm: always one error of ours."""

from __future__ import annotations

import contextlib
import gzip
import io
import random
import struct
import time
import zipfile

import docx
import pptx
import pytest

from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.files import containers
from lfm2_colbert_rag.files.kinds import READERS

from . import made

KINDS = made.every_kind()
ZIPPED = [kind for kind, data in KINDS.items() if data.startswith(b"PK")]


@pytest.fixture
def read(tmp_path):
    def read(suffix: str, data: bytes) -> str:
        file = made.source(tmp_path / f"file{suffix}", data)
        return "\n".join(getattr(one, "text", "") for one in READERS[suffix](file))

    return read


def refused(read, suffix: str, data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        read(suffix, data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_part(data: bytes, name: str, change) -> bytes:
    """Return an archive with one of its members changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    members[name] = change(members[name])
    return made.archive(members)


def holding(data: bytes, words: bytes) -> str:
    """Return the name of the member of an archive that holds some words."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return next(name for name in archive.namelist() if words in archive.read(name))


@pytest.mark.parametrize("suffix", [kind for kind in KINDS if kind != ".html"])
def test_an_empty_file_is_named_as_such(read, suffix):
    assert "it is empty" in refused(read, suffix, b"\n")


@pytest.mark.parametrize("suffix", [kind for kind in KINDS if kind != ".html"])
def test_another_file_of_the_name_is_refused(read, suffix):
    for data in (b"just text " * 50, b"PK\x03\x04 cut", b"%PDF-1.4\n", made.archive({"a": "b"})):
        assert " not a" in refused(read, suffix, data)


@pytest.mark.parametrize("suffix", [kind for kind in KINDS if kind not in (".html", ".rtf")])
def test_damage_is_an_error_of_ours_or_does_no_harm(read, suffix):
    dice = random.Random(suffix)
    whole = KINDS[suffix]
    for _ in range(25):
        data = bytearray(whole)
        if dice.random() < 0.3:
            del data[dice.randrange(len(data)) :]
        for _ in range(dice.randrange(1, 8)):
            if data:
                data[dice.randrange(len(data))] = dice.randrange(256)
        with contextlib.suppress(InputError):
            read(suffix, bytes(data))


def test_a_blank_page_is_counted_as_blank_texts_are(read):
    assert read(".html", b"\n") == ""


def test_an_encrypted_pdf_is_named_as_such(read):
    assert "password" in refused(read, ".pdf", made.pdf("Secret.", encrypted=True))


def test_a_scanned_pdf_needs_ocr(read):
    assert "it needs OCR" in refused(read, ".pdf", made.pdf("", ""))


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx"])
def test_encrypted_office_files_are_named_as_such(read, suffix):
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    assert "password" in refused(read, suffix, ole + "EncryptedPackage".encode("utf-16-le"))
    assert "2003" in refused(read, suffix, ole)


def test_an_encrypted_opendocument_is_named_as_such(read):
    data = with_part(KINDS[".odt"], "META-INF/manifest.xml", lambda _: b"<m:encryption-data/>")
    assert "password" in refused(read, ".odt", data)


def test_a_book_under_lock_is_named_as_such(read):
    rights = '<e><CipherReference URI="OEBPS/one.xhtml"/></e>'
    more = {"META-INF/encryption.xml": rights}
    assert "DRM" in refused(read, ".epub", made.book({"one": made.page("a")}, ["one"], **more))
    more = {"META-INF/encryption.xml": rights.replace("one.xhtml", "font.otf")}
    assert "a" in read(".epub", made.book({"one": made.page("a")}, ["one"], **more))


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".html", b"<body><script>go()</script><img src=a>"),
        (".docx", made.saved(docx.Document())),
        (".pptx", made.saved(pptx.Presentation())),
        (".xlsx", made.workbook([])),
        (".odt", made.opendocument("<office:text/>")),
        (".ods", made.opendocument("<office:spreadsheet/>")),
        (".odp", made.opendocument("<office:presentation/>")),
        (".epub", made.book({"one": made.page("")}, ["one"])),
        (".rtf", rb"{\rtf1\ansi }"),
    ],
)
def test_files_without_text_say_so(read, suffix, data):
    message = refused(read, suffix, data)
    assert "no text" in message or "empty" in message


@pytest.mark.parametrize("suffix", ZIPPED)
def test_what_unpacks_to_too_much_is_not_unpacked(read, suffix):
    data = bytearray(KINDS[suffix])
    place = data.index(b"PK\x01\x02")  # the first entry of the directory: its size, as it says
    data[place + 24 : place + 28] = struct.pack("<L", containers.LARGEST_TREE * 5)
    assert "MiB" in refused(read, suffix, bytes(data))


def test_a_packed_page_without_end_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "LARGEST_FILE", 1 << 20)
    file = made.source(tmp_path / "a.html.gz", gzip.compress(b"a" * ((1 << 20) + 1)))
    with pytest.raises(InputError, match="larger than 1 MiB"):
        list(READERS[".html"](file))


def entity(name: str, value: str, xml: bytes) -> bytes:
    """Return XML with an entity declared, and used in place of a word."""
    declared = f"<!DOCTYPE x [{value}]>".encode()
    start = xml.index(b"?>") + 2 if xml.startswith(b"<?xml") else 0
    return xml[:start] + declared + xml[start:].replace(b"Keys", f"&{name};".encode())


@pytest.mark.parametrize("suffix", ZIPPED)
def test_entities_are_neither_unfolded_nor_fetched(read, tmp_path, suffix):
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    laughs = '<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
    )
    outside = f'<!ENTITY out SYSTEM "{secret.as_uri()}">'
    part = holding(KINDS[suffix], b"Keys")
    for name, value in (("a9", laughs), ("out", outside)):
        data = with_part(KINDS[suffix], part, lambda x, n=name, v=value: entity(n, v, x))
        began = time.monotonic()
        try:
            text = read(suffix, data)
        except InputError:
            text = ""
        assert "hunter2" not in text
        assert len(text) < 1000
        assert time.monotonic() - began < 5
