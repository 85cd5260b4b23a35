"""What in a string without blanks has terms: words, codes, names of languages, symbols.

Any string takes time in proportion to its length, rows of dashes and dots as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .normalisation import marks
from .strings import WITHIN

_LETTERS = rf"[^\W_]++|[{re.escape(marks())}{WITHIN}]++"
_OTHERS = (
    rf"(?P<sharp>\b[A-Za-z](?:\+\+|\#))|(?P<run>(?:{_LETTERS})++)"
    r"|(?P<symbol>[\u2190-\u2bff\u3012\U0001f1e6-\U0001f1ff]"
    r"|[\U0001f000-\U0001f3fa\U0001f400-\U0001faff])"
)
_WORDS = re.compile(_OTHERS)
# Words that are joined as those of a code are; and as far as the last digit and letter of what may
# belong to one.
_RUNS = re.compile(rf"(?P<code>[A-Za-z0-9]++(?:[-./_][A-Za-z0-9]++)++)|{_OTHERS}")
_CODE = "[A-Za-z0-9./_-]"
_TO_DIGIT, _TO_LETTER = re.compile(rf"{_CODE}*[0-9]"), re.compile(rf"{_CODE}*[A-Za-z]")
_TO_END = re.compile(rf"{_CODE}*+")


def find_runs(string: str) -> Iterator[re.Match[str]]:
    """Yield what has terms, in its order; the group that matched says what it is.

    ========  ===================================================================
    ``code``  words that are joined by ``- . / _``, a digit and a letter among what
              is so joined from there on, such as RT-AX88U
    sharp     C++, C#
    run       letters and digits, with their marks
    symbol    an emoji, an arrow
    ========  ===================================================================

    Example:
        >>> [(found.lastgroup, found.group()) for found in find_runs("(RT-AX88U)→C#")]
        [('code', 'RT-AX88U'), ('symbol', '→'), ('sharp', 'C#')]
    """
    place = last = known = 0
    while True:
        if last <= place < known:
            found = _WORDS.search(string, place)
            if found and found.start() >= known:
                found = _RUNS.match(string, found.start())
        else:
            found = _RUNS.search(string, place)
        if found is None:
            return
        start = found.start()
        if found.lastgroup == "code":
            if start >= known:
                last, known = _reach(string, start)
            if start >= last:
                found = _WORDS.match(string, start) or found
        yield found
        place = found.end()


def _reach(string: str, start: int) -> tuple[int, int]:
    """Return before which place a code may begin, and up to where this is known.

    Looked at once for all words that are so joined: anew for each, their rows would take time in
    proportion to the square of their length.
    """
    digit, letter = _TO_DIGIT.match(string, start), _TO_LETTER.match(string, start)
    end = _TO_END.match(string, start)
    last = min(digit.end(), letter.end()) if digit and letter else start
    return last, end.end() if end else start
