"""The encoding of a text: by its mark, by its own form, or by a guess that is told.

Almost everything today is UTF-8, which a text in another encoding is about never by chance. So
whatever is valid UTF-8 is taken for it, and a detector is asked about the rest only.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import BinaryIO

from .._support.lines import WIDE_MARKS
from ..errors import ConfigError, InputError
from .records import Encoding, SourceFile

__all__ = ["UTF_8", "find_encoding", "named_encoding", "open_text", "read_whole"]

MAX_CHARACTERS = 100_000_000
"""Characters at most of what has to be read in one piece; a packed file may hold any number."""

_CHUNK = 1 << 20
_SAMPLE = 1 << 16
_MARKS = (*WIDE_MARKS, (codecs.BOM_UTF8, "utf-8-sig"))
# Japanese mail: seven bits only, hence valid UTF-8, but for what announces two bytes a character.
_ESCAPES = (b"\x1b$B", b"\x1b$@")
# So many of a hundred characters beyond ASCII may be broken in what is UTF-8 all the same, such as
# one that was cut in two.
_BROKEN = 5
# Of what shares its letters, the one that decodes more.
_WIDER = {
    "gb2312": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "shift_jis_2004": "cp932",
    "iso8859-1": "cp1252",
}
# What Western European languages write beyond ASCII. A detector is lost on a word or two of them,
# and next to nobody has so short a text in another encoding of one byte a character.
_WESTERN = frozenset(
    "àáâãäåæçèéêëìíîïñòóôõöøœùúûüýÿßÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØŒÙÚÛÜÝ“”‘’„‚–—…€£§°«»¿¡®©™·•ºª²³½¼¾×µ´\xa0"
)
_FEW = 32
_HIGH = re.compile(rb"[\x80-\xff]+")


UTF_8 = Encoding("utf-8-sig")


def named_encoding(name: str) -> Encoding:
    """Return the encoding of a name that the user gave.

    Raises:
        ConfigError: Python knows none of the name that makes text of bytes.
    """
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        raise ConfigError(
            f"{name!r} is no encoding of texts; name one such as utf-8, cp1252 or shift_jis."
        ) from None
    return Encoding(name)


def find_encoding(file: SourceFile) -> Encoding:
    """Find out how a text is encoded, without keeping it; or return what is known of the file.

    Raises:
        InputError: it is no text, or in an encoding that nobody can tell.
        OSError: it cannot be read.
    """
    if file.encoding is not None:
        return file.encoding
    with file.open() as stream:
        head = stream.read(_SAMPLE)
        for mark, name in _MARKS:
            if head.startswith(mark):
                return Encoding(name)
        if b"\0" in head:
            return _without_mark(head)
        if any(escape in head for escape in _ESCAPES):
            return Encoding("iso2022_jp", guessed=True)
        stream.seek(0)
        if _is_utf_8(stream):
            return UTF_8
        stream.seek(0)
        return _guess(_strange_lines(stream))


def open_text(file: SourceFile, *, newline: str | None) -> io.TextIOWrapper:
    """Open a text.

    Args:
        file: the file.
        newline: as for :func:`open`.

    Raises:
        InputError: see :func:`find_encoding`.
        OSError: it cannot be opened.
    """
    found = find_encoding(file)
    errors = "replace" if found.broken else "strict"
    return io.TextIOWrapper(file.open(), encoding=found.name, errors=errors, newline=newline)


def read_whole(stream: io.TextIOWrapper) -> str:
    """Read a text that has to be held in one piece.

    Raises:
        InputError: it has more than :data:`MAX_CHARACTERS` characters.
        OSError: it cannot be read.
    """
    text = stream.read(MAX_CHARACTERS + 1)
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"it holds more than {MAX_CHARACTERS:,} characters in one piece. Cut it into parts."
        )
    return text


def _without_mark(head: bytes) -> Encoding:
    """Tell which UTF-16 without a mark it is: in most texts, every other byte is about the same."""
    first, second = head[0::2].count(0), head[1::2].count(0)
    if not second and first > len(head) // 8:
        return Encoding("utf-16-be", guessed=True)
    if not first and second > len(head) // 8:
        return Encoding("utf-16-le", guessed=True)
    raise InputError("it holds NUL bytes: this is no text.")


def _is_utf_8(stream: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := stream.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _strange_lines(stream: BinaryIO) -> bytes:
    """Return the first lines that hold more than ASCII: they alone tell encodings apart."""
    sample = bytearray()
    while line := stream.readline(_SAMPLE):
        if not line.isascii():
            sample += line
            if len(sample) >= _SAMPLE:
                break
    return bytes(sample)


def _guess(sample: bytes) -> Encoding:
    text = sample.decode("utf-8", "replace")
    strange = len(text) - len(text.encode("ascii", "ignore"))
    if text.count("\N{REPLACEMENT CHARACTER}") * 100 <= strange * _BROKEN:
        return Encoding("utf-8-sig", broken=True)
    if _is_short_and_western(sample):
        return Encoding("cp1252", guessed=True)
    from chardet import EncodingEra, detect  # what it knows takes a while to load

    found = detect(
        sample,
        encoding_era=EncodingEra.ALL & ~EncodingEra.MAINFRAME,
        prefer_superset=False,
        compat_names=False,
    )
    name = found["encoding"]
    if name is None:
        raise InputError("it holds bytes that are no text in any encoding that can be told.")
    return Encoding(_WIDER.get(name, name), guessed=True)


def _is_short_and_western(sample: bytes) -> bool:
    runs = _HIGH.findall(sample)
    if sum(map(len, runs)) >= _FEW or max(map(len, runs), default=0) > 2:
        return False
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return all(character in _WESTERN for character in text if not character.isascii())
