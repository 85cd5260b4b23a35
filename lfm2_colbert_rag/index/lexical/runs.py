"""What in a string without blanks has terms: words, codes, names of languages, symbols.

All strings are as :func:`~.normalisation.seen` gives them.

Any string takes time in proportion to its length, rows of dashes and dots as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from .normalisation import mark_pattern

_BEGINNING = r"(?=[A-Za-z0-9\u0080-\U0010ffff])"  # which most punctuation fails at once
_ASCII = "[A-Za-z0-9]"
# Whether any words are joined as those of a code are.
_JOINT = re.compile(f"{_ASCII}[-./_]{_ASCII}")
# Initials; digits in groups, as Europeans and Indians write them.
_INITIALS = re.compile(r"(?<![\w.])[^\W\d_](?:\.[^\W\d_])++(?!\w)")
_GROUPED = re.compile(
    r"(?<!\d)(?<!\d[.,'\u066c_])(?!0)\d{1,3}"
    r"(?:(?:([.,'\u066c_])\d{3}(?:\1\d{3})*+)|(?:,\d\d(?!\d))++,\d{3})(?!\d)(?![.,'\u066c_]\d{3})"
)
# As far as the last of these among what may belong to a code.
_TO_DIGIT, _TO_LETTER, _TO_JOINT = (
    re.compile(f"[A-Za-z0-9./_-]*{last}") for last in ("[0-9]", "[A-Za-z]", "[-./_]")
)


# To find all marks, and to compile sets of them, takes a third of a second, which a search by
# vectors alone need not wait for.
@cache
def _mark() -> re.Pattern[str]:
    return re.compile(mark_pattern())


@cache
def _others() -> str:
    """Names of languages; words with their marks; single symbols.

    There is no group in it, so that each is found whole.
    """
    return (
        rf"\b[A-Za-z](?:\+\+|\#)|(?:[^\W_]++|{mark_pattern()}++)++"
        r"|[\u2190-\u2bff\u3012\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
    )


@cache
def _words() -> re.Pattern[str]:
    return re.compile(f"{_BEGINNING}(?:{_others()})")


@cache
def _runs() -> re.Pattern[str]:
    """Words, and those that are joined as those of a code are."""
    return re.compile(f"{_BEGINNING}(?:(?P<code>{_ASCII}++(?:[-./_]{_ASCII}++)++)|{_others()})")


@cache
def _hyphenated() -> re.Pattern[str]:
    """Words that hyphens join, so few that they may be one."""
    letters = rf"(?:[^\W\d_]|{mark_pattern()})++"
    return re.compile(rf"(?<![\w-]){letters}(?:-{letters}){{1,3}}+(?![\w-])")


def is_symbol(run: str) -> bool:
    """Say whether a run of one character is a symbol, not a letter."""
    return not run.isalnum() and not _mark().match(run)


def find_runs(string: str) -> Iterator[str]:
    """Yield what has terms, in its order.

    =======  ====================================================================================
    words    letters and digits, with their marks
    codes    words that are joined by one of ``- . / _`` each, with a digit and a letter among what
             is so joined from there on, such as RT-AX88U
    C++, C#  names of languages
    symbols  an emoji, an arrow
    =======  ====================================================================================

    Example:
        >>> list(find_runs("(RT-AX88U)→C#,kebab-case"))
        ['RT-AX88U', '→', 'C#', 'kebab', 'case']
    """
    if _JOINT.search(string) is None:
        return iter(_words().findall(string))
    return _with_codes(string)


def find_joined(string: str) -> Iterator[str]:
    """Yield what the parts of hyphenated words, initials and groups of digits are as one.

    Example:
        >>> list(find_joined("e-mail/U.S.A/10,000")), list(find_joined("a-b-c-d-e/1,5/2.3.2024"))
        (['email', 'USA', '10000'], [])
    """
    if "-" in string:
        yield from (found[0].replace("-", "") for found in _hyphenated().finditer(string))
    if "." in string:
        yield from (found[0].replace(".", "") for found in _INITIALS.finditer(string))
    yield from (re.sub(r"\D", "", found[0]) for found in _GROUPED.finditer(string))


def _with_codes(string: str) -> Iterator[str]:
    place = last = known = 0
    while found := _runs().search(string, place):
        start, place = found.span()
        if found.lastgroup == "code":
            if start >= known:
                last, known = _reach(string, start)
            if start >= last:
                yield from _words().findall(string, start, known)
                place = known
                continue
        yield found.group()


def _reach(string: str, start: int) -> tuple[int, int]:
    """Return before which place codes may begin, and the place behind the last joint.

    Looked at once for all words that are so joined: anew for each, their rows would take time in
    proportion to the square of their length.
    """
    digit, letter, joint = (
        found.end() if (found := pattern.match(string, start)) else start
        for pattern in (_TO_DIGIT, _TO_LETTER, _TO_JOINT)
    )
    return min(digit, letter), joint
