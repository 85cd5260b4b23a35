"""What an engine found, numbered as the parts of a search want it: a row a passage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ...cluster.plan import FoundPoint
from ...cluster.points import Key, Point
from ...errors import IndexBusyError, PassageNotFoundError
from ...index.base import Ranking
from ...index.maxsim import maxsim
from ...types import Passage, Window
from ..search.late import Answer, Query, best_windows


class FoundRows:
    """The passages that the questions of one call found.

    Args:
        get: returns points by key, with their token vectors.
        shown: returns a passage as whoever asked may see it.
    """

    def __init__(
        self, get: Callable[[Sequence[Key]], list[Point]], shown: Callable[[Passage], Passage]
    ) -> None:
        self._get, self._shown = get, shown
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._points: dict[tuple[int, int], Point] = {}
        self._windows: dict[tuple[int, int], Window] = {}
        self._languages: dict[int, str] = {}
        self._wanted: list[tuple[int, int]] = []
        self._reading = threading.Lock()

    def row(self, id: str) -> int:
        """Return the row of a passage, by its id in the engine."""
        if id not in self._rows:
            self._rows[id] = len(self._ids)
            self._ids.append(id)
        return self._rows[id]

    def id(self, row: int) -> str:
        """Return the id of a row, in the engine."""
        return self._ids[row]

    def ranking(self, found: Iterable[FoundPoint]) -> Ranking:
        """Rank the passages of what one plan found, each by its best window."""
        best: dict[int, tuple[float, int]] = {}
        for point, score in found:
            row = self.keep(point)
            if row not in best or (score, -point.key.window) > (best[row][0], -best[row][1]):
                best[row] = score, point.key.window
        return Ranking.ordered(
            np.array(list(best), np.int64),
            np.array([score for score, _ in best.values()], np.float32),
            np.array([window for _, window in best.values()], np.int64),
        )

    def keep(self, point: Point) -> int:
        """Remember a point, and return its row."""
        row = self.row(point.key.id)
        self._points[row, point.key.window] = point
        self._languages[row] = point.language
        return row

    def language(self, row: int) -> str:
        """Return the language of a row."""
        return self._languages[row]

    def passages(self, rows: Iterable[int]) -> dict[int, Passage]:
        """Return passages by row, reading those whose first window was not found.

        What was deleted meanwhile is not among them.
        """
        wanted = sorted(set(rows))
        lacking = [row for row in wanted if (row, 0) not in self._points]
        for point in self._get([Key(self._ids[row]) for row in lacking]) if lacking else ():
            self.keep(point)
        return {
            row: self._shown(self._points[row, 0].passage())
            for row in wanted
            if (row, 0) in self._points
        }

    def want(self, windows: Iterable[tuple[int, int]]) -> None:
        """Say whose vectors may be asked for: all are read once one is."""
        self._wanted += windows

    def window_spans(self, windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """See :class:`~lfm2_colbert_rag.retriever.search.hits.StoredWindows`."""
        self.want(windows)
        return [self._points[one].span for one in windows]

    def window(self, row: int, place: int) -> Window:
        """See :class:`~lfm2_colbert_rag.retriever.search.hits.StoredWindows`.

        Raises:
            PassageNotFoundError: the passage was deleted meanwhile.
            IndexBusyError: it was replaced meanwhile.
        """
        with self._reading:
            if (row, place) not in self._windows:
                wanted = dict.fromkeys([*self._wanted, (row, place)])
                self._read([one for one in wanted if one not in self._windows])
        if (row, place) not in self._windows:
            raise PassageNotFoundError(f"{self._ids[row]!r} was deleted since it was found.")
        return self._windows[row, place]

    def _read(self, windows: Sequence[tuple[int, int]]) -> None:
        keys = [Key(self._ids[row], place) for row, place in windows]
        for point in self._get(keys):
            key = self._rows[point.key.id], point.key.window
            if point.rev != self._points[key].rev:
                raise IndexBusyError(
                    f"{point.key.id!r} was replaced since it was found; search again."
                )
            self._windows[key] = point.window()


class HeldWindows:
    """All windows of one passage, as row 0.

    Args:
        windows: in the order of the text; at least one.
    """

    def __init__(self, windows: Sequence[Window]) -> None:
        self._windows = windows

    def window(self, row: int, place: int) -> Window:
        """See :class:`~lfm2_colbert_rag.retriever.search.hits.StoredWindows`."""
        return self._windows[place]

    def window_spans(self, windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """See :class:`~lfm2_colbert_rag.retriever.search.hits.StoredWindows`."""
        return [self._windows[place].span for _, place in windows]

    def answer(self, query: Sequence[Query]) -> Answer:
        """Return what the passage answers to the windows of a question."""
        scores = maxsim(
            [one.encoded.vectors for one in query], [one.encoded.vectors for one in self._windows]
        )
        rankings = [
            Ranking(
                np.zeros(1, np.int64),
                row.max(keepdims=True).astype(np.float32),
                np.array([int(row.argmax())]),
            )
            for row in scores
        ]
        return best_windows(query, rankings, 1)
