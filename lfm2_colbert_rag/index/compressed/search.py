"""Search over compressed vectors: votes of centroids first, then MaxSim of the best candidates.

1. Each query vector is compared with the codebook's coarse groups, and with the centroids of the
   nearest of them (:mod:`.probing`).
2. The inverted lists of the ``nprobe`` nearest centroids are walked. A window's votes are the sum,
   over the query's vectors, of its most similar centroid, above the last one that was walked
   (:mod:`.voting`). What no list mentions is imputed, as in WARP (Scheerer et al., SIGIR 2025).
   Votes and imputed similarities together are a first estimate of MaxSim.
3. In the order of these estimates, windows are refined: those of their vectors whose centroids lie
   near some query vector are decompressed and compared with all query vectors. The others count as
   imputed. That gives a second, closer estimate.
4. In the order of the second estimates, windows are scored with MaxSim over all their vectors.

Steps 3 and 4 end early, when the next window's estimate lies so far below the k-th best score that
the errors of the latest estimates make it unlikely to be among the best k.

Where a filter leaves few vectors all of them are scored, and nothing is approximated but by
quantization.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...types import TokenMatrix
from ..array_types import FloatArray, IntArray
from ..base import Index, LiveSegment, Ranking
from ..exact.search import ExactIndex
from ..settings import DEFAULT_SETTINGS, SearchSettings
from ..trace import SearchTrace, exact_trace
from .buffers import BufferPool
from .candidates import Candidates, EstimateErrors, Stage, TopK, batches, kth_largest
from .nearness import near_centroids
from .probes import Probes
from .probing import find_probes, rotate_query
from .scanning import refine_positions, score_positions
from .segment import CompressedSegment
from .structs import Near
from .voting import count_votes
from .ways import Kernels, compiled_kernels, kernels_now

# Vectors that are scored without asking the lists first: as quick as a search.
SCAN_VECTORS = 24_000
# Windows that are scored at a time where all are.
SCANNED_AT_ONCE = 16_384
# Similarities of near centroids to query vectors that are kept for a query, at most.
NEAR_ROOM = 4_000_000
# The last windows whose estimates' errors say what to expect of the next.
RECENT = 96

_REFINEMENT = Stage(72, 36, 1.0)
_SCORING = Stage(16, 12, 0.3)


@dataclass(frozen=True, eq=False)
class SegmentProbe:
    """What one segment has to say of a query, and the kernels that it was asked with."""

    kernels: Kernels
    segment: CompressedSegment
    rotated: TokenMatrix
    votes: Candidates
    near: Near


class CompressedIndex(Index):
    """Approximate MaxSim over compressed segments; exact ones among them are scored exactly.

    Args:
        segments: the segments of one generation, of either kind.
        settings: how thoroughly to search.
        scan_vectors: up to so many allowed vectors are all scored.
        kernels: what to search with; None for the compiled ones as soon as they are ready.

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
        kernels: Kernels | None = None,
    ) -> None:
        super().__init__(segments)
        self._settings = settings
        self._scan_vectors = scan_vectors
        self._exact = ExactIndex(
            [live for live in segments if not isinstance(live.segment, CompressedSegment)]
        )
        self._compressed = [
            live for live in segments if isinstance(live.segment, CompressedSegment)
        ]
        self._codecs = {_compressed(live).codebook.codec for live in self._compressed}
        self._kernels = kernels
        self._pool = BufferPool()

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
        limited = [live.within(rows) for live in self._compressed]
        parts = [live for live in limited if live.windows]
        exact = self._exact.search(queries, k, rows=rows)
        if not parts:
            trace = exact_trace(self.segments, rows)
            return [(ranking, trace) for ranking in exact]
        chosen = self._settings if settings is None else settings
        return [
            self._answer(np.asarray(query, np.float32), k, parts, ranking, chosen)
            for query, ranking in zip(queries, exact, strict=True)
        ]

    def scan(self, queries: Sequence[TokenMatrix], k: int) -> list[Ranking]:
        """Do what :meth:`search` does by scoring every live window: slow, and complete.

        Pages of the files are released once they were read, so that an index need not fit into
        memory.
        """
        parts = [part for part in self._compressed if part.windows]
        exact, kernels = self._exact.search(queries, k), self._kernels_now()
        asked = [np.asarray(query, np.float32) for query in queries]
        return [
            Ranking.joined((ranking, _scan(kernels, query, parts, release=True))).cut(k)
            for query, ranking in zip(asked, exact, strict=True)
        ]

    def wait_for_kernels(self) -> None:
        """Have the kernels compiled now: for many questions, or figures that others compare.

        Raises:
            ConfigError: they cannot be compiled.
        """
        if self._kernels is None:
            self._kernels = compiled_kernels(self._codecs)

    def _kernels_now(self) -> Kernels:
        return kernels_now(self._codecs) if self._kernels is None else self._kernels

    def _answer(
        self,
        query: TokenMatrix,
        k: int,
        parts: Sequence[LiveSegment],
        exact: Ranking,
        settings: SearchSettings,
    ) -> tuple[Ranking, SearchTrace]:
        windows, vectors = sum(p.windows for p in parts), sum(p.vectors for p in parts)
        kernels = self._kernels_now()
        if vectors > self._scan_vectors and len(query):
            ranking, trace = self._vote(kernels, query, k, parts, settings)
            if len(ranking) >= k:
                return Ranking.joined((exact, ranking)).cut(k), trace
        trace = SearchTrace("scan", windows, vectors, scored=windows)
        return Ranking.joined((exact, _scan(kernels, query, parts))).cut(k), trace

    def _vote(
        self,
        kernels: Kernels,
        query: TokenMatrix,
        k: int,
        parts: Sequence[LiveSegment],
        settings: SearchSettings,
    ) -> tuple[Ranking, SearchTrace]:
        """Score the windows of the highest estimates, until the rest can hardly matter."""
        windows, vectors = sum(p.windows for p in parts), sum(p.vectors for p in parts)
        settings = _widened(settings, vectors / sum(p.segment.info.vectors for p in parts))
        with ExitStack() as borrowed:
            probed = self._probe(kernels, query, k, parts, settings, borrowed)
            voted = Candidates.joined([one.votes for one in probed]).best(
                max(settings.candidates, 4 * k)
            )
            refined = _refine(probed, voted, k, settings.margin)
        ranking, scored = _score(probed, refined, k, settings.final_margin)
        figures = windows, vectors, len(voted), len(refined), scored
        return ranking, SearchTrace("votes", *figures, settings)

    def _probe(
        self,
        kernels: Kernels,
        query: TokenMatrix,
        k: int,
        parts: Sequence[LiveSegment],
        settings: SearchSettings,
        borrowed: ExitStack,
    ) -> list[SegmentProbe]:
        """Let the lists of each segment vote."""
        known: dict[str, Probes] = {}
        probed = []
        for number, part in enumerate(parts):
            segment = _compressed(part)
            book = segment.codebook
            rotated = rotate_query(kernels, book, query)
            if book.info.name not in known:
                known[book.info.name] = find_probes(
                    kernels, book, rotated, settings.nprobe, settings.groups
                )
            probes = known[book.info.name].with_extra(kernels, segment.extra, len(book))
            limit = max(settings.candidates, 4 * k)
            votes = count_votes(kernels, segment, part.live, probes, limit, self._pool)
            owners = np.full(len(votes.positions), number)
            nearest = probes.nearest(_near(settings, len(query)))
            probed.append(
                SegmentProbe(
                    kernels,
                    segment,
                    rotated,
                    Candidates(owners, votes.positions, votes.estimates),
                    borrowed.enter_context(near_centroids(kernels, segment, nearest, self._pool)),
                )
            )
        return probed


