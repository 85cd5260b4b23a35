"""What is known of which passage answers which question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..errors import InputError, shown
from .examples import Example

__all__ = ["Labelled", "Labels"]

_NAMED = 3  # missing passages that a note names


@dataclass(frozen=True)
class Labelled:
    """A question, and passages by their ids in one index.

    Attributes:
        question: its text.
        grades: of judged passages: 1 or more answers it, 0 does not.
        negatives: ids of passages that do not answer it, to train with: given, or mined.

    Raises:
        InputError: no passage answers it, or one both does and does not.

    Example:
        >>> Labelled("Which key?", {"reset": 2, "library": 0}).positives
        ('reset',)
    """

    question: str
    grades: Mapping[str, int]
    negatives: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no example either."""
        Example(self.question, self.positives, self.negatives)

    @cached_property
    def positives(self) -> tuple[str, ...]:
        """The passages that answer it, best grade first."""
        good = sorted((-grade, id) for id, grade in self.grades.items() if grade > 0)
        return tuple(id for _, id in good)

    def example(self) -> Example:
        """Return what a model is trained on."""
        return Example(self.question, self.positives, self.negatives)

    def without(self, gone: set[str]) -> Labelled | None:
        """Return it without passages that are gone; None where none is left that answers it."""
        grades = {id: grade for id, grade in self.grades.items() if id not in gone}
        if not any(grade > 0 for grade in grades.values()):
            return None
        return Labelled(self.question, grades, tuple(n for n in self.negatives if n not in gone))


@dataclass(frozen=True)
class Labels:
    """Labelled questions that fit an index, and what did not fit.

    Attributes:
        questions: each text once, in the order in which they were read.
        missing: what named a passage that the index lacks, each once.
        dropped: questions none of whose answers is in the index.
        pseudo: they were made of the passages themselves, and prove nothing.
    """

    questions: tuple[Labelled, ...]
    missing: tuple[str, ...] = ()
    dropped: int = 0
    pseudo: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about them, for people."""
        notes = []
        if self.missing:
            some = ", ".join(shown(one) for one in self.missing[:_NAMED])
            rest = ", …" if len(self.missing) > _NAMED else ""
            notes.append(
                "Labelled passages that are not in the index and were left out: "
                f"{len(self.missing):,} ({some}{rest})."
            )
        if self.dropped:
            notes.append(f"Questions without an answer in the index: {self.dropped:,}.")
        return tuple(notes)


def merged(questions: Iterable[Labelled]) -> tuple[Labelled, ...]:
    """Return every question once, with all that was said of it; the better grade counts."""
    found: dict[str, tuple[dict[str, int], dict[str, None]]] = {}
    for one in questions:
        grades, negatives = found.setdefault(one.question, ({}, {}))
        for id, grade in one.grades.items():
            grades[id] = max(grade, grades.get(id, 0))
        negatives.update(dict.fromkeys(one.negatives))
    return tuple(
        Labelled(question, grades, tuple(one for one in negatives if not grades.get(one)))
        for question, (grades, negatives) in found.items()
    )


def judged_by_id(questions: Sequence[Labelled]) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Return questions and their judgements under numbers, as an evaluation asks for them.

    Example:
        >>> judged_by_id([Labelled("Which key?", {"reset": 1})])
        ({'1': 'Which key?'}, {'1': {'reset': 1}})
    """
    width = len(str(len(questions)))
    named = {f"{number:0{width}}": one for number, one in enumerate(questions, 1)}
    return (
        {id: one.question for id, one in named.items()},
        {id: dict(one.grades) for id, one in named.items()},
    )


def require_questions(labels: Labels, source: str) -> None:
    """Refuse labels of which nothing fits the index.

    Raises:
        InputError: there is no question.
    """
    if not labels.questions:
        raise InputError(
            f"no question of {source} has an answer in this index. "
            + (" ".join(labels.notes) or "It holds no question.")
            + " Name passages by their ids in the index, or by their whole texts."
        )
