"""Search over compressed vectors: votes of centroids first, then MaxSim of the few that got most.

1. Each query vector is compared with the codebook's coarse groups, and with the centroids of the
   nearest of them (:mod:`.probing`).
2. The inverted lists of the best centroids are walked; a window's votes are the sum, over the
   query's vectors, of the best centroid that it holds, above the last one that was walked
   (:mod:`.voting`). What no list mentions is imputed, as in WARP (Scheerer et al., SIGIR 2025).
3. In the order of their votes, windows are scored by those of their vectors whose centroids lie
   near some query vector: only they are looked at, and compared with all query vectors.
4. In the order of that, windows are scored with MaxSim over all their vectors.

Steps 3 and 4 end when the next window would have to beat what it is promised by more than windows
have done lately.

Where a filter leaves few vectors all of them are scored, and nothing is left to chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...types import TokenMatrix
from ..base import Index, LiveSegment, Ranking
from ..exact import ExactIndex
from ..settings import DEFAULT_SETTINGS, SearchSettings
from ..trace import SearchTrace, exact_trace
from .candidates import Candidates, Found, Stage, Surprises, batches, least
from .probing import Probes, find_probes
from .scanning import refine_positions, turned_query
from .segment import CompressedSegment
from .voting import Nearness, Workspaces, count_votes, noted

# Vectors that are scored without asking the lists first: as quick as a search.
SCAN_VECTORS = 24_000
# Windows that are scored at a time where all are.
SCANNED_AT_ONCE = 16_384
# Similarities of near centroids to query vectors that are kept for a query, at most.
NEAR_ROOM = 4_000_000
# The last windows whose surprises say what to expect of the next.
RECENT = 96

_REFINEMENT = Stage(72, 36, 1.0)
_SCORING = Stage(16, 12, 0.3)


@dataclass(frozen=True, eq=False)
class _Part:
    """A compressed segment and which of its windows may be found; None for all."""

    segment: CompressedSegment
    allowed: npt.NDArray[np.bool_] | None

    @property
    def positions(self) -> npt.NDArray[np.int64]:
        if self.allowed is None:
            return np.arange(len(self.segment.rows))
        return np.flatnonzero(self.allowed)

    @cached_property
    def windows(self) -> int:
        return len(self.segment.rows) if self.allowed is None else int(self.allowed.sum())

    @cached_property
    def vectors(self) -> int:
        if self.allowed is None:
            return self.segment.info.tokens
        return int(self.segment.lengths[self.allowed].sum())


@dataclass(frozen=True, eq=False)
class _Panel:
    """What one segment has to say of a query."""

    segment: CompressedSegment
    turned: TokenMatrix
    probes: Probes
    votes: Candidates
    nearness: Nearness


class CompressedIndex(Index):
    """Approximate MaxSim over compressed segments; exact ones among them are scored exactly.

    Args:
        segments: the segments of one generation, of either kind.
        settings: how thoroughly to search.
        scan_vectors: up to so many allowed vectors are all scored.

    Example:
        >>> index = CompressedIndex([])
        >>> len(index.search([np.ones((2, 4), dtype=np.float32)], k=3)[0])
        0
    """

    def __init__(
        self,
        segments: Sequence[LiveSegment],
        settings: SearchSettings = DEFAULT_SETTINGS,
        *,
        scan_vectors: int = SCAN_VECTORS,
    ) -> None:
        super().__init__(segments)
        self._settings = settings
        self._scan_vectors = scan_vectors
        self._exact = ExactIndex(
            [live for live in segments if not isinstance(live.segment, CompressedSegment)]
        )
        self._compressed = [
            _Part(live.segment, live.live)
            for live in segments
            if isinstance(live.segment, CompressedSegment)
        ]
        self._workspaces = Workspaces()

    def search(
        self,
        queries: Sequence[TokenMatrix],
        k: int,
        *,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> list[Ranking]:
        """Rank the live passages for each query."""
        return [ranking for ranking, _ in self.search_with_traces(queries, k, rows=rows)]

    def search_with_traces(
        self,
        queries: Sequence[TokenMatrix],
        k: int,
        *,
        rows: npt.NDArray[np.int64] | None = None,
        settings: SearchSettings | None = None,
    ) -> list[tuple[Ranking, SearchTrace]]:
        """Do what :meth:`search` does, and say how.

        Args:
            queries: see :meth:`search`.
            k: see :meth:`search`.
            rows: see :meth:`search`.
            settings: how thoroughly to search; the index's own when None.
        """
        if not len(queries):
            return []
        parts = [part for part in (_limited(one, rows) for one in self._compressed) if part.windows]
        exact = self._exact.search(queries, k, rows=rows)
        if not parts:
            trace = exact_trace(self._segments, rows)
            return [(ranking, trace) for ranking in exact]
        chosen = self._settings if settings is None else settings
        return [
            self._answer(np.asarray(query, np.float32), k, parts, ranking, chosen)
            for query, ranking in zip(queries, exact, strict=True)
        ]

    def scan(self, queries: Sequence[TokenMatrix], k: int) -> list[Ranking]:
        """Do what :meth:`search` does by scoring every live window: slow, and complete.

        What is read of the files is let go again, so that an index need not fit into memory.
        """
        parts = [part for part in self._compressed if part.windows]
        exact = self._exact.search(queries, k)
        return [
            self._cut(_merged(ranking, _scan(np.asarray(query, np.float32), parts, True)), k)
            for query, ranking in zip(queries, exact, strict=True)
        ]

    def _answer(
        self,
        query: TokenMatrix,
        k: int,
        parts: Sequence[_Part],
        exact: Ranking,
        settings: SearchSettings,
    ) -> tuple[Ranking, SearchTrace]:
        windows, vectors = sum(p.windows for p in parts), sum(p.vectors for p in parts)
        if vectors > self._scan_vectors and len(query):
            ranking, trace = self._vote(query, k, parts, settings)
            if len(ranking) >= k:
                return self._cut(_merged(exact, ranking), k), trace
        trace = SearchTrace("scan", windows, vectors, scored=windows)
        return self._cut(_merged(exact, _scan(query, parts)), k), trace

    def _vote(
        self, query: TokenMatrix, k: int, parts: Sequence[_Part], settings: SearchSettings
    ) -> tuple[Ranking, SearchTrace]:
        """Score the windows that are promised most, until the rest can hardly matter."""
        windows, vectors = sum(p.windows for p in parts), sum(p.vectors for p in parts)
        settings = _widened(settings, vectors / sum(p.segment.info.tokens for p in parts))
        with ExitStack() as borrowed:
            panels = self._panels(query, k, parts, settings, borrowed)
            voted = Candidates.joined([panel.votes for panel in panels]).best(
                max(settings.candidates, 4 * k)
            )
            refined, looked = _narrowed(panels, voted, k, settings.caution, _REFINEMENT)
        found, scored = Found(), 0
        surprises = Surprises(RECENT)
        for start, end in batches(len(refined), _SCORING, k):
            batch = refined.take(start, end)
            if found.least(k) > surprises.likely(batch.promises[0], settings.final_caution):
                break
            scores = np.empty(len(batch), np.float32)
            for number, mine in batch.by_owner():
                panel = panels[number]
                scores[mine] = found.score(panel.segment, panel.turned, batch.positions[mine])
            surprises.note(scores - batch.promises)
            scored = end
        trace = SearchTrace("votes", windows, vectors, len(voted), looked, scored, settings)
        return found.ranking(), trace

    def _panels(
        self,
        query: TokenMatrix,
        k: int,
        parts: Sequence[_Part],
        settings: SearchSettings,
        borrowed: ExitStack,
    ) -> list[_Panel]:
        """Let the lists of each segment vote."""
        known: dict[str, Probes] = {}
        panels = []
        for number, part in enumerate(parts):
            segment, book = part.segment, part.segment.codebook
            turned = turned_query(segment, query)
            if book.info.name not in known:
                known[book.info.name] = find_probes(book, turned, settings.nprobe, settings.groups)
            probes = known[book.info.name].with_extra(segment.extra, len(book))
            votes = count_votes(
                segment, part.allowed, probes, max(settings.candidates, 4 * k), self._workspaces
            )
            owners = np.full(len(votes.positions), number)
            near = probes.nearest(_near(settings, len(query)))
            panels.append(
                _Panel(
                    segment,
                    turned,
                    near,
                    Candidates(owners, votes.positions, votes.promises),
                    borrowed.enter_context(noted(segment, near, self._workspaces)),
                )
            )
        return panels


def _scan(query: TokenMatrix, parts: Sequence[_Part], letting_go: bool = False) -> Ranking:
    found = Found()
    for part in parts:
        segment, positions = part.segment, part.positions
        turned = turned_query(segment, query)
        for start in range(0, len(positions), SCANNED_AT_ONCE):
            found.score(segment, turned, positions[start : start + SCANNED_AT_ONCE])
            if letting_go:
                segment.let_go()
    return found.ranking()


def _narrowed(
    panels: Sequence[_Panel], voted: Candidates, k: int, caution: float, stage: Stage
) -> tuple[Candidates, int]:
    """Promise windows what their vectors near the query say, in the order of their promises.

    Returns:
        Those looked at, best first, and their number.
    """
    scores = np.empty(0, np.float32)
    surprises = Surprises(2 * RECENT)
    for start, end in batches(len(voted), stage, k):
        batch = voted.take(start, end)
        if least(scores, k) > surprises.likely(batch.promises[0], caution):
            break
        fresh = np.empty(len(batch), np.float32)
        for number, mine in batch.by_owner():
            panel = panels[number]
            fresh[mine] = refine_positions(
                panel.segment, panel.probes, panel.nearness, batch.positions[mine]
            )
        scores = np.concatenate((scores, fresh))
        surprises.note(fresh - batch.promises)
    looked = len(scores)
    return replace(voted.take(0, looked), promises=scores).best(looked), looked


def _near(settings: SearchSettings, rows: int) -> int:
    """How many centroids of each query vector count as near: fewer where there are many vectors.

    All near centroids are compared with all query vectors, which must not grow with their square.
    """
    return max(1, min(settings.near, NEAR_ROOM // max(1, rows * rows)))


def _widened(settings: SearchSettings, share: float) -> SearchSettings:
    """Walk more lists where a filter or deletions leave few of their windows."""
    factor = min(8.0, max(share, 1e-6) ** -0.5)
    return replace(
        settings,
        nprobe=round(settings.nprobe * factor),
        groups=min(1.0, settings.groups * factor),
    )


def _limited(part: _Part, rows: npt.NDArray[np.int64] | None) -> _Part:
    if rows is None:
        return part
    found = np.searchsorted(rows, part.segment.rows)
    chosen = rows[np.minimum(found, len(rows) - 1)] == part.segment.rows if len(rows) else None
    if chosen is None:
        chosen = np.zeros(len(part.segment.rows), np.bool_)
    return _Part(part.segment, chosen if part.allowed is None else chosen & part.allowed)


def _merged(one: Ranking, other: Ranking) -> Ranking:
    """Put two rankings of different rows together."""
    if not len(one) or not len(other):
        return one if len(one) else other
    rows = np.concatenate((one.rows, other.rows))
    scores = np.concatenate((one.scores, other.scores))
    windows = np.concatenate((one.windows, other.windows))
    order = np.lexsort((rows, -scores))
    return Ranking(rows[order], scores[order], windows[order])
