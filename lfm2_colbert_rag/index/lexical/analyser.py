"""Texts to terms, in every script and without knowing the language.

What was chosen, by measurement over all sets of ``benchmarks/quality``:

* words are kept whole, and cut into stretches of four letters as well, their borders included:
  that finds inflected and compound words in every language, better than the stemmer of the
  language does, and needs no detection of languages, no dictionary and no library;
* the first five letters of a longer word are a term besides, since what is inflected is the end;
  not in Arabic and Hebrew, where articles and prepositions are written together with the word;
* a word that is written with accents counts half as it is spelled, half without them, since
  Vietnamese without accents is hard to tell apart, while in other languages many leave them out;
* neighbouring words count as a pair besides, by their first four letters: for texts of one
  language that is worth as much as a stemmer, a list of stop words and other parameters together;
* scripts that put no blanks between words are cut into single characters and pairs (Chinese,
  Japanese), or stretches (Thai, Lao, Khmer, Myanmar); Korean words into pairs;
* what some write as one word and others as several has the terms of the several, and one more:
  500mg, e-mail, 10,000; what a number has in groups of digits, it has as a whole, too;
* no stop words: what they weigh is learned from the collection, and some names consist of them.

==========  ============================================================
``_fox_``   a word, a code such as RT-AX88U, or what e-mail, 500mg and 10,000 are as one
``_foxho``  how a word of five letters or more begins
``=là``     a word as it is spelled, where that has accents
``~1a2b``   two neighbouring words
others      stretches, characters, symbols
==========  ============================================================
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias
from zlib import crc32

from .normalisation import LOOSE, fold, seen
from .runs import find_joined, find_runs, is_symbol
from .strings import strings

VERSION = 2
"""Changes whenever a text may get other terms; an index of another version cannot be read."""

_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f"
_HAN = r"\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_HIRAGANA, _KATAKANA = r"\u3041-\u309f", r"\u30a1-\u30ff\u31f0-\u31ff"
_HANGUL = r"\uac00-\ud7af"
_PARTS = re.compile(
    rf"(?P<unspaced>[{_UNSPACED}]+)|(?P<han>[{_HAN}]+)|(?P<hiragana>[{_HIRAGANA}]+)"
    rf"|(?P<katakana>[{_KATAKANA}]+)|(?P<hangul>[{_HANGUL}]+)"
    rf"|(?P<word>[^{_UNSPACED}{_HAN}{_HIRAGANA}{_KATAKANA}{_HANGUL}]+)"
)
_GRAM = 4
_GROUP, _NUMBER = 3, 12  # digits of a group, and of the longest number that people group
_HEAD = 4  # letters of a word that its pairs have
_BEGINNING = 5
_PREFIXING = ("\u0590", "\u0780")  # scripts that write articles together with the word
# What beginnings count beside whole words, and whole words without their accents.
_OF_BEGINNINGS, _OF_PLAIN = 0.7, 0.5
_LONG = 64  # longer runs are no words of any language
_BORDER = re.compile(r"(\d+)(\D+)|(\D+)(\d+)")
# Strings that are not longer are worth caching; so many, that mischief fills some ten megabytes,
# and that the garbage collector, which looks at each, is done in an instant.
_CACHED, _KEPT = 24, 1 << 15
_PAIRS = 1 << 12  # pairs within long strings, in which the same few may follow one another


Token: TypeAlias = tuple[tuple[str, ...], int, bytes, int | None]
"""What stands between two blanks of a text.

* its terms in their order, pairs of its own words among them;
* where among them the pair with the word before it belongs;
* how its first word begins, in UTF-8; empty where it does not begin with a word;
* what its last word contributes to the number of a pair; None where it does not end with one.

