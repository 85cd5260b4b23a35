"""What a commit changes, how one is prepared, and what readers learn of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..types import UNDETERMINED

if TYPE_CHECKING:
    from ..index.compressed.codebook import CodebookInfo
    from ..index.lexical.postings import Postings
    from ..index.segment import SegmentInfo
    from ..types import Passage
    from .adapters import AdapterInfo
    from .settings import IndexSettings
    from .staging import StagedSegment


class StaleDraftError(Exception):
    """What a commit was prepared from has changed; prepare it again. Never reaches users."""


@dataclass(frozen=True, eq=False)
class Draft:
    """Passages to commit, with everything that can be prepared without the writer's lock.

    Attributes:
        passages: with ids unique among themselves.
        segment: their windows, staged.
        counts: how many windows, and how many vectors, each of them has.
        stored: the rows that the same ids had when the draft was begun, by id.
        generation: the generation in which that was so.
        relied_on: those of ``stored`` that must still be live, since their vectors were copied.
        postings: their terms, in parts; empty where the index keeps none.
        languages: the language of each passage; empty where nobody told them.
        fitted: settings that this commit brings, unless the index has a value for them by then.
        space: of which space the vectors are; None where that cannot have changed.
    """

    passages: Sequence[Passage]
    segment: StagedSegment
    counts: tuple[Sequence[int], Sequence[int]]
    stored: Mapping[str, int] = field(default_factory=dict)
    generation: int = -1
    relied_on: Mapping[str, int] = field(default_factory=dict)
    postings: Sequence[Postings] = ()
    languages: Sequence[str] = ()
    fitted: Mapping[str, Any] = field(default_factory=dict)
    space: str | None = None


@dataclass(frozen=True)
class StoredPassage:
    """A passage as the catalog keeps it.

    Attributes:
        row: its row number.
        passage: the passage.
        windows: number of windows that it was cut into.
        tokens: number of vectors of all of them.
        language: of its text, an ISO 639 code; :data:`~lfm2_colbert_rag.types.UNDETERMINED` where
            that is not known.
    """

    row: int
    passage: Passage
    windows: int
    tokens: int
    language: str = UNDETERMINED


@dataclass(frozen=True, eq=False)
class Head:
    """What whoever is about to write must know, read at once.

    Attributes:
        generation: the newest generation.
        next_row: a row number above all that were ever used.
        codebooks: names of all codebooks, the newest last.
        settings: the newest settings.
    """

    generation: int
    next_row: int
    codebooks: tuple[str, ...]
    settings: IndexSettings


@dataclass(frozen=True, eq=False)
class Changes:
    """What a reader at one generation must know to move to a newer one.

    Attributes:
        generation: the newer generation.
        segments: all its segments of the space that serves, in the order of their rows.
        codebooks: all codebooks of that space, the newest last.
        dead_rows: ascending rows that died after the reader's generation, and dead rows of
            segments that the reader does not know.
        settings: its settings.
    """

    generation: int
    segments: tuple[SegmentInfo, ...]
    codebooks: tuple[CodebookInfo, ...]
    dead_rows: npt.NDArray[np.int64]
    settings: IndexSettings


@dataclass(frozen=True)
class Contents:
    """What of an index lies in files of their own.

    Attributes:
        segments: its segments.
        codebooks: its codebooks, the newest last.
        adapters: its query adapters.
    """

    segments: Sequence[SegmentInfo]
    codebooks: Sequence[CodebookInfo]
    adapters: Sequence[AdapterInfo]

    @property
    def names(self) -> set[str]:
        """The names of all of them, as they lie in their folders."""
        return {
            *(one.name for one in self.segments),
            *(one.name for one in self.codebooks),
            *(one.file for one in self.adapters),
        }


@dataclass(frozen=True)
class Counts:
    """Sizes of one generation."""

    passages: int
    windows: int
    deleted: int
    vectors: int
    segments: int


@dataclass(frozen=True)
class Forgotten:
    """What was removed for good.

    Attributes:
        passages: how many dead passages went now.
        log_emptied: False if readers kept the catalog's log all the time, so that some of it may be
            left there.
        files_gone: False if readers keep files that no commit names any more, as on Windows.
    """

    passages: int
    log_emptied: bool
    files_gone: bool


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
            keeps some, the passages are pending.
        settings: settings of the index that are others from now on.
        measured: measurements that are others from now on.
        serving: the name of the space that serves from now on; None for the one that does.
        new_space: the settings of a space that is to be filled; None for none.
        dropped_space: the name of a space that is forgotten, and all that lies in it.
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
    measured: Mapping[str, Any] = field(default_factory=dict)
    serving: str | None = None
    new_space: IndexSettings | None = None
    dropped_space: str | None = None
