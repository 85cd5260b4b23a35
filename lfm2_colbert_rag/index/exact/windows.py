"""Windows of exact segments, chosen for a search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from ...errors import REMEDY, IndexCorruptError
from ..array_types import IntArray
from ..base import LiveSegment, run_starts

if TYPE_CHECKING:
    from ..segment import ExactSegment


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows, in the order of their rows.

    Attributes:
        segments: hold them.
        owners: ``(n,)`` which segment holds each, ascending.
        positions: ``(n,)`` where it is there, ascending in each segment.
        rows: ``(n,)`` the row of each.
    """

    segments: Sequence[ExactSegment]
    owners: IntArray
    positions: IntArray
    rows: IntArray

    @classmethod
    def of(cls, segments: Iterable[LiveSegment], rows: npt.NDArray[np.int64] | None) -> Windows:
        """Return the live windows of exact segments.

        Args:
            segments: in the order of their rows.
            rows: ascending rows to which they are limited; None for all.
        """
        holders: list[ExactSegment] = []
        positions: list[IntArray] = []
        for live in segments:
            found = live.within(rows).positions
            if len(found):
                holders.append(cast("ExactSegment", live.segment))
                positions.append(found)
        none = np.empty(0, np.int64)
        return cls(
            holders,
            np.repeat(np.arange(len(holders)), [len(one) for one in positions]),
            np.concatenate([none, *positions]),
            np.concatenate(
                [none, *(one.rows[at] for one, at in zip(holders, positions, strict=True))]
            ),
        )

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.rows)

    @cached_property
    def dim(self) -> int:
        """Width of their vectors."""
        return int(self.segments[0].vectors.shape[1]) if len(self.segments) else 0

    @cached_property
    def vectors(self) -> int:
        """Number of their vectors."""
        return sum(
            int(segment.lengths[self.positions[mine]].sum()) for segment, mine in self.by_owner()
        )

    @cached_property
    def starts(self) -> npt.NDArray[np.intp]:
        """Where each row's windows begin."""
        return run_starts(self.rows)

    def require_finite(self) -> None:
        """Look whether all vectors of their segments are numbers; once a segment.

        Raises:
            IndexCorruptError: one is not.
        """
        for segment, _ in self.by_owner():
            if not segment.finite:
                raise not_finite(segment)

    def take(self, chosen: npt.NDArray[np.integer]) -> Windows:
        """Return some of them, named in ascending order."""
        return Windows(
            self.segments, self.owners[chosen], self.positions[chosen], self.rows[chosen]
        )

    def by_owner(self) -> Iterator[tuple[ExactSegment, slice]]:
        """Yield each segment that holds some, and which these are."""
        ends = np.searchsorted(self.owners, np.arange(len(self.segments)), side="right").tolist()
        start = 0
        for segment, end in zip(self.segments, ends, strict=True):
            if start < end:
                yield segment, slice(start, end)
            start = end


def not_finite(segment: ExactSegment) -> IndexCorruptError:
    """Return the error about NaN or infinity: it would be passed over, or win, in silence."""
    return IndexCorruptError(
        f"a vector of segment {segment.info.name} is not finite (NaN or infinity). {REMEDY}"
    )
