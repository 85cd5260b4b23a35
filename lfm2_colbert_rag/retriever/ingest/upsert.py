"""What an upsert has to do, given what is stored already."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from ...index.base import LiveSegments
from ...types import Passage, Window


@dataclass(frozen=True)
class UpsertPlan:
    """What an upsert has to do.

    Attributes:
        changed: passages to write.
        reused: rows, by id, of those whose text is stored already.
        relied_on: rows, by id, that must still be live at the commit.
    """

    changed: list[Passage]
    reused: dict[str, int]
    relied_on: dict[str, int]

    @classmethod
    def make(
        cls,
        passages: Sequence[Passage],
        stored: Mapping[str, tuple[int, Passage]],
        is_whole: Callable[[int], bool],
    ) -> UpsertPlan:
        """Compare passages with what is stored.

        Args:
            passages: what to store.
            stored: rows and passages, by id.
            is_whole: tells whether the vectors of a row are as they were written; those that are
                not are made anew of the text.
        """
        plan = cls([], {}, {})
        for passage in passages:
            row, known = stored.get(passage.id, (0, None))
            if known is not None and known.text == passage.text:
                if json.dumps(known.metadata) == json.dumps(passage.metadata):
                    plan.relied_on[passage.id] = row
                    continue
                if is_whole(row):
                    plan.relied_on[passage.id] = plan.reused[passage.id] = row
            plan.changed.append(passage)
        return plan

    def texts_to_encode(self) -> list[str]:
        """Return the texts that are not stored under their id, in order."""
        return [passage.text for passage in self.changed if passage.id not in self.reused]

    def windows(
        self, encoded: Iterable[tuple[int, Window]], segments: LiveSegments
    ) -> Iterator[tuple[int, Window]]:
        """Put fresh and stored windows together, one by one.

        Args:
            encoded: places in :meth:`texts_to_encode`, ascending, each with a window.
            segments: those of the generation that the plan was made from.

        Yields:
            Places in ``changed``, ascending, each with a window.
        """
        if not self.reused:
            return iter(encoded)
        fresh = [place for place, one in enumerate(self.changed) if one.id not in self.reused]
        stored = (
            (place, window)
            for place, one in enumerate(self.changed)
            if one.id in self.reused
            for window in segments.windows(self.reused[one.id])
        )
        new = ((fresh[place], window) for place, window in encoded)
        return heapq.merge(new, stored, key=itemgetter(0))
