"""The write path of an index in an engine: batches of points, each acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from ..._support.progress import ProgressLike, reporting
from ...cluster.plan import Named, Selection
from ...cluster.points import Key, Point, digests
from ...cluster.terms import average_length
from ...errors import IndexCorruptError, PartialWriteError, RemoteUnavailableError
from ...storage.exchange.given_vectors import given_windows
from ..ingest.languages import tell_languages
from ..ingest.passage_encoder import PassageEncoder
from ..ingest.pooler import Pooler
from .points import make_points, revision

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...filters import Filter
    from ...storage.exchange.given_vectors import GivenVectors
    from ...types import Passage, Window
    from .home import RemoteHome

POINTS, BYTES = 64, 16_000_000
"""Points of a batch at most, and the bytes of their vectors."""

IDS = 256
"""Ids that are asked for at once."""

_ALL_VECTORS: tuple[Named, ...] = ("colbert", "mean", "cent", "words")
_SOME = 1000  # texts that say how long passages are


class RemoteIngestor:
    """Writes passages to an index in an engine.

    Args:
        home: the index.
    """

    def __init__(self, home: RemoteHome) -> None:
        self._home = home

    def add(self, passages: Sequence[Passage], progress: ProgressLike = None) -> None:
        """Add checked passages, or replace those with the same id, batch by batch.

        What is stored with the same text and metadata is skipped; where only the metadata differ,
        the vectors that are stored are used.

        Raises:
            InputError: the encoder gave vectors that cannot be stored.
            PartialWriteError: the engine could not be reached any more, after a part was written.
            RemoteUnavailableError: it could not be reached; nothing was changed.
            ReadOnlyError: the index may only be read.
        """
        self._home.require_writable()
        stored = self._heads(passages)
        changed = [one for one in passages if _differs(one, stored.get(one.id))]
        if not changed:
            return
        same = [one for one in changed if _has_text(one, stored.get(one.id))]
        kept = {one.id for one in same}
        fresh = [one for one in changed if one.id not in kept]
        with reporting(progress, len(fresh), "encoding") as report:
            encoder = self._passage_encoder() if fresh else None
            encoded = encoder.encode([one.text for one in fresh], report) if encoder else ()
            rev = revision()
            points = chain(self._kept_points(same, stored, rev), self._made(fresh, encoded, rev))
            self._write(points, [one.id for one in changed], stored)
            if encoder is not None and encoder.pooler.fitted:
                index = self._home.settings.index.to_json() | encoder.pooler.fitted
                self._home.change(index=type(self._home.settings.index).from_json(index))

    def add_vectors(
        self,
        slots: Sequence[Passage | None],
        vectors: Iterable[GivenVectors],
        token_ids: Iterable[npt.ArrayLike] | None = None,
        progress: ProgressLike = None,
    ) -> None:
        """Add passages with vectors that were made elsewhere; see ``Retriever.add_vectors``.

        Errors as of :meth:`add`.
        """
        self._home.require_writable()
        dim = self._home.settings.index.dim
        windows = given_windows(vectors, slots, dim, token_ids)
        passages = [passage for passage in slots if passage is not None]
        if not passages:
            list(windows)  # vectors without a text are a mistake all the same
            return
        with reporting(progress, len(passages), "storing") as report:
            points = self._made(passages, windows, revision(), report)
            self._write(points, [one.id for one in passages], self._heads(passages))

    def delete(self, ids: Sequence[str] | None, where: Filter, owner: str | None) -> int:
        """Delete passages, and return how many there were.

        Args:
            ids: only those with one of these; None for all.
            where: only those that match.
            owner: only this tenant's; None for all.
        """
        self._home.require_writable()
        backend, deleted = self._home.backend, 0
        parts: Iterable[tuple[str, ...] | None] = [None]
        if ids is not None:
            distinct = list(dict.fromkeys(ids))
            parts = [tuple(distinct[at : at + IDS]) for at in range(0, len(distinct), IDS)]
        for part in parts:
            found = backend.count(Selection(where, owner, part, heads=True))
            backend.delete(Selection(where, owner, part))
            deleted += found
        self._home.note_write()
        return deleted

    def _passage_encoder(self) -> PassageEncoder:
        settings = self._home.settings.index
        pooler = Pooler.of(settings)  # first, for it may have to refuse
        return PassageEncoder(self._home.encoder(), settings.window_overlap, pooler)

    def _heads(self, passages: Sequence[Passage]) -> dict[str, Point]:
        """Return the first windows of what is stored under the ids of passages."""
        keys, found = [Key(one.id) for one in passages], {}
        for at in range(0, len(keys), IDS):
            for point in self._home.backend.get(keys[at : at + IDS]):
                found[point.key.id] = point
        return found

    def _kept_points(
        self, passages: Sequence[Passage], stored: dict[str, Point], rev: int
    ) -> Iterator[list[Point]]:
        """Yield the stored points of passages, with other metadata."""
        for passage in passages:
            keys = [Key(passage.id, window) for window in range(stored[passage.id].windows)]
            found = self._home.backend.get(keys, _ALL_VECTORS, tokens=True)
            if len(found) != len(keys):
                raise IndexCorruptError(
                    f"{len(keys) - len(found)} of {len(keys)} windows of {passage.id!r} are gone. "
                    "Delete the passage, and add it again."
                )
            digest = digests(passage)[1]
            ordered = sorted(found, key=lambda point: -point.key.window)  # the head last
            yield [point.at(rev, passage.metadata, digest) for point in ordered]

    def _made(
        self,
        passages: Sequence[Passage],
        windows: Iterable[tuple[int, Window]],
        rev: int,
        report: Callable[[int], None] = lambda done: None,
    ) -> Iterator[list[Point]]:
        if not passages:
            return
        settings = self._home.settings
        terms = settings.terms
        if settings.lexical and terms is None:
            terms = average_length([one.text for one in passages[:_SOME]])
            self._home.change(terms=terms)
        for points in make_points(
            passages,
            windows,
            tell_languages(one.text for one in passages),
            rev,
            dim=settings.index.dim,
            codebook=self._home.codebook(),
            terms=terms if settings.lexical else None,
        ):
            report(1)
            yield points

    def _write(
        self, passages: Iterable[list[Point]], ids: Sequence[str], stored: dict[str, Point]
    ) -> None:
        """Write the points of passages in batches, then remove windows that are no more."""
        written: list[str] = []
        try:
            for batch in _batches(passages):
                self._home.backend.write(batch)
                heads = [point for point in batch if point.is_head]
                self._remove_rest(heads, stored)
                written += [point.key.id for point in heads]
        except RemoteUnavailableError as error:
            if not written:
                raise
            done = set(written)
            missing = [id for id in ids if id not in done]
            raise PartialWriteError(
                f"{len(written):,} passages were written to {self._home.name}, {len(missing):,} "
                f"were not: {error} The same call again writes what is missing.",
                written,
                missing,
            ) from error
        finally:
            self._home.note_write()

    def _remove_rest(self, heads: Sequence[Point], stored: dict[str, Point]) -> None:
        shorter = [
            one.key.id
            for one in heads
            if one.key.id in stored and stored[one.key.id].windows > one.windows
        ]
        if shorter:
            before = min(one.rev for one in heads)
            self._home.backend.delete(Selection(ids=tuple(shorter), before=before))


def _batches(passages: Iterable[list[Point]]) -> Iterator[list[Point]]:
    """Yield points to be written together; a passage of many windows may take several."""
    held: list[Point] = []
    size = 0
    for points in passages:
        for point in points:
            matrix = point.vectors.colbert
            more = 0 if matrix is None else 4 * matrix.size
            if held and (len(held) == POINTS or size + more > BYTES):
                yield held
                held, size = [], 0
            held.append(point)
            size += more
    if held:
        yield held


def _differs(passage: Passage, stored: Point | None) -> bool:
    return stored is None or stored.digest != digests(passage)[1]


def _has_text(passage: Passage, stored: Point | None) -> bool:
    text, _ = digests(passage)
    return stored is not None and stored.digest.startswith(text)
