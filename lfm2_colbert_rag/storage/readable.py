"""What whoever reads an index asks of it: of all of it, or of a tenant's part."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..filters import Filter
from ..types import Passage
from .home import Snapshot
from .posting_lists import FoundPostings, ReadPostings
from .posting_sql import LexicalState
from .row_languages import RowLanguages
from .settings import IndexSettings


class ReadablePostings(Protocol):
    """The posting lists; see :class:`~.posting_lists.PostingLists`."""

    def state(self) -> LexicalState | None:
        """Return how complete the lists are; None where the index is to have none."""
        ...

    def read(self, terms: Sequence[str], above: int = -1) -> FoundPostings:
        """Return the lists of terms, also of rows that are nobody's business here."""
        ...

    def reading(self) -> AbstractContextManager[ReadPostings]:
        """Give what reads lists as :meth:`read` does, all in one state."""
        ...


class ReadableCatalog(Protocol):
    """Passages by row, by id and by filter; see :class:`~.catalog.Catalog`."""

    @property
    def postings(self) -> ReadablePostings:
        """The posting lists."""
        ...

    def generation(self) -> int:
        """Return the newest generation."""
        ...

    def select(self, where: Filter, generation: int) -> npt.NDArray[np.int64]:
        """Return the ascending live rows that match a filter."""
        ...

    def rows_by_id(self, ids: Sequence[str], generation: int) -> dict[str, int]:
        """Return the live row of each id that has one."""
        ...

    def rows_by_text(self, texts: Sequence[str], generation: int) -> list[tuple[str, int]]:
        """Return the live rows that have one of some texts, each behind its text, ascending."""
        ...

    def passages(self, rows: Sequence[int]) -> dict[int, Passage]:
        """Return passages by row."""
        ...

    def languages(self) -> RowLanguages:
        """Return the languages of rows."""
        ...


class ReadableStore(Protocol):
    """An index to be read; see :class:`~.store.Store`."""

    @property
    def folder(self) -> Path:
        """Where it lies, for messages."""
        ...

    @property
    def settings(self) -> IndexSettings:
        """Its settings."""
        ...

    @property
    def catalog(self) -> ReadableCatalog:
        """Its catalog."""
        ...

    def snapshot(self) -> Snapshot:
        """Return the newest generation."""
        ...
