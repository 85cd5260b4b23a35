"""A list of passages that comes a line each, and goes on where it broke off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._support.validation import check_ids, check_k
from ..types import Passage, Where
from . import answers, failures
from .answers import MAX_BYTES, ShapeError
from .calls import Call, checked_where
from .failures import AttemptError
from .patience import Tries


class Listing:
    """Reads a list until its end is told.

    Args:
        where: see :meth:`.client.Client.passages`.
        limit: see there.
        after: see there.
        place: how messages name the server.

    Attributes:
        ended: all of it has come.
    """

    def __init__(
        self, where: Where | None, limit: int | None, after: str | None, place: str
    ) -> None:
        self._where = checked_where(where)
        self._limit = None if limit is None else check_k(limit, "limit")
        self._last = None if after is None else check_ids([after])[0]
        self._place = place
        self._rest = b""
        self._begun = False
        self.ended = False

    def call(self) -> Call[Any]:
        """Return the request for what is still to come."""
        self._rest = b""
        members = {"where": self._where, "limit": self._limit, "after": self._last}
        body = {name: value for name, value in members.items() if value is not None}
        subject = "" if self._last is None else f"what follows {self._last!r}"
        return Call("POST", "/passages:list", body, lambda value: value, subject=subject)

    def feed(self, chunk: bytes) -> Iterator[Passage]:
        """Yield the passages that are whole by now.

        Raises:
            AttemptError: a line that is none of such a list.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        try:
            if len(self._rest) > MAX_BYTES:
                raise ShapeError("a line of its list is too long")
            for line in filter(None, lines):
                yield from self._line(answers.parse(line))
        except ShapeError as error:
            raise failures.no_server(self._place, str(error)) from None

    def check_end(self) -> None:
        """Refuse a list that is over before its end was told.

        Raises:
            AttemptError: it is.
        """
        if not self.ended:
            raise failures.broken(self._place, "a list ended before its last line")

    def pause(self, tries: Tries, failed: AttemptError) -> float:
        """Return how long to wait before what is still to come is asked for.

        Raises:
            LFM2ColBERTError: it cannot be asked for.
        """
        if self._begun and self._limit is not None:  # nobody knows which were still to come
            raise failed.error from failed.__cause__
        return tries.pause(failed)

    def _line(self, value: Any) -> Iterator[Passage]:
        if self.ended:
            raise ShapeError("its list goes on after its end")
        if isinstance(value, dict) and "text" not in value:
            if "problem" in value:
                raise failures.of_problem(value["problem"], self._place)
            if value.get("end") is True:
                self.ended = True
                return
        passage = answers.passage(value)
        self._last, self._begun = passage.id, True
        yield passage
