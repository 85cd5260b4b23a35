"""Exact segments for the tests of this folder, without files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lfm2_colbert_rag.index import LiveSegment
from lfm2_colbert_rag.index.arrays import FileInfo
from lfm2_colbert_rag.index.segment import ExactSegment, SegmentInfo

NAMES = ("vectors", "token_ids", "spans", "offsets", "rows", "windows")


def exact_segment(windows: Sequence[np.ndarray], rows: Sequence[int] | None = None) -> LiveSegment:
    """Make a segment of windows' vectors, float16; a row each when ``rows`` is None."""
    count = sum(len(one) for one in windows)
    owners = np.arange(len(windows)) if rows is None else np.array(rows)
    arrays = {
        "vectors": np.concatenate(windows),
        "token_ids": np.zeros(count, np.int32),
        "spans": np.zeros((count, 2), np.int32),
        "offsets": np.cumsum([0, *(len(one) for one in windows)]),
        "rows": owners,
        "windows": np.zeros((len(windows), 2), np.int64),
    }
    files = {name: FileInfo(1, "0" * 64) for name in NAMES}
    info = SegmentInfo("made", len(set(owners.tolist())), count, files, first_row=int(owners[0]))
    return LiveSegment(ExactSegment(info, arrays))
