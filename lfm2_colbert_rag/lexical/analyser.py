"""Texts to terms, in every script and without knowing the language.

What was chosen, by measurement over all sets of ``benchmarks/quality``:

* words are kept whole, and cut into stretches of four letters as well, their borders included:
  that finds inflected and compound words in every language, better than the stemmer of the
  language does, and needs no detection of languages, no dictionary and no library;
* neighbouring words count as a pair besides, by their first four letters: for texts of one
  language that is worth as much as a stemmer, a list of stop words and other parameters together;
* scripts that put no blanks between words are cut into single characters and pairs (Chinese,
  Japanese), or stretches (Thai, Lao, Khmer, Myanmar); Korean words into pairs;
* no stop words: their weight is next to nothing anyway, and some names consist of them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from zlib import crc32

from .normalisation import marks, normalise

VERSION = 2
"""Changes whenever a text may get other terms; indexes of another version are filled again."""

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
_LONG = 64  # longer runs are not worth remembering


def analyse(text: str) -> list[str]:
    """Return the terms of a text, in its order; a term comes as often as it is there.

    Args:
        text: a passage or a query; both are treated alike.

    Example:
        >>> analyse("In Züge")
        ['_in_', '_zuge_', '_zug', 'zuge', 'uge_', '~0c68']
        >>> analyse("東京へ")
        ['東', '京', '東京', 'へ']
    """
    terms: list[str] = []
    before = ""
    for found in _RUNS.finditer(text):
        run, head = found.group(), ""
        if found.lastgroup == "run":
            own, head = _terms(run) if len(run) <= _LONG else (_cut(run), "")
            terms += own
        elif found.lastgroup == "code":
            for part in re.split(r"[-./_]", run):
                terms += _terms(part)[0]
            terms.append(f"_{re.sub(r'[-./_]', '', run).lower()}_")
        else:
            terms.append(normalise(run))
        if before and head:
            terms.append(pair(before, head))
        before = head
    return terms


def pair(head: str, next_head: str) -> str:
    """Return the term of two neighbouring words; some pairs share theirs.

    There are four times as many pairs as other terms, most of them met once, and each list that a
    commit touches costs time. Under 16,384 names two thirds of what pairs are worth remain.
    """
    return f"~{crc32(f'{head} {next_head}'.encode()) >> 18:04x}"


@lru_cache(maxsize=1 << 16)
def _terms(run: str) -> tuple[tuple[str, ...], str]:
    """Return the terms of a run, and how it begins if it is one word of a script with blanks."""
    found = _PARTS.fullmatch(word := normalise(run))
    head = word[:_HEAD] if found is not None and found.lastgroup == "word" else ""
    return tuple(_cut(run)), head


def _cut(run: str) -> list[str]:
    """Cut what stands between two blanks into terms."""
    terms: list[str] = []
    for part in _PARTS.finditer(normalise(run)):
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
    whole = f"_{word}_"
    return [whole] if len(word) < _GRAM - 1 or word.isdigit() else [whole, *_grams(whole, _GRAM)]


def _grams(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(len(text) - size + 1)]
