"""Segments limited to the rows of a filter."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.index.arrays import FileInfo
from lfm2_colbert_rag.index.base import LiveSegment
from lfm2_colbert_rag.index.segment import ExactSegment, SegmentInfo


def exact_segment(rows: np.ndarray) -> ExactSegment:
    """Make a segment in memory, a vector a window."""
    number = len(rows)
    arrays = {
        "vectors": np.ones((number, 2), np.float16),
        "token_ids": np.zeros(number, np.int32),
        "spans": np.zeros((number, 2), np.int32),
        "offsets": np.arange(number + 1),
        "rows": rows,
        "windows": np.zeros((number, 2), np.int32),
    }
    files = {name: FileInfo(0, "0" * 64) for name in arrays}
    return ExactSegment(SegmentInfo("made", len(set(rows.tolist())), number, files), arrays)


numbers = st.integers(0, 40)


@given(
    st.lists(numbers, min_size=1, max_size=80).map(sorted),
    st.sets(numbers),
    st.one_of(st.none(), st.sets(numbers)),
)
def test_only_windows_of_the_rows_are_left(rows, allowed, dead):
    live = LiveSegment(exact_segment(np.array(rows)))
    if dead is not None:
        live = live.without(np.array(sorted(dead), np.int64))
    limited = live.within(np.array(sorted(allowed), np.int64))
    wanted = allowed - (dead or set())
    assert limited.rows.tolist() == [row for row in rows if row in wanted]
    assert limited.windows == len(limited.rows)


def test_few_rows_of_a_large_segment_are_found_too():
    rows = np.repeat(np.arange(0, 3000, 3), 2)
    for allowed in ([], [0], [1], [3, 4, 6, 2997], [2998, 5000], [-4, 0]):
        limited = LiveSegment(exact_segment(rows)).within(np.array(allowed, np.int64))
        assert limited.rows.tolist() == [row for row in rows.tolist() if row in allowed]


def test_rows_that_nobody_may_change_are_known_again():
    live, kept = LiveSegment(exact_segment(np.arange(9))), np.array([2, 5])
    kept.flags.writeable = False
    changed, view = np.array([2, 5]), kept[:]
    assert live.within(kept) is live.within(kept)
    assert live.within(view).rows.tolist() == [2, 5]
    assert live.within(changed).rows.tolist() == [2, 5]
    changed[1] = 7
    assert live.within(changed).rows.tolist() == [2, 7]
    others = [np.arange(number) for number in range(1, 8)]
    for one in others:
        one.flags.writeable = False
        assert live.within(one).rows.tolist() == one.tolist()
    assert live.within(others[-1]) is live.within(others[-1])
    assert live.within(kept).rows.tolist() == [2, 5]