def _compressed(part: LiveSegment) -> CompressedSegment:
    assert isinstance(part.segment, CompressedSegment)
    return part.segment


def _scan(
    kernels: Kernels, query: TokenMatrix, parts: Sequence[LiveSegment], *, release: bool = False
) -> Ranking:
    best = TopK()
    for part in parts:
        segment, positions = _compressed(part), part.positions
        rotated = rotate_query(kernels, segment.codebook, query)
        for start in range(0, len(positions), SCANNED_AT_ONCE):
            _add(best, kernels, segment, rotated, positions[start : start + SCANNED_AT_ONCE])
            if release:
                segment.release_pages()
    return best.ranking()


def _refine(probed: Sequence[SegmentProbe], voted: Candidates, k: int, margin: float) -> Candidates:
    """Estimate windows by those of their vectors that lie near the query.

    Returns:
        Those that were looked at, by their new estimates, best first.
    """
    estimates = np.empty(0, np.float32)
    errors = EstimateErrors(2 * RECENT)
    for start, end in batches(len(voted), _REFINEMENT, k):
        batch = voted.take(start, end)
        if kth_largest(estimates, k) > errors.upper_bound(batch.estimates[0], margin):
            break
        fresh = np.empty(len(batch), np.float32)
        for number, mine in batch.by_owner():
            one = probed[number]
            fresh[mine] = refine_positions(
                one.kernels, one.segment, one.near, batch.positions[mine]
            )
        estimates = np.concatenate((estimates, fresh))
        errors.add(fresh - batch.estimates)
    looked = len(estimates)
    return replace(voted.take(0, looked), estimates=estimates).best(looked)


def _score(
    probed: Sequence[SegmentProbe], refined: Candidates, k: int, margin: float
) -> tuple[Ranking, int]:
    """Score windows with all their vectors; returns how many, too."""
    best, scored = TopK(), 0
    errors = EstimateErrors(RECENT)
    for start, end in batches(len(refined), _SCORING, k):
        batch = refined.take(start, end)
        if best.minimum(k) > errors.upper_bound(batch.estimates[0], margin):
            break
        scores = np.empty(len(batch), np.float32)
        for number, mine in batch.by_owner():
            one = probed[number]
            scores[mine] = _add(best, one.kernels, one.segment, one.rotated, batch.positions[mine])
        errors.add(scores - batch.estimates)
        scored = end
    return best.ranking(), scored


def _add(
    best: TopK,
    kernels: Kernels,
    segment: CompressedSegment,
    rotated: TokenMatrix,
    positions: IntArray,
) -> FloatArray:
    """Score windows, and the other windows of their rows; returns the scores of the former."""
    if segment.single:
        scores = score_positions(kernels, segment, rotated, positions)
        best.add(segment.rows[positions], scores)
        return scores
    first = np.searchsorted(segment.rows, segment.rows[positions])
    last = np.searchsorted(segment.rows, segment.rows[positions], side="right")
    wanted = np.unique(np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)]))
    scores = score_positions(kernels, segment, rotated, wanted)
    rows = segment.rows[wanted]
    best.add(rows, scores, wanted - np.searchsorted(segment.rows, rows))
    return scores[np.searchsorted(wanted, positions)]


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
