"""An index in an engine as the contract sees indexes: rows are passages, segments are windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lfm2_colbert_rag.cluster.backend import Backend
from lfm2_colbert_rag.cluster.plan import Plan, Selection
from lfm2_colbert_rag.cluster.points import Key, Point, Vectors, pack_tokens
from lfm2_colbert_rag.cluster.settings import ClusterSettings
from lfm2_colbert_rag.index import Index, LiveSegment
from lfm2_colbert_rag.index.base import Ranking
from lfm2_colbert_rag.retriever.remote.asking import ask
from lfm2_colbert_rag.retriever.remote.points import mean_of
from lfm2_colbert_rag.retriever.remote.rows import FoundRows
from lfm2_colbert_rag.storage.settings import IndexSettings
from lfm2_colbert_rag.types import TokenMatrix


class RemoteIndex(Index):
    """Windows of live segments, written to an engine and asked there."""

    def __init__(self, segments: Sequence[LiveSegment], backend: Backend, dim: int) -> None:
        super().__init__(segments)
        self._backend = backend
        backend.create(ClusterSettings(IndexSettings("hash", dim, {"kind": "hash"})))
        points = [
            Point(
                Key(str(row), place),
                1,
                0,
                window.span,
                len(window.encoded),
                {},
                "und",
                "" if not place else None,
                tokens=pack_tokens(window.encoded),
                vectors=Vectors(window.encoded.vectors, mean_of(window.encoded.vectors)),
            )
            for row in self.segments.rows.tolist()
            for place, window in enumerate(self.segments.windows(row))
        ]
        if points:
            backend.write(points)

    def search(
        self,
        queries: Sequence[TokenMatrix],
        k: int,
        *,
        rows: npt.NDArray[np.int64] | None = None,
    ) -> list[Ranking]:
        """See :class:`Index`."""
        ids = None if rows is None else tuple(map(str, rows.tolist()))
        plans = [Plan("colbert", query, 4 * k, selection=Selection(ids=ids)) for query in queries]
        return [self._ranked(found, k) for found in ask(self._backend, plans, k)]

    def _ranked(self, found: Sequence, k: int) -> Ranking:
        numbered = FoundRows(lambda keys: [], lambda passage: passage)
        ranking = numbered.ranking(found)
        rows = np.array([int(numbered.id(row)) for row in ranking.rows.tolist()], np.int64)
        return Ranking.ordered(rows, ranking.scores, ranking.windows).cut(k)
