"""What the terms of a text are, said as plainly as may be and without a thought of time."""

from __future__ import annotations

import re
import unicodedata
from zlib import crc32

from lfm2_colbert_rag.index.lexical.normalisation import marks

_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f"
_HAN = r"\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_HIRAGANA, _KATAKANA = r"\u3041-\u309f", r"\u30a1-\u30ff\u31f0-\u31ff"
_HANGUL = r"\uac00-\ud7af"
_PARTS = re.compile(
    rf"(?P<unspaced>[{_UNSPACED}]+)|(?P<han>[{_HAN}]+)|(?P<hiragana>[{_HIRAGANA}]+)"
    rf"|(?P<katakana>[{_KATAKANA}]+)|(?P<hangul>[{_HANGUL}]+)"
    rf"|(?P<word>[^{_UNSPACED}{_HAN}{_HIRAGANA}{_KATAKANA}{_HANGUL}]+)"
)
_WITHIN = r"\u00ad\u200c\u200d\u2060\ufeff"  # not seen, and no end of a word
_LETTER = rf"[^\W_]|[{re.escape(marks())}{_WITHIN}]"
# Words; codes such as RT-AX88U a second time as one; names of languages; single symbols.
_RUNS = re.compile(
    rf"(?P<code>(?=[A-Za-z0-9./_-]*[0-9])(?=[0-9./_-]*[A-Za-z])[A-Za-z0-9]+(?:[-./_][A-Za-z0-9]+)+)"
    rf"|(?P<sharp>\b[A-Za-z](?:\+\+|\#))"
    rf"|(?P<run>(?:{_LETTER})+)"
    r"|(?P<symbol>[\u2190-\u2bff\u3012\U0001f1e6-\U0001f1ff]{1,2}?"
    r"|[\U0001f000-\U0001f3fa\U0001f400-\U0001faff])"
)
_GRAM = 4
_HEAD = 4  # letters of a word that its pairs have
_BEGINNING = 5
_PREFIXING = ("\u0590", "\u0780")  # scripts that write articles together with the word
EDGES = ".,;:!?()[]{}\"'"
_LONG = 64


def analyse_as_defined(text: str) -> list[str]:
    """Return the terms of a text in their order."""
    terms: list[str] = []
    head_before = ""
    for string in text.split():
        for found in _RUNS.finditer(string.strip(EDGES)):
            own, head = _read_run(found)
            terms += own
            if head_before and head:
                terms.append(
                    f"~{crc32(head.encode(), crc32(f'{head_before} '.encode())) >> 16:04x}"
                )
            head_before = head
    return terms


def _read_run(found: re.Match[str]) -> tuple[list[str], str]:
    run = found.group()
    if found.lastgroup == "run":
        return _terms(run) if len(run) <= _LONG else (_cut(_normalise(run)), "")
    if found.lastgroup == "code":
        parts = [term for part in re.split(r"[-./_]", run) for term in _terms(part)[0]]
        return [*parts, f"_{re.sub(r'[-./_]', '', run).lower()}_"], ""
    return [_normalise(run)], ""


def _terms(run: str) -> tuple[list[str], str]:
    word = _normalise(run)
    if run.isascii():
        return _of_word(word), word[:_HEAD]
    found = _PARTS.fullmatch(word)
    if found is None or found.lastgroup != "word":
        return _cut(word), ""
    return [*_of_word(word), *_spelled(run, word)], word[:_HEAD]


def _is_prefixing(letter: str) -> bool:
    return _PREFIXING[0] <= letter < _PREFIXING[1]


def _spelled(run: str, word: str) -> list[str]:
    """Return the term of a Latin word as it is spelled, if that is not how it is normalised."""
    exact = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", run).casefold())
    return [f"={exact}"] if exact != word and re.search("[a-z]", word) else []


def _cut(run: str) -> list[str]:
    """Cut a run, normalised, into terms."""
    terms: list[str] = []
    for part in _PARTS.finditer(run):
        text = part.group()
        if part.lastgroup == "word":
            terms += _of_word(text)
        elif part.lastgroup == "unspaced":
            terms += _grams(text, 3) or [text]
        elif part.lastgroup == "hangul":
            terms += _grams(text, 2) or [text]
        else:
            terms += [*text, *_grams(text, 2)]
    return terms


def _of_word(word: str) -> list[str]:
    terms = [whole := f"_{word}_"]
    if len(word) >= _GRAM - 1 and not word.isdigit():
        terms += _grams(whole, _GRAM)
    if len(word) >= _BEGINNING and not _is_prefixing(word[0]):
        terms.append(whole[: _BEGINNING + 1])
    return terms


def _grams(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(len(text) - size + 1)]


_SAME = {
    "ı": "i", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ς": "σ",
    "ٱ": "ا", "ى": "ي", "ة": "ه", "ک": "ك", "ی": "ي", "ہ": "ه", "ە": "ه", "ـ": "",
    "ך": "כ", "ם": "מ", "ן": "נ", "ף": "פ", "ץ": "צ",
    "ँ": "ं",
    "’": "'", "ʼ": "'",
}  # fmt: skip
_TABLE = str.maketrans(_SAME)
# Marks that are no letters of their own: accents of Latin and Greek, vowel signs of Arabic and
# Hebrew, the hamza that decomposition takes off, the dots of ё and stress in Cyrillic, the nukta.
_ACCENTED = ((0x41, 0x250), (0x370, 0x400), (0x1E00, 0x2000), (0x590, 0x780), (0x8A0, 0x900))
_CYRILLIC_ACCENTS = "\u0300\u0301\u0308"
_ALWAYS = "\u093c\u09bc\u0a3c\u0abc\u0b3c"


def _normalise(text: str) -> str:
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).casefold()
    kept: list[str] = []
    base = ""
    for character in unicodedata.normalize("NFD", text):
        category = unicodedata.category(character)
        if category in ("Mn", "Mc"):
            if not _is_accent(character, base):
                kept.append(character)
        elif category == "Nd":
            kept.append(str(unicodedata.digit(character)))
        elif category != "Cf":  # soft hyphens, joiners, marks of direction
            kept.append(character)
            base = character
    return unicodedata.normalize("NFC", "".join(kept).translate(_TABLE))


def _is_accent(mark: str, base: str) -> bool:
    if mark in _ALWAYS:
        return True
    code = ord(base) if base else 0
    if 0x400 <= code < 0x530:
        return mark in _CYRILLIC_ACCENTS
    return any(start <= code < end for start, end in _ACCENTED)
