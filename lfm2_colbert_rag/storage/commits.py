"""What a commit changes, and what readers learn of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..index.compressed.codebook import CodebookInfo
from ..index.lexical.postings import Postings
from ..index.segment import SegmentInfo
from ..types import Passage


@dataclass(frozen=True)
class StoredPassage:
    """A passage as the catalog keeps it.

    Attributes:
        row: its row number.
        passage: the passage.
        windows: number of windows that it was cut into.
        tokens: number of vectors of all of them.
    """

    row: int
    passage: Passage
    windows: int
    tokens: int


@dataclass(frozen=True, eq=False)
class Changes:
    """What a reader at one generation must know to move to a newer one.

    Attributes:
        generation: the newer generation.
        segments: all its segments, in the order of their rows.
        codebooks: all its codebooks, the newest last.
        dead_rows: rows that died after the reader's generation.
    """

    generation: int
    segments: tuple[SegmentInfo, ...]
    codebooks: tuple[CodebookInfo, ...]
    dead_rows: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """Sizes of one generation."""

    passages: int
    windows: int
    deleted: int
    tokens: int
    segments: int


@dataclass(frozen=True)
class Commit:
    """Everything that one commit changes.

    Attributes:
        generation: the generation that it makes.
        passages: rows to add; their numbers ascend and were never used before.
        segment: the segment that holds them, or that takes the place of others; already on the
            disk.
        removed: rows that die.
        retired: names of segments whose live rows others hold from now on.
        codebook: a codebook, already on the disk, that later segments are to use.
        resized: row, windows and vectors of passages that ``segment`` holds with other numbers of
            them than the catalog says.
        postings: the posting lists of ``passages``, in parts; where they are missing and the index
            is to have them, the passages are pending.
        settings: settings of the index that are others from now on.
    """

    generation: int
    passages: Sequence[StoredPassage] = ()
    segment: SegmentInfo | None = None
    removed: Sequence[int] = ()
    retired: Sequence[str] = ()
    codebook: CodebookInfo | None = None
    resized: Sequence[tuple[int, int, int]] = ()
    postings: Sequence[Postings] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
