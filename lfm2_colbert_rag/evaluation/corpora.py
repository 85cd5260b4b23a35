"""The passages of a dataset: gone through again and again, never all held in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from .._support.lines import IdDigests
from .._support.validation import check_streamed
from ..errors import InputError
from ..types import Passage

__all__ = ["Corpus", "PlacedCorpus", "Seen", "check_again_and_again", "look_through"]

Corpus: TypeAlias = Iterable[Passage]


@runtime_checkable
class PlacedCorpus(Protocol):
    """A corpus that knows where each passage was read."""

    blank: int
    """Passages without any text, which were left out."""

    def __iter__(self) -> Iterator[Passage]:
        """Yield the passages, every time from the first."""
        ...

    def records(self) -> Iterator[tuple[Passage, str]]:
        """Yield each passage with its file and line."""
        ...


def check_again_and_again(corpus: object) -> None:
    """Refuse what cannot be gone through twice.

    Raises:
        InputError: no iterable of passages, or one that is used up.
    """
    if isinstance(corpus, (str, Mapping)) or not isinstance(corpus, Iterable):
        raise InputError(
            f"the corpus must be a list of passages or a reader of them, not a "
            f"{type(corpus).__name__}."
        )
    if isinstance(corpus, Iterator):
        raise InputError(
            "the corpus can be gone through only once, and an evaluation goes through it twice: "
            "give a list, or an object whose __iter__ begins anew."
        )


def _placed(corpus: Corpus) -> Iterator[tuple[Passage, str]]:
    if isinstance(corpus, PlacedCorpus):
        yield from corpus.records()
        return
    for place, item in enumerate(corpus):
        yield check_streamed(item, place), f"the corpus, passage {place:,}"


@dataclass(frozen=True)
class Seen:
    """What going through a corpus tells.

    Attributes:
        passages: how many there are, each id once.
        found: which of the ids that were asked for are there.
        repeated: passages that are there again, the same in all.
    """

    passages: int
    found: set[str]
    repeated: int


def look_through(corpus: Corpus, wanted: set[str]) -> Seen:
    """Count the passages, and find which of some ids are there.

    Raises:
        InputError: no passage with a text, or two different ones under one id.
    """
    digests, found = IdDigests(), set()
    for passage, _ in _placed(corpus):
        digests.add(passage.id)
        if passage.id in wanted:
            found.add(passage.id)
    if not len(digests):
        raise InputError("the corpus has no passage with a text.")
    suspects = digests.repeated()
    repeated = _refuse_repeated(corpus, suspects) if suspects else 0
    return Seen(len(digests) - repeated, found, repeated)


def _refuse_repeated(corpus: Corpus, suspects: set[int]) -> int:
    """Return how many passages are there again; two that differ under one id are refused."""
    known: dict[str, tuple[Passage, str]] = {}
    repeated = 0
    for passage, place in _placed(corpus):
        if IdDigests.digest(passage.id) not in suspects:
            continue
        first, where = known.setdefault(passage.id, (passage, place))
        if first is passage:
            continue
        if first != passage:
            raise InputError(
                f"{place}: the id {passage.id!r} was used before, in {where}. Give each passage "
                "an id of its own."
            )
        repeated += 1
    return repeated
