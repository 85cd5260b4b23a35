"""One spelling for what readers take as the same word, in every script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache

from .han_variants import OTHERS, USUAL

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\u0488\u0489\u1abe\u20dd-\u20e0\u20e2-\u20e4\ua670-\ua672"
)
"""Characters that are not seen (Unicode's ``Default_Ignorable_Code_Point``) and frames around
others, such as that of a keycap, as the inside of a set: they neither are nor end a word."""
_INVISIBLE = re.compile(f"[{INVISIBLE}]+")

HYPHENS = "\u2010-\u2013\u2212\u058a\u05be"
"""Hyphens and minus signs that stand where ``-`` might, as the inside of a set."""
_JOINTS = re.compile(f"[{HYPHENS}]"), re.compile("[\u02bb\u02bc\u2019]")

LOOSE = "".join(
    map(chr, (*range(0x300, 0x370), *range(0x591, 0x5C8), *range(0x64B, 0x660), 0x3099, 0x309A))
)
"""Marks that are nothing without a letter before them, such as what an accent on a blank is."""

# Thai and Lao: marks above and below, then tones; of am, which is two characters, tones go first.
# Two vowels e are seen as one ae.
_TONES, _MARKED = "\u0e48-\u0e4c\u0ec8-\u0ecc", "\u0e31\u0e34-\u0e3a\u0e47\u0eb1\u0eb4-\u0ebb"
_AM = re.compile(f"([\u0e4d\u0ecd])([{_TONES}]*)([\u0e32\u0eb2])([{_TONES}]*)")
_TONED = re.compile(f"[{_MARKED}]*[{_TONES}]+[{_MARKED}][{_MARKED}{_TONES}]*")
_MISPLACED = re.compile(f"[{_TONES}][{_MARKED}]")  # which is found at once, as those are not
_TONE = re.compile(f"[{_TONES}]")
_DOUBLED = ("\u0e40\u0e40", "\u0e41"), ("\u0ec0\u0ec0", "\u0ec1")
_SYLLABIC = re.compile("[\u0e00-\u0eff]")
_SPECIAL = re.compile(f"[{INVISIBLE}{HYPHENS}\u02bb\u02bc\u2019\u0e00-\u0eff]")

# Letters that no decomposition takes apart, and forms that writers use for one another.
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

# No letter has so many marks, and Unicode puts a row of them in order by comparing each with all.
_MARKS = 64


# Where Unicode has marks: not among its Han characters, Hangul, private ones and what is not given.
_WITH_MARKS = (0x300, 0x3400), (0xA000, 0xAC00), (0xF900, 0x1F000), (0xE0000, 0xE1000)


@cache
def marks() -> str:
    """Return all combining marks: they belong to the word of the letter before them."""
    characters = (chr(code) for first, beyond in _WITH_MARKS for code in range(first, beyond))
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
    the vowel signs of Devanagari or Thai and the voicing marks of kana, stay. Han characters
    become the usual one of their forms.

    Example:
        >>> normalise("Straße Ἀθῆναι İZMİR Ёлка ﬁn ٣"), normalise("مُعَلِّمَةٌ") == normalise("معلمه")
        ('strasse αθηναι izmir елка fin 3', True)
        >>> normalise("髙﨑 渡邉")
        '高崎 渡辺'
    """
    return fold(seen(text))


def seen(text: str) -> str:
    r"""Return a text without what cannot be seen, what looks alike written alike.

    Compatible forms are those of NFKC; hyphens become ``-``, apostrophes ``'``; marks of Thai and
    Lao come in one order. What is a word, and how it is spelled, can be told from the result.

    Example:
        >>> seen("co\u00adoperate １０㎏ x‑ray п’ять")
        "cooperate 10kg x-ray п'ять"
    """
    if text.isascii():
        return text
    if _SPECIAL.search(text) is None and unicodedata.is_normalized("NFKC", text):
        return text
    text = _by_rows(_composed, _INVISIBLE.sub("", text))
    for joint, plain in zip(_JOINTS, "-'", strict=True):
        text = joint.sub(plain, text)
    return _in_order(text) if _SYLLABIC.search(text) else text


def fold(text: str) -> str:
    """Do to what :func:`seen` returned what else :func:`normalise` does."""
    return text.lower() if text.isascii() else _by_rows(_folded, text)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _in_order(text: str) -> str:
    text = _AM.sub(r"\2\4\1\3", text)
    for twice, once in _DOUBLED:
        text = text.replace(twice, once)
    if _MISPLACED.search(text) is None:
        return text
    return _TONED.sub(lambda found: "".join(sorted(found[0], key=_is_tone)), text)


def _is_tone(mark: str) -> bool:
    return _TONE.match(mark) is not None


def _by_rows(change: Callable[[str], str], text: str) -> str:
    """Change a text, long rows of marks in parts."""
    if len(text) <= _MARKS or not (rows := [found.end() for found in _row().finditer(text)]):
        return change(text)
    bounds = zip([0, *rows], [*rows, len(text)], strict=True)
    return "".join([change(text[start:end]) for start, end in bounds])


def _folded(text: str) -> str:
    kept: list[str] = []
    base = ""
    for character in unicodedata.normalize("NFD", text.casefold()):
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
        # Unseen are signs around Arabic and Syriac numbers.
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
