"""The last questions to an index, in memory only: recall is measured on them, and migrations are.

Vectors mean something in one space, and as one adapter maps them: where what serves has changed,
those of before are forgotten. Words stay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...storage.home import Snapshot
    from ...types import TokenMatrix
    from .questions import Question


class Remembered:
    """Remembers the last questions; safe to use from several threads.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._texts: deque[str] = deque(maxlen=most)
        self._vectors: tuple[tuple[Any, ...], deque[TokenMatrix]] = ((), deque(maxlen=most))

    def add(self, snapshot: Snapshot, questions: Iterable[Question]) -> None:
        """Remember questions that were put to a generation."""
        known, vectors = self._vectors
        asked = _served(snapshot)
        if known != asked:
            vectors = deque(maxlen=self._most)
            self._vectors = asked, vectors  # at once, so that no lock is needed
        for one in questions:
            self._texts.append(one.text)
            vectors.extend(window.encoded.vectors for window in one.windows)

    def vectors(self, snapshot: Snapshot) -> list[TokenMatrix]:
        """Return the vectors of the last questions, as they are put to a generation."""
        known, vectors = self._vectors
        return list(vectors) if known == _served(snapshot) else []

    def texts(self, number: int) -> Sequence[str]:
        """Return the words of the last questions, each once."""
        return list(dict.fromkeys(reversed(list(self._texts))))[:number]


def _served(snapshot: Snapshot) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    return snapshot.settings.fingerprint, snapshot.settings.query_adapter