Plain tuples of plain values, since tens of thousands of them are kept: Python's garbage collector
need not look at those, which would hold up all threads for a quarter of a second.
"""

_Run: TypeAlias = tuple[tuple[str, ...], str, str]
"""The terms of a run; how its first and its last word begin, if their script has blanks."""


def analyse(text: str) -> list[str]:
    """Return the terms of a text, in its order; a term comes as often as it is there.

    Args:
        text: a passage or a query; both are treated alike.

    Example:
        >>> analyse("In Züge")
        ['_in_', '_zuge_', '_zug', 'zuge', 'uge_', '=züge', '~31a1']
        >>> analyse("東京へ")
        ['東', '京', '東京', 'へ']
    """
    return list(iterate_terms(text))


def iterate_terms(text: str) -> Iterator[str]:
    """Yield the terms of a text one by one; see :func:`analyse`."""
    seed: int | None = None
    for string in strings(text):
        if (token := read_token(string)) is None:
            continue
        terms, joint, head, next_seed = token
        if seed is not None and head:
            yield from terms[:joint]
            yield pair_term(pair_number(seed, head))
            yield from terms[joint:]
        else:
            yield from terms
        seed = next_seed


def read_token(string: str) -> Token | None:
    """Analyse what stands between two blanks; no term reaches over a blank, except pairs.

    Args:
        string: as :func:`~.strings.strings` gives it.

    Returns:
        None where nothing is in it that has terms, as in a dash.
    """
    return _cached_token(string) if len(string) <= _CACHED else _token(string)


def _token(string: str) -> Token | None:
    if not string.isascii():
        string = seen(string)
    elif string.isalpha():  # one run, as most are
        whole, head, tail = _terms(string)
        return whole, len(whole), head.encode(), _seed_of(tail)
    terms: list[str] = []
    first = last = None
    joint = 0
    known: dict[str, _Run] = {}
    for run in find_runs(string):
        if (found := known.get(run)) is None:
            found = known[run] = _terms(run)
        own, head, tail = found
        terms += own
        if first is None:
            first, joint = head, len(terms)
        elif last and head:
            terms.append(_cached_pair(last, head))
        last = tail
    if first is None:
        return None
    terms += [f"_{fold(joined)}_" for joined in find_joined(string)]
    return tuple(terms), joint, first.encode(), _seed_of(last)


_cached_token = lru_cache(maxsize=_KEPT)(_token)


def weigh(query: str) -> dict[str, float]:
    """Return the terms of a query, and how much each of them counts.

    Short words count as their own beginnings, too.

    Example:
        >>> weigh("fox 東")
        {'_fox_': 1.7, '_fox': 1.0, 'fox_': 1.0, '東': 1.0}
    """
    times = Counter(iterate_terms(query))
    spelled = {term[1:] for term in times if term[0] == "="}
    accented = {f"_{fold(word)}_" for word in spelled}
    return {term: count * _weight(term, term in accented) for term, count in times.items()}


def is_wordlike(term: str) -> bool:
    """Say whether a term is a word, its beginning or a pair, not a stretch or a character."""
    return term[0] in "~=" or (term[0] == "_" and (term[-1] == "_" or len(term) > _GRAM))


def _weight(term: str, accented: bool) -> float:
    if term[0] == "=":
        return 1 - _OF_PLAIN
    if term[0] != "_" or not is_wordlike(term):
        return 1.0
    if term[-1] != "_":
        return _OF_BEGINNINGS
    short = len(term) < _BEGINNING + 2 and not _is_prefixing(term[1])
    return (_OF_PLAIN if accented else 1.0) + (_OF_BEGINNINGS if short else 0.0)


def _is_prefixing(letter: str) -> bool:
    return _PREFIXING[0] <= letter < _PREFIXING[1]


def pair(head: str, next_head: str) -> str:
    """Return the term of two neighbouring words, given how they begin; some pairs share theirs.

    There are four times as many pairs as other terms, most of them met once, and each list that a
    commit touches costs time. Under 65,536 names next to nothing of what pairs are worth is lost.
    """
    return pair_term(pair_number(_seed(head), next_head.encode()))


_cached_pair = lru_cache(maxsize=_PAIRS)(pair)


def pair_number(seed: int, next_head: bytes) -> int:
    """Return the number of the pair that two neighbouring tokens make, see :func:`pair_term`.

    Args:
        seed: that of the first.
        next_head: how the second begins.
    """
    return crc32(next_head, seed) >> 16


def pair_term(number: int) -> str:
    """Return the term of a pair of that number, 0 to 65,535."""
    return f"~{number:04x}"


def _seed(head: str) -> int:
    return crc32(f"{head} ".encode())


def _seed_of(head: str | None) -> int | None:
    return _seed(head) if head else None


def _terms(run: str) -> _Run:
    if run.isascii() and not run.isalnum():  # a code, or a name such as C++
        return _code_terms(run), "", ""
    if not run.isascii() and not (run := run.lstrip(LOOSE)):
        return (), "", ""
    if len(run) > _LONG:
        return tuple(_cut(fold(run))), "", ""
    return _of_both(run) or _read_word(run)


def _code_terms(run: str) -> tuple[str, ...]:
    parts = re.split(r"[-./_]", run)
    if len(parts) == 1:
        return (fold(run),)
    terms = [term for part in parts for term in _terms(part)[0]]
    return (*terms, f"_{''.join(parts).lower()}_")


def _of_both(run: str) -> _Run | None:
    """Return the terms of a number and a word that are written as one, such as 500mg."""
    if (found := _BORDER.fullmatch(run)) is None:
        return None
    (one, head, tail), (other, next_head, last) = map(_read_word, filter(None, found.groups()))
    if not tail or not next_head:
        return None
    return (*one, *other, pair(tail, next_head), f"_{fold(run)}_"), head, last


def _read_word(run: str) -> _Run:
    word = fold(run)
    head = word[:_HEAD]
    if run.isascii():
        return tuple(_of_word(word)), head, head
    if len(run) == 1 and is_symbol(run):
        return (word,), "", ""
    found = _PARTS.fullmatch(word)
    if found is None or found.lastgroup != "word":
        return tuple(_cut(word)), "", ""
    return (*_of_word(word), *_spelled(run, word)), head, head


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
        terms += _groups(word)
    elif len(word) >= _GRAM - 1:
        terms += _grams(whole, _GRAM)
    if len(word) >= _BEGINNING and not _is_prefixing(word[0]):
        terms.append(whole[: _BEGINNING + 1])
    return terms


def _groups(number: str) -> list[str]:
    """Return the pairs that a number has where its digits are grouped, as 10,000 and 10 000 are."""
    if not _GROUP < len(number) <= _NUMBER or number[0] == "0" or not number.isdecimal():
        return []
    start = len(number) % _GROUP or _GROUP
    groups = [number[:start], *(number[at : at + 3] for at in range(start, len(number), _GROUP))]
    return [pair(one, other) for one, other in pairwise(groups)]


def _grams(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(len(text) - size + 1)]
