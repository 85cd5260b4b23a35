"""Strings that readers take for the same: in upper or lower case, in one normal form or another."""

from __future__ import annotations

import unicodedata
from typing import Any, Literal

import regex

__all__ = ["composed", "decomposed", "fold", "forms", "has_another_form"]

# No letter has so many marks, and Unicode puts a row of them in order by comparing each with all.
_MARKS = regex.compile(r"\p{M}{64}")


def forms(value: Any) -> tuple[Any, ...]:
    """Return a string as it is, and in those of Unicode's forms C and D that differ from it."""
    if not isinstance(value, str) or value.isascii():
        return (value,)
    return tuple(dict.fromkeys((value, composed(value), decomposed(value))))


def has_another_form(name: str) -> bool:
    """Tell whether a name is spelled differently in Unicode's normal forms."""
    return decomposed(name) != name


def fold(text: str) -> str:
    """Return a text without the difference of case, nor of how accents are encoded.

    Full case folding of Unicode; beyond it the dotted and the dotless i of Turkish are one letter,
    since the capital of either is the capital I of other languages.

    Example:
        >>> fold("STRASSE") == fold("Straße"), fold("İZMİR") == fold("izmir") == fold("ızmır")
        (True, True)
    """
    if text.isascii():
        return text.lower()
    folded = composed(text).casefold()
    return composed(folded.replace("i\u0307", "i").replace("ı", "i"))


def composed(text: str) -> str:
    """Return a string in Unicode's normal form C."""
    return _normal("NFC", text)


def decomposed(text: str) -> str:
    """Return a string in Unicode's normal form D."""
    return _normal("NFD", text)


def _normal(form: Literal["NFC", "NFD"], text: str) -> str:
    if text.isascii() or _MARKS.search(text):
        return text
    return unicodedata.normalize(form, text)
