"""What the terms of a text are, said as plainly as may be and without a thought of time."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from zlib import crc32

import regex

from lfm2_colbert_rag.index.lexical.han_variants import OTHERS, USUAL
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
# What is not seen, and frames around other characters.
_INVISIBLE = (
    r"[\p{Default_Ignorable_Code_Point}\u0488\u0489\u1abe\u20dd-\u20e0\u20e2-\u20e4\ua670-\ua672]"
)
_LETTER = rf"[^\W_]|[{re.escape(marks())}]"
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


_TONES, _MARKED = "\u0e48-\u0e4c\u0ec8-\u0ecc", "\u0e31\u0e34-\u0e3a\u0e47\u0eb1\u0eb4-\u0ebb"
_LOOSE = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u3099\u309a]+")


def analyse_as_defined(text: str) -> list[str]:
    """Return the terms of a text in their order."""
    terms: list[str] = []
    tail = ""
    for string in _one_number_each(text).split():
        plain = _seen(string.strip(EDGES))
        known = len(terms)
        for found in _RUNS.finditer(plain):
            own, head, last = _read_run(found)
            terms += own
            if tail and head:
                terms.append(_pair(tail, head))
            tail = last
        if len(terms) > known or _RUNS.search(plain):
            terms += [f"_{_fold(one)}_" for one in _joined(plain)]
    return terms


def _one_number_each(text: str) -> str:
    """Put groups of digits together that blanks part: no year and number, nor a row of such."""
    blank = r"[ \u00a0\u2009\u202f]"
    groups = rf"({blank})[0-9]{{3}}(?:\1[0-9]{{3}}){{0,2}}"
    whole = rf"(?<![\w.,'])(?<![0-9]\s)[1-9][0-9]{{0,2}}{groups}(?!\s?[0-9])"
    return re.sub(whole, lambda found: re.sub(blank, "'", found[0]), text)


def _seen(string: str) -> str:
    """Return a string as readers see it."""
    if string.isascii():
        return string
    string = unicodedata.normalize("NFKC", regex.sub(_INVISIBLE, "", string))
    string = re.sub("[\u2010-\u2013\u2212\u058a\u05be]", "-", string)
    string = re.sub("[\u02bb\u02bc\u2019]", "'", string)
    # Thai and Lao: sara am behind its tones, two e as one ae, marks before tones.
    am = rf"([\u0e4d\u0ecd])([{_TONES}]*)([\u0e32\u0eb2])([{_TONES}]*)"
    string = re.sub(am, r"\2\4\1\3", string)
    string = string.replace("\u0e40\u0e40", "\u0e41").replace("\u0ec0\u0ec0", "\u0ec1")
    return re.sub(
        f"[{_MARKED}{_TONES}]{{2,}}",
        lambda row: re.sub(f"[{_TONES}]", "", row[0]) + re.sub(f"[{_MARKED}]", "", row[0]),
        string,
    )


def _joined(string: str) -> list[str]:
    """Return what is one word or number, too."""
    letters = rf"(?:[^\W\d_]|[{re.escape(marks())}])+"
    hyphens = re.findall(rf"(?<![\w-])(?:{letters})(?:-{letters})+(?![\w-])", string)
    found = [one.replace("-", "") for one in hyphens if one.count("-") < 4]
    # All of a row or nothing: of U.S.A1 neither.
    initials = re.findall(r"(?<![\w.])(?:[^\W\d_]\.)+[^\W\d_](?!\w|\.[^\W\d_])", string)
    found += [one.replace(".", "") for one in initials]
    separators = r"[.,'\u066c_]"
    number = (
        rf"(?<!\d)(?<!\d{separators})(?!0)\d{{1,3}}"
        rf"(?:({separators})\d{{3}}(?:\1\d{{3}})*|(?:,\d\d)+,\d{{3}})(?!\d)"
        rf"(?!{separators}\d{{3}})"
    )
    return found + [re.sub(r"\D", "", one[0]) for one in re.finditer(number, string)]


def _pair(tail: str, head: str) -> str:
    return f"~{crc32(head.encode(), crc32(f'{tail} '.encode())) >> 16:04x}"


def _read_run(found: re.Match[str]) -> tuple[list[str], str, str]:
    run = _LOOSE.sub("", found[0], count=1) if _LOOSE.match(found[0]) else found[0]
    if not run:
        return [], "", ""
    if found.lastgroup == "run":
        return _terms(run) if len(run) <= _LONG else (_cut(_fold(run)), "", "")
    if found.lastgroup == "code":
        parts = [term for part in re.split(r"[-./_]", run) for term in _terms(part)[0]]
        return [*parts, f"_{re.sub(r'[-./_]', '', run).lower()}_"], "", ""
    return [_fold(run)], "", ""


def _terms(run: str) -> tuple[list[str], str, str]:
    if parts := re.fullmatch(r"(\d+)(\D+)|(\D+)(\d+)", run):
        (one, head), (other, tail) = (_word(part) for part in parts.groups() if part)
        if head and tail:  # a number and a word, such as 500mg
            return [*one, *other, _pair(head, tail), f"_{_fold(run)}_"], head, tail
    terms, head = _word(run)
    return terms, head, head


def _word(run: str) -> tuple[list[str], str]:
    word = _fold(run)
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
    exact = unicodedata.normalize("NFC", run.casefold())
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
    if word.isdigit():
        grouped = word.isdecimal() and len(word) <= 12 and word[0] != "0"
        groups = f"{int(word):,}".split(",") if grouped else []
        terms += [_pair(one, other) for one, other in pairwise(groups)]
    elif len(word) >= _GRAM - 1:
        terms += _grams(whole, _GRAM)
    if len(word) >= _BEGINNING and not _is_prefixing(word[0]):
        terms.append(whole[: _BEGINNING + 1])
    return terms


def _grams(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(len(text) - size + 1)]


_SAME = {
    "ı": "i", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ς": "σ",
    "ٱ": "ا", "ى": "ي", "ة": "ه", "ک": "ك", "ی": "ي", "ہ": "ه", "ە": "ه", "ـ": "",
    "ۃ": "ه", "ڪ": "ك",
    "ך": "כ", "ם": "מ", "ן": "נ", "ף": "פ", "ץ": "צ",
    "ँ": "ं",
    # Final consonants, as they were written before they had characters of their own.
    "ൺ": "ണ്", "ൻ": "ന്", "ർ": "ര്", "ൽ": "ല്", "ൾ": "ള്", "ൿ": "ക്", "ৎ": "ত্",
}  # fmt: skip
_TABLE = str.maketrans(_SAME) | str.maketrans(OTHERS, USUAL)
# Marks that are no letters of their own: accents of Latin and Greek, vowel signs of Arabic and
# Hebrew, the hamza that decomposition takes off, the dots of ё and stress in Cyrillic, the nukta.
_ACCENTED = ((0x41, 0x250), (0x370, 0x400), (0x1E00, 0x2000), (0x590, 0x780), (0x8A0, 0x900))
_CYRILLIC_ACCENTS = "\u0300\u0301\u0308"
_ALWAYS = "\u093c\u09bc\u0a3c\u0abc\u0b3c"


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    kept: list[str] = []
    base = ""
    for character in unicodedata.normalize("NFD", text.casefold()):
        category = unicodedata.category(character)
        if category in ("Mn", "Mc"):
            if not _is_accent(character, base):
                kept.append(character)
        elif category == "Nd":
            kept.append(str(unicodedata.digit(character)))
        elif category != "Cf":  # signs around Arabic numbers
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
