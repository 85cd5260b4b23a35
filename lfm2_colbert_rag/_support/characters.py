"""Characters of strings from outside: what no index can keep, and what nobody sees."""

from __future__ import annotations

import re
import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Half of a character that needs two code units in UTF-16, left over where a text was cut or
# decoded wrongly; and what C programs take for the end of a string.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
# Letters and symbols that are drawn as nothing: fillers of Hangul, the empty pattern of Braille.
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"


def find_unstorable(text: str) -> str | None:
    r"""Say which character of a string cannot be stored, and where; None where all can.

    Example:
        >>> find_unstorable("cut here: \ud83d")
        'a lone surrogate (\\ud83d at character 10)'
    """
    if "\0" not in text and is_valid(text):
        return None
    found = _UNSTORABLE.search(text)
    assert found is not None  # what UTF-8 refuses is a surrogate
    if found[0] == "\0":
        return f"a NUL character (at character {found.start()})"
    return f"a lone surrogate ({ascii(found[0])[1:-1]} at character {found.start()})"


def is_valid(text: str) -> bool:
    """Tell whether a string is valid Unicode, without lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    r"""Return a string with U+FFFD for NUL and lone surrogates; halves side by side are joined.

    Example:
        >>> storable("Scanner\0, \ud83d\ude00") == "Scanner\ufffd, \U0001f600"
        True
    """
    if "\0" not in text and is_valid(text):
        return text
    return _UNSTORABLE.sub(REPLACEMENT, _PAIR.sub(_join, text))


def is_blank(text: str) -> bool:
    r"""Tell whether a string shows nothing: blanks, controls, and what is invisible.

    Halves of characters show nothing, either.

    Example:
        >>> is_blank(" \x0c\ufeff\u200b"), is_blank(".")
        (True, False)
    """
    bare = (text if is_valid(text) else _PAIR.sub(_join, text)).strip()
    return all(unicodedata.category(one) in _UNSEEN or one in _FILLERS for one in bare)


def _join(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")
