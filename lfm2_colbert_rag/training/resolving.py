"""Which passages of an index are meant: by their ids, or by their texts."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from ..filters.strings import composed

if TYPE_CHECKING:
    from ..retriever import Retriever

_AT_ONCE = 500  # ids that are looked up


class Resolver:
    """Finds the passages that labels name, in one reading of the index at most.

    Args:
        retriever: the index.
        names: all that will be asked for.
        by_text: what is no id may be a text: of a whole passage, or of one without its first
            line, which is its title.
    """

    def __init__(
        self, retriever: Retriever, names: Collection[str], *, by_text: bool = True
    ) -> None:
        wanted = sorted(names)
        self._ids = set(known_ids(retriever, [composed(name) for name in wanted]))
        self._texts: dict[bytes, list[str]] = {}
        rest = {_digest(name) for name in wanted if composed(name) not in self._ids}
        if rest and by_text:
            self._read(retriever, rest)
        self._missing: dict[str, None] = {}

    def ids(self, name: str) -> tuple[str, ...]:
        """Return the ids of the passages that a name means: several where texts are equal."""
        if (id := composed(name)) in self._ids:
            return (id,)
        found = self._texts.get(_digest(name), ())
        if not found:
            self._missing[name] = None
        return tuple(found)

    @property
    def missing(self) -> tuple[str, ...]:
        """What was asked for and is not there."""
        return tuple(self._missing)

    def _read(self, retriever: Retriever, wanted: set[bytes]) -> None:
        for passage in retriever.passages():
            for digest in {_digest(text) for text in _readings(passage.text)} & wanted:
                self._texts.setdefault(digest, []).append(passage.id)


def known_ids(retriever: Retriever, ids: list[str]) -> Iterator[str]:
    """Yield those of some ids that an index knows."""
    for start in range(0, len(ids), _AT_ONCE):
        yield from (passage.id for passage in retriever.get(ids[start : start + _AT_ONCE]))


def _readings(text: str) -> Iterator[str]:
    yield text
    _, line_break, rest = text.partition("\n")
    if line_break and rest.strip():
        yield rest


def _digest(text: str) -> bytes:
    """Name a text, whatever its blanks."""
    plain = " ".join(composed(text).split())
    return hashlib.blake2b(plain.encode("utf-8", "replace"), digest_size=16).digest()
