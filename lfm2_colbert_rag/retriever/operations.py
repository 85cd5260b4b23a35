"""What keeps an index in service: reading and deleting, quick filters, copies, ways in and out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .._support.progress import ProgressLike, reporting
from .._support.validation import check_ids, check_passages
from ..errors import IndexLockedError, InputError, PassageNotFoundError
from ..filters import field_name, parse_field, parse_where
from ..storage.backup import copy_index
from ..storage.exchange.export import ExportDType, export_index
from ..storage.exchange.formats import open_dump
from ..storage.exchange.given_vectors import GivenVectors, given_windows
from ..storage.store import StaleSnapshotError, Store
from ..storage.verification import verify_index
from ..types import Metadata, Passage, TokenMatrix, Where, Window
from .maintenance.compaction import tidy

# Ids that an error names.
_NAMED = 10
_READ_AT_ONCE = 1000


class Operations:
    """The part of :class:`~lfm2_colbert_rag.Retriever` that asks no questions; needs no model."""

    _store: Store

    def delete(self, ids: Sequence[str] | None = None, *, where: Where | None = None) -> int:
        """Delete passages by id or by filter, in one commit.

        Args:
            ids: ids to delete; unknown ones are ignored.
            where: delete what matches; ``{}`` matches everything.

        Returns:
            How many passages were deleted.

        Raises:
            InputError: neither or both were given.
            FilterError: the filter is malformed.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
        """
        if where is not None and ids is None:
            deleted = self._store.delete(where=parse_where(where))
        elif ids is not None and where is None:
            deleted = self._store.delete(ids=check_ids(ids))
        else:
            raise InputError("delete takes either ids or where; give exactly one of them.")
        tidy(self._store)
        return deleted

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """Return passages by id, in the order asked.

        Raises:
            PassageNotFoundError: an id is unknown; the message names all that are.
        """
        rows = self._rows(check_ids(ids), self._store.snapshot().generation)
        passages = self._store.catalog.passages(rows)
        return [passages[row] for row in rows]

    def passages(self, where: Where | None = None) -> Iterator[Passage]:
        """Yield the live passages as of now, in the order in which they were added.

        They are read as they are asked for. Passages that are deleted meanwhile may still come.

        Args:
            where: only what matches; see :meth:`~lfm2_colbert_rag.Retriever.search`.

        Raises:
            FilterError: the filter is malformed.

        Example:
            >>> [passage.id for passage in retriever.passages({"lang": "es"})]  # doctest: +SKIP
            ['reset']
        """
        condition = parse_where({} if where is None else where)
        rows = self._store.catalog.select(condition, self._store.snapshot().generation)
        return self._read(rows.tolist())

    def vectors(self, ids: Sequence[str]) -> list[list[TokenMatrix]]:
        """Return the vectors of passages by id, in the order asked.

        Returns:
            For each passage a matrix ``(n, dim)`` float32 a window; short texts have one window.
            They are the stored ones: rounded, and pooled where the index pools.

        Raises:
            PassageNotFoundError: an id is unknown; the message names all that are.

        Example:
            >>> retriever.vectors(["reset"])[0][0].shape  # doctest: +SKIP
            (11, 128)
        """
        snapshot = self._store.snapshot()
        rows = self._rows(check_ids(ids), snapshot.generation)
        segments = snapshot.index.segments
        return [
            [np.asarray(window.encoded.vectors, np.float32) for window in segments.windows(row)]
            for row in rows
        ]

    def sample(self, number: int = 100) -> list[Passage]:
        """Return some of the passages, evenly over the order in which they were added.

        Args:
            number: how many at most.

        Raises:
            InputError: a number below 1.

        Example:
            >>> {key for one in retriever.sample() for key in one.metadata}  # doctest: +SKIP
            {'lang', 'product', 'year'}
        """
        if number < 1:
            raise InputError(f"number must be at least 1, not {number}.")
        rows = self._store.catalog.select(parse_where({}), self._store.snapshot().generation)
        chosen = [
            int(part[0]) for part in np.array_split(rows, min(number, len(rows)) or 1) if len(part)
        ]
        passages = self._store.catalog.passages(chosen)
        return [passages[row] for row in chosen if row in passages]

    def create_filter_index(self, field: str) -> None:
        """Make filters on one field quick: they no longer read the metadata of every passage.

        It is kept up to date by every later ``add``, costs some bytes a passage, and changes no
        result. Worth it for fields whose filters leave few passages. Nothing happens if it is
        there already.

        Args:
            field: its name as filters write it, such as ``"lang"`` or ``"maker.country"``.

        Raises:
            FilterError: no field can have that name.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.

        Example:
            >>> retriever.create_filter_index("lang")  # doctest: +SKIP
            >>> retriever.filter_indexes()  # doctest: +SKIP
            ['lang']
        """
        path = parse_field(field)
        with self._store.locks.writing():
            self._store.catalog.create_filter_index(path)

    def drop_filter_index(self, field: str) -> None:
        """Forget what :meth:`create_filter_index` made; nothing happens if there is nothing.

        Raises:
            FilterError: no field can have that name.
            IndexLockedError: another writer held the index for too long; nothing was changed.
        """
        path = parse_field(field)
        with self._store.locks.writing():
            self._store.catalog.drop_filter_index(path)

    def filter_indexes(self) -> list[str]:
        """Return the fields whose filters are quick, sorted."""
        return sorted(map(field_name, self._store.catalog.filter_indexes()))

    def verify(self, *, progress: ProgressLike = None) -> list[str]:
        """Check every file against its checksum, and that catalog and vectors belong together.

        Args:
            progress: see :meth:`add`; it counts passages.

        Returns:
            One sentence a problem; empty when all is well.
        """
        return verify_index(self._store.folder, self._store.catalog, progress=progress)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a copy of the index into a new folder; see :meth:`backup`."""
        self.backup(path)

    def backup(self, path: str | os.PathLike[str], *, progress: ProgressLike = None) -> None:
        """Write a copy of one whole generation into a new folder; readers and writers go on.

        The copy is an index of its own: open it, or bring it back with :meth:`restore`. Every
        file is compared with its checksum on the way.

        Args:
            path: the new folder.
            progress: see :meth:`add`; it counts megabytes.

        Raises:
            IndexExistsError: the folder is not empty.
            IndexCorruptError: a file of this index is missing or altered; nothing was written.
            StorageFullError: the disk is full; the partial copy was removed.

        Example:
            >>> retriever.backup("support.backup")  # doctest: +SKIP
        """
        copy_index(self._store, Path(path), progress=progress)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        dtype: ExportDType = "float16",
        progress: ProgressLike = None,
    ) -> int:
        """Write texts, metadata and vectors as plain files, which need no library of ours.

        The folder holds ``passages.jsonl``, ``vectors.npy``, ``token_counts.npy``,
        ``token_ids.npy``, ``spans.npy``, ``windows.npy`` and ``export.json``; the documentation of
        ``lfm2_colbert_rag.storage.exchange.own`` has their shapes. :meth:`import_dump` reads it.

        Args:
            path: the new folder.
            dtype: of the vectors: ``"float16"``, as they are stored, or ``"float32"``.
            progress: see :meth:`add`.

        Returns:
            The number of passages.

        Raises:
            ConfigError: another dtype.
            IndexExistsError: the folder is not empty.
            StorageFullError: the disk is full; the partial export was removed.
        """
        return export_index(self._store, Path(path), dtype=dtype, progress=progress)

    def add_vectors(
        self,
        vectors: Iterable[GivenVectors],
        texts: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Metadata | None] | None = None,
        token_ids: Iterable[npt.ArrayLike] | None = None,
        progress: ProgressLike = None,
    ) -> list[str]:
        """Add passages with vectors that were made elsewhere, in one commit.

        They must come from the index's model, which nobody can check; they are stored as they
        are. Passages with the same ids are replaced. As nobody knows which characters a vector
        stands for, hits on these passages have no evidence.

        Args:
            vectors: a matrix ``(n, dim)`` of floats a text; an iterator need not hold more than one
                of them. An entry may also be the list of a long text's windows.
            texts: the passages.
            ids: see :meth:`add`.
            metadata: see :meth:`add`.
            token_ids: ``(n,)`` vocabulary ids a text; -1 for all when left out.
            progress: see :meth:`add`.

        Returns:
            The ids, in the order of the texts.

        Raises:
            InputError: see :meth:`add`; or vectors of another width, with NaN or infinity, of no
                row, or not one entry a text. Nothing was changed.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.

        Example:
            >>> matrices = (np.load(f"{name}.npy") for name in ("reset", "library"))
            >>> retriever.add_vectors(matrices, texts, ids=["reset", "library"])  # doctest: +SKIP
            ['reset', 'library']
        """
        passages = check_passages(texts, ids, metadata)
        dim = int(self._store.settings["dim"])
        windows = given_windows(vectors, passages, dim, token_ids)
        if not passages:
            list(windows)  # vectors without a text are a mistake all the same
            return []
        with reporting(progress, len(passages), "storing") as report:
            try:
                self._store.upsert(passages, _reported(windows, len(passages), report))
            except StaleSnapshotError:  # what an iterator gave cannot be asked for again
                raise IndexLockedError(
                    f"{self._store.folder} got two new codebooks while these passages were written."
                    " Nothing was changed: try again."
                ) from None
        tidy(self._store)
        return [passage.id for passage in passages]

    def import_dump(
        self,
        path: str | os.PathLike[str],
        passages: Sequence[Passage] | None = None,
        *,
        progress: ProgressLike = None,
    ) -> list[str]:
        """Add what :meth:`export` or another tool wrote to files, in one commit.

        Known are our own exports, ``.npz`` and ``.safetensors`` files with a matrix a passage, flat
        ``.npy`` files with the passages' lengths beside them, and indexes of fast-plaid and PyLate
        (decoded, so with the loss of their compression). See :meth:`add_vectors`.

        Args:
            path: a file or a folder.
            passages: the texts, ids and metadata, unless the dump brings them. Where it knows no
                ids, in its order: for fast-plaid and PyLate that in which they were added.
            progress: see :meth:`add`.

        Returns:
            The ids.

        Raises:
            InputError: the dump cannot be read, or does not fit this index or the texts. Nothing
                was changed.
            IndexLockedError: another writer held the index for too long; nothing was changed.
            StorageFullError: the disk is full; nothing was changed.
        """
        dump = open_dump(Path(path))
        matched = dump.match(passages)
        return self.add_vectors(
            dump.vectors(),
            [passage.text for passage in matched],
            ids=[passage.id for passage in matched],
            metadata=[passage.metadata for passage in matched],
            progress=progress,
        )

    def _rows(self, ids: Sequence[str], generation: int) -> list[int]:
        rows = self._store.catalog.rows_by_id(ids, generation)
        missing = [id for id in ids if id not in rows]
        if missing:
            named = ", ".join(map(repr, missing[:_NAMED]))
            more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
            raise PassageNotFoundError(f"no passage has the id {named}{more}.")
        return [rows[id] for id in ids]

    def _read(self, rows: Sequence[int]) -> Iterator[Passage]:
        for start in range(0, len(rows), _READ_AT_ONCE):
            part = rows[start : start + _READ_AT_ONCE]
            found = self._store.catalog.passages(part)
            yield from (found[row] for row in part if row in found)


def _reported(
    windows: Iterable[tuple[int, Window]], passages: int, report: Callable[[int], None]
) -> Iterator[tuple[int, Window]]:
    """Report every passage once its windows are done."""
    done = 0
    for place, window in windows:
        report(place - done)
        done = place
        yield place, window
    report(passages - done)
