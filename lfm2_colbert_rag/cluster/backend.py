"""What an engine must be able to do, for an index to lie in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..filters import Path
from .plan import Counts, FoundPoint, Named, Plan, Selection
from .points import Key, Point
from .settings import ClusterSettings
from .side import Chunk


class Backend(Protocol):
    """One collection of points in an engine, safe to use from several threads.

    A backend translates and waits; it knows no model and ranks nothing itself. All of its calls may
    raise :class:`~lfm2_colbert_rag.errors.RemoteUnavailableError`, once repeating what may be
    repeated has not helped, and none gives a part of an answer. Writing the same points again
    changes nothing, so it is repeated as well.

    Attributes:
        name: the address without secrets, for messages.
        indexes_all: whether every field of the metadata is indexed by itself.
    """

    name: str
    indexes_all: bool

    def exists(self) -> bool:
        """Tell whether there is a collection of this name, ours or not."""
        ...

    def create(self, settings: ClusterSettings) -> None:
        """Make the collection, and the indexes of payload that every index has, before any point.

        Indexed are the passage's id, the window's number, the revision, the language and the owner,
        the last as what parts tenants. Nothing happens where it is there.
        """
        ...

    def write(self, points: Sequence[Point]) -> None:
        """Write points, in place of those with the same keys; acknowledged when it returns.

        Args:
            points: of one batch; those of a passage need not be in one.
        """
        ...

    def delete(self, selection: Selection) -> None:
        """Delete points; acknowledged when it returns.

        Raises:
            FilterError: a filter that the engine cannot answer.
        """
        ...

    def search(self, plans: Sequence[Plan]) -> list[list[FoundPoint]]:
        """Answer several searches in one request.

        Raises:
            FilterError: a filter that the engine cannot answer.
        """
        ...

    def get(
        self, keys: Sequence[Key], vectors: Sequence[Named] = (), *, tokens: bool = False
    ) -> list[Point]:
        """Return points by key, in any order; those that are not there are left out.

        Args:
            keys: which.
            vectors: the vectors that come with them.
            tokens: whether ``tokens`` comes, too.
        """
        ...

    def scroll(
        self,
        selection: Selection,
        limit: int,
        after: Key | None = None,
        vectors: Sequence[Named] = (),
        *,
        tokens: bool = False,
    ) -> list[Point]:
        """Return selected points in the order of their UUIDs.

        Args:
            selection: which.
            limit: how many at most.
            after: only those behind it; it need not be there any more.
            vectors: see :meth:`get`.
            tokens: see :meth:`get`.

        Raises:
            FilterError: a filter that the engine cannot answer.
        """
        ...

    def count(self, selection: Selection) -> int:
        """Count selected points, exactly.

        Raises:
            FilterError: a filter that the engine cannot answer.
        """
        ...

    def languages(self, selection: Selection) -> Counts:
        """Count selected points by language."""
        ...

    def index_field(self, path: Path) -> None:
        """Index a field of the metadata, so that filters on it are quick."""
        ...

    def read_side(self, name: str) -> list[Chunk]:
        """Return what the side store holds under a name; none where there is nothing."""
        ...

    def write_side(self, name: str, chunks: Sequence[Chunk]) -> None:
        """Keep something under a name, beside the points and as durably as they are."""
        ...

    def alias(self, name: str) -> None:
        """Let a name stand for this collection from now on, in place of another one, in one step.

        Raises:
            IndexExistsError: there is a collection of that name itself.
        """
        ...

    def drop(self) -> None:
        """Remove the collection and its side store for good."""
        ...

    def close(self) -> None:
        """Let go of connections. Twice does no harm."""
        ...
