"""One spelling for what readers take as the same word, in every script."""

from __future__ import annotations

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


@cache
def marks() -> str:
    """Return all combining marks: they belong to the word of the letter before them."""
    characters = map(chr, range(0x300, sys.maxunicode + 1))
    return "".join(c for c in characters if unicodedata.category(c) in ("Mn", "Mc"))


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


@lru_cache(maxsize=4096)
def _is_accent(mark: str, base: str) -> bool:
    if mark in _ALWAYS:
        return True
    code = ord(base) if base else 0
    if 0x400 <= code < 0x530:
        return mark in _CYRILLIC_ACCENTS
    return any(start <= code < end for start, end in _ACCENTED)
