"""Which questions a model is trained on, which choose, and which judge.

No passage is on two sides: a question whose passage was trained on says how well that passage is
remembered. And nor are two questions in nearly the same words.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from ..index.lexical.analyser import analyse
from .labels import Labelled

__all__ = ["SIDES", "Side", "Split", "alike", "fold", "groups", "split"]

Side: TypeAlias = Literal["train", "dev", "test"]
"""What questions are for: to train, to choose among models, to judge the chosen one once."""

SIDES: tuple[Side, ...] = get_args(Side)
SHARES: Mapping[Side, float] = {"train": 0.6, "dev": 0.2, "test": 0.2}
OVERLAP = 0.6
"""The share of their words that two questions have in common from which on they are alike."""
_LARGEST = 0.5  # share of the questions that hang together up to which passages are kept apart


@dataclass(frozen=True)
class Split:
    """Places of questions by what they are for.

    Attributes:
        sides: the places of each side, ascending.
        by: ``"passage"``: no passage is on two sides; ``"question"``: more than half of the
            questions hang together by their passages, so that only they are kept apart.
        largest: the share of the questions in the largest group that hangs together.
        groups: how many such groups there are.
        folds: where all questions both train and judge: the parts that judge together.
    """

    sides: Mapping[Side, tuple[int, ...]]
    by: Literal["passage", "question"]
    largest: float
    groups: int
    folds: tuple[tuple[int, ...], ...] = ()


def split(
    questions: Sequence[Labelled], seed: int = 0, *, shares: Mapping[Side, float] = SHARES
) -> Split:
    """Divide questions into those that train (60 %), choose (20 %) and judge (20 %).

    Args:
        questions: the questions.
        seed: the same seed divides the same questions in the same way.
        shares: what share of them each side gets.

    Example:
        >>> some = [Labelled(f"question {n}", {f"p{n}": 1}) for n in range(10)]
        >>> {side: len(places) for side, places in split(some).sides.items()}
        {'train': 6, 'dev': 2, 'test': 2}
    """
    by, together, largest = _together(questions)
    return Split(_divide(together, seed, shares), by, largest, len(together))


def fold(questions: Sequence[Labelled], seed: int = 0, *, number: int = 5) -> Split:
    """Let all questions train, and divide them into parts of about the same size that judge.

    No two parts share a passage, nor questions in nearly the same words; where more than half hang
    together by their passages, only the latter.

    Args:
        questions: the questions.
        seed: see :func:`split`.
        number: of parts.
    """
    by, together, largest = _together(questions)
    random.Random(seed).shuffle(together)
    parts: list[list[int]] = [[] for _ in range(number)]
    for group in sorted(together, key=len, reverse=True):
        min(parts, key=len).extend(group)
    folds = tuple(tuple(sorted(part)) for part in parts if part)
    sides: dict[Side, tuple[int, ...]] = {"train": tuple(range(len(questions)))}
    return Split({**sides, "dev": (), "test": ()}, by, largest, len(together), folds)


def _together(
    questions: Sequence[Labelled],
) -> tuple[Literal["passage", "question"], list[list[int]], float]:
    """Return by what questions are kept together, the groups, and the share of the largest."""
    together = groups(questions)
    largest = max(map(len, together), default=0) / max(1, len(questions))
    if largest > _LARGEST:
        return "question", groups(questions, passages=False), largest
    return "passage", together, largest


def groups(questions: Sequence[Labelled], *, passages: bool = True) -> list[list[int]]:
    """Return the places of questions that belong together, each group and all of them ascending.

    Args:
        questions: the questions.
        passages: those that share a passage which answers both belong together, and not only
            those in nearly the same words.
    """
    parents = list(range(len(questions)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    pairs = alike([one.question for one in questions])
    if passages:
        pairs += _sharing(questions)
    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    found: dict[int, list[int]] = defaultdict(list)
    for place in range(len(questions)):
        found[root(place)].append(place)
    return list(found.values())


def alike(questions: Sequence[str]) -> list[tuple[int, int]]:
    """Return the pairs of questions that have :data:`OVERLAP` of their words in common (Jaccard).

    Words are what BM25 compares, so that it holds in scripts without blanks too. Two questions that
    have so much in common share one of the rarest words of either: only those are compared
    (prefix filtering; Bayardo, Ma and Srikant, WWW 2007).

    Example:
        >>> alike(["When does the shop open?", "When does the shop open today?", "Who pays?"])
        [(0, 1)]
    """
    words = [_words(question) for question in questions]
    counts = Counter(word for some in words for word in some)
    holders: dict[str, list[int]] = defaultdict(list)
    found = []
    for place, some in enumerate(words):
        rarest = sorted(some, key=lambda word: (counts[word], word))
        kept = len(rarest) - _least(len(rarest)) + 1
        seen: set[int] = set()
        for word in rarest[:kept]:
            seen.update(holders[word])
            holders[word].append(place)
        found += [(other, place) for other in sorted(seen) if _overlap(words[other], some)]
    return found


def _least(number: int) -> int:
    """Return how many of its words a question shares at least with one that is alike."""
    return max(1, -int(-OVERLAP * number // 1))


def _overlap(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= OVERLAP * len(one | other)


def _words(question: str) -> frozenset[str]:
    """Return whole words, and characters in pairs where a script has no blanks."""
    terms = analyse(question)
    whole = frozenset(term for term in terms if len(term) > 2 and term[0] == term[-1] == "_")
    rest = frozenset(term for term in terms if not term.isascii() and "_" not in term)
    return whole | frozenset(term for term in rest if len(term) == 2) or frozenset(terms)


def _sharing(questions: Sequence[Labelled]) -> list[tuple[int, int]]:
    first: dict[str, int] = {}
    return [
        (first.setdefault(id, place), place)
        for place, one in enumerate(questions)
        for id in one.positives
    ]


def _divide(
    together: Sequence[Sequence[int]], seed: int, shares: Mapping[Side, float]
) -> dict[Side, tuple[int, ...]]:
    """Give each group to the side that lacks most of its share; those too large are for training.

    Of equal sides the one that judges comes first.
    """
    total = sum(map(len, together))
    shuffled = list(together)
    random.Random(seed).shuffle(shuffled)
    sides: dict[Side, list[int]] = {side: [] for side in SIDES}
    wanted = [side for side in reversed(SIDES) if shares.get(side)]
    most = shares["test"] * total

    def lacking(side: Side) -> float:
        return round(1 - len(sides[side]) / (shares[side] * total), 3)

    for group in sorted(shuffled, key=lambda group: len(group) <= most):
        chosen = max(wanted, key=lacking) if len(group) <= most else wanted[-1]
        sides[chosen].extend(group)
    return {side: tuple(sorted(places)) for side, places in sides.items()}
