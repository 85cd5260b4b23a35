"""One spelling for what readers take as the same word, in every script."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache, lru_cache

# Letters that no decomposition takes apart, and forms that writers use for one another.
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

# No letter has so many marks, and Unicode puts a row of them in order by comparing each with all.
_MARKS = 64


@cache
def marks() -> str:
    """Return all combining marks: they belong to the word of the letter before them."""
    characters = map(chr, range(0x300, sys.maxunicode + 1))
    return "".join(c for c in characters if unicodedata.category(c) in ("Mn", "Mc"))


@cache
def mark_pattern(others: str = "") -> str:
    """Return a pattern of a single mark.

    Args:
        others: characters that are to count as marks, as the inside of a set.
    """
    low, high = ("".join(c for c in marks() if (c > "\uffff") == wide) for wide in (False, True))
    # The many sets of rare scripts are looked at for these only, not for each emoji.
    return (
        rf"(?:[{re.escape(low)}{others}]"
        rf"|(?=[\U00010000-\U0001efff\U000e0000-\U000e0fff])[{re.escape(high)}])"
    )


@cache
def _row() -> re.Pattern[str]:
    return re.compile(rf"{mark_pattern()}{{{_MARKS}}}")


def normalise(text: str) -> str:
    """Return a text in one spelling: compatible forms, case, accents and digits folded.

    Accents go where leaving them out is a common way to write; marks that are letters, such as
    the vowel signs of Devanagari or Thai and the voicing marks of kana, stay.

    Example:
        >>> normalise("Straße Ἀθῆναι İZMİR Ёлка ﬁn ٣"), normalise("مُعَلِّمَةٌ") == normalise("معلمه")
        ('strasse αθηναι izmir елка fin 3', True)
    """
    if text.isascii():
        return text.lower()
    if len(text) <= _MARKS or not (rows := [found.end() for found in _row().finditer(text)]):
        return _folded(text)
    bounds = zip([0, *rows], [*rows, len(text)], strict=True)
    return "".join([_folded(text[start:end]) for start, end in bounds])


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    kept: list[str] = []
    base = ""
    for character in unicodedata.normalize("NFD", text):
        role = _ROLES[character]
        if role == _PLAIN:
            kept.append(character)
            base = character
        elif role == _MARK:
            if not _is_accent(character, base):
                kept.append(character)
        elif role == _DIGIT:
            kept.append(str(unicodedata.digit(character)))
    return unicodedata.normalize("NFC", "".join(kept).translate(_TABLE))


_PLAIN, _MARK, _DIGIT, _UNSEEN = range(4)


class _Roles(dict[str, int]):
    """What becomes of each character that was met."""

    def __missing__(self, character: str) -> int:
        category = unicodedata.category(character)
        # Unseen are soft hyphens, joiners, marks of direction.
        roles = {"Mn": _MARK, "Mc": _MARK, "Nd": _DIGIT, "Cf": _UNSEEN}
        role = roles.get(category, _PLAIN)
        if len(self) < _REMEMBERED:
            self[character] = role
        return role


_REMEMBERED = 1 << 16  # a sixteenth of all there are
_ROLES = _Roles()


@lru_cache(maxsize=4096)
def _is_accent(mark: str, base: str) -> bool:
    if mark in _ALWAYS:
        return True
    code = ord(base) if base else 0
    if 0x400 <= code < 0x530:
        return mark in _CYRILLIC_ACCENTS
    return any(start <= code < end for start, end in _ACCENTED)
