"""Hits as a server sends them; their evidence comes along, or is asked for when it is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from ..errors import ConfigError, PassageNotFoundError, shown
from ..types import Hit, Leg, Match
from . import answers
from .answers import ShapeError
from .drawn import match

Again: TypeAlias = "Callable[[Sequence[Hit]], list[Hit]]"
"""Asks once more for hits, with their evidence."""


def read_hits(value: Any, query: str, again: Again | None = None) -> list[Hit]:
    """Return the hits of one answer.

    Args:
        value: what holds them.
        query: the question.
        again: asks for them with their evidence, where they came without; None where nobody does.

    Raises:
        ShapeError: they are none.
    """
    later = _Later(again)
    hits = answers.each(value, "hits", partial(_hit, query=query, later=later))
    later.hits = hits
    return hits


class _Later:
    """Evidence that is asked for once, for all hits of an answer, when the first is wanted."""

    def __init__(self, again: Again | None) -> None:
        self._again = again
        self._found: dict[tuple[str, str], tuple[Match, ...]] | None = None
        self.hits: Sequence[Hit] = ()

    def find(self, id: str, text: str) -> tuple[Match, ...]:
        """Return the evidence of a hit.

        Raises:
            ConfigError: nobody can be asked again.
            PassageNotFoundError: the passage is no longer as it was found.
        """
        if self._again is None:
            raise ConfigError("the hits were asked for without evidence; say evidence=True.")
        if self._found is None:
            self._found = {(hit.id, hit.text): hit.evidence for hit in self._again(self.hits)}
        if (id, text) not in self._found:
            raise PassageNotFoundError(
                f"the passage {shown(id)} was changed or deleted since it was found, and its "
                "evidence with it; search with evidence=True to have it at once."
            )
        return self._found[id, text]


def _hit(value: Any, query: str, later: _Later) -> Hit:
    text, id = answers.text(value, "text"), answers.text(value, "id")
    window, legs = answers.item(value, "window"), answers.mapping(value, "legs")
    if "evidence" in value:
        matches = tuple(answers.each(value, "evidence", partial(match, query=query, text=text)))
        find: Callable[[], tuple[Match, ...]] = partial(tuple, matches)
    else:
        find = partial(later.find, id, text)
    return Hit(
        id,
        answers.number(value, "score"),
        answers.number(value, "relevance"),
        text,
        answers.mapping(value, "metadata"),
        find,
        window=None if window is None else answers.span(window, len(text)),
        legs={name: _leg(legs[name]) for name in legs},
    )


def _leg(value: Any) -> Leg:
    rank = answers.item(value, "rank")
    if rank is not None and (type(rank) is not int or rank < 1):
        raise ShapeError("'rank' of its answer is not what it should be")
    return Leg(rank, answers.number(value, "score"))
