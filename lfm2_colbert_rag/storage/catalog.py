"""The catalog: one SQLite file that says what an index contains.

SQL is spoken here, and in ``schema`` (tables, rows that describe files), ``rows``, ``filter_sql``
(filters and their indexes), ``posting_sql`` and ``posting_lists`` (the lexical index), over what
``connections`` lends; nowhere else.

A *generation* is a number that grows by one with every commit. Rows of passages and segments
carry the generation in which they were born and, once replaced or deleted, the one in which they
died. Whoever reads "as of generation g" therefore sees one whole commit, however many statements
that takes and whatever is written meanwhile, and needs no long transaction.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import IndexCorruptError, IndexFormatError, IndexNotFoundError
from ..filters import Filter
from ..filters import Path as FieldPath
from ..index.compressed.codebook import CodebookInfo
from ..index.lexical.analyser import VERSION as ANALYSER_VERSION
from ..index.segment import SegmentInfo
from ..types import Passage
from .commits import Changes, Commit, Counts, Head
from .connections import Connections
from .filter_sql import (
    create_index,
    define_functions,
    drop_index,
    index_passages,
    indexed_fields,
    prune_indexes,
    to_sql,
)
from .folder import IndexFolder
from .layout import CATALOG
from .posting_lists import PostingLists
from .posting_sql import LexicalState, add_commit, read_state, write_state
from .row_cache import RowCache
from .rows import insert_rows
from .schema import (
    ALIVE,
    APPLICATION_ID,
    FORMAT_VERSION,
    NEWEST,
    SCHEMA,
    codebook_names,
    codebooks,
    dead_rows,
    drop_codebooks,
    drop_segments,
    insert_codebook,
    insert_segment,
    last_row,
    live_segments,
    newest_generation,
    read_settings,
    resize_passages,
    write_settings,
)
from .settings import IndexSettings
from .sqlite_errors import WRITING, sqlite_errors, translated

FILE_NAME = CATALOG


class Catalog:
    """Access to the catalog of one index folder; safe to use from several threads.

    Args:
        path: the SQLite file; it must exist.
        folder: the folder that it lies in; found by the path when None.
        durable: wait for the disk at every commit.
        read_only: see :class:`~.connections.Connections`.

    Raises:
        IndexNotFoundError: the file is missing, or is not a catalog.
        IndexFormatError: it was written in another version of the format, or its posting lists by
            another version of the analyser.

    Attributes:
        postings: the posting lists.
    """

    def __init__(
        self,
        path: Path,
        *,
        folder: IndexFolder | None = None,
        durable: bool = True,
        read_only: bool = False,
    ) -> None:
        if not path.is_file():
            raise IndexNotFoundError(f"{path.parent} holds no index: {path.name} is missing.")
        self._connections = Connections(
            path, folder=folder, durable=durable, prepare=define_functions, read_only=read_only
        )
        self.postings = PostingLists(self._connections)
        self._rows = RowCache()
        self._check_format()

    @classmethod
    def create(
        cls,
        path: Path,
        settings: Mapping[str, Any],
        *,
        lexical: bool = True,
        durable: bool = True,
    ) -> Catalog:
        """Make an empty catalog of generation 0.

        The file appears under its name only when it is complete.

        Args:
            path: the file.
            settings: see :meth:`~.settings.IndexSettings.to_json`.
            lexical: whether posting lists are kept.
            durable: wait for the disk at every commit.
        """
        temporary = path.with_name(f".tmp-{os.getpid()}-{path.name}")
        temporary.unlink(missing_ok=True)
        with sqlite_errors(temporary):
            cls._write_new(temporary, settings, lexical=lexical)
        temporary.replace(path)
        return cls(path, durable=durable)

    @staticmethod
    def _write_new(path: Path, settings: Mapping[str, Any], *, lexical: bool) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            connection.executescript(SCHEMA)
            connection.execute("PRAGMA journal_mode = WAL")
            write_settings(connection, settings)
            write_state(connection, LexicalState() if lexical else None)
            connection.execute("INSERT INTO generations VALUES (0, ?, 0, 0)", (_now(),))
        finally:
            connection.close()

    def close(self) -> None:
        """Close the file; whoever asks later gets a RetrieverClosedError."""
        self._connections.close()

    @property
    def read_only(self) -> bool:
        """Whether writes are refused."""
        return self._connections.read_only

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._connections.closed

    def require_open(self) -> None:
        """Refuse what comes after :meth:`close`.

        Raises:
            RetrieverClosedError: the catalog was closed.
        """
        self._connections.require_open()

    def require_writable(self) -> None:
        """Refuse what would write.

        Raises:
            ReadOnlyError: the index may only be read.
        """
        self._connections.require_writable()

    def head(self) -> Head:
        """Return what whoever is about to write must know."""
        with self._connections.reading_one_state() as connection:
            return Head(
                newest_generation(connection),
                last_row(connection) + 1,
                codebook_names(connection),
                IndexSettings.from_json(read_settings(connection)),
            )

    def generation(self) -> int:
        """Return the newest generation."""
        return int(self._connections.fetch(NEWEST)[0][0])

    def counts(self, generation: int) -> Counts:
        """Count what one generation contains."""
        query = f"""
            SELECT (SELECT count(*) FROM passages WHERE {ALIVE}),
                   (SELECT total(windows) FROM passages WHERE {ALIVE}),
                   (SELECT total(tokens) FROM passages WHERE {ALIVE}),
                   (SELECT total(passages) FROM segments WHERE {ALIVE}),
                   (SELECT count(*) FROM segments WHERE {ALIVE})"""
        with self._connections.reading() as connection:
            live, windows, vectors, held, segments = connection.execute(
                query, {"generation": generation}
            ).fetchone()
        return Counts(live, int(windows), int(held) - live, int(vectors), segments)

    def changes_since(self, generation: int) -> Changes:
        """Return the newest generation's settings and segments, and which rows are dead."""
        with self._connections.reading_one_state() as connection:
            newest = newest_generation(connection)
            return Changes(
                newest,
                live_segments(connection, newest),
                codebooks(connection),
                np.array(dead_rows(connection, generation, newest), dtype=np.int64),
                IndexSettings.from_json(read_settings(connection)),
            )

    def segment_names(self) -> set[str]:
        """Return the names of all segments that any generation refers to."""
        with self._connections.reading() as connection:
            return {name for (name,) in connection.execute("SELECT name FROM segments")}

    def codebooks(self) -> tuple[CodebookInfo, ...]:
        """Return all codebooks, the newest last."""
        with self._connections.reading() as connection:
            return codebooks(connection)

    def forget(self, held: npt.NDArray[np.int64], seconds: float) -> int:
        """Drop what is left of passages that died long ago and that no segment holds.

        Args:
            held: ascending rows that segments hold.
            seconds: how long ago they must have died; readers may still be at work in older
                generations.

        Returns:
            How many were dropped.
        """
        limit = datetime.fromtimestamp(time.time() - seconds, UTC)
        with self._connections.writing() as connection:
            dead = connection.execute(
                "SELECT row FROM passages WHERE died <= "
                "(SELECT max(generation) FROM generations WHERE created <= ?)",
                (limit.isoformat(timespec="seconds"),),
            )
            gone = np.setdiff1d(np.fromiter((row for (row,) in dead), np.int64), held)
            connection.execute(
                "DELETE FROM passages WHERE row IN (SELECT value FROM json_each(?))",
                (json.dumps(gone.tolist()),),
            )
            prune_indexes(connection)
        if len(gone):
            self.postings.prune()
        return len(gone)

    def changed_since(self, generation: int) -> int:
        """Count the passages that were added and removed after a generation."""
        with self._connections.reading() as connection:
            row = connection.execute(
                "SELECT total(added) + total(removed) FROM generations WHERE generation > ?",
                (generation,),
            ).fetchone()
        return int(row[0])

    def measurement(self, key: str) -> Any:
        """Return what was measured on this index, None if nothing was."""
        with self._connections.reading() as connection:
            row = connection.execute(
                "SELECT value FROM measurements WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def remember(self, key: str, value: Any) -> None:
        """Keep a measurement; no generation is made."""
        with self._connections.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO measurements VALUES (?, ?)", (key, json.dumps(value))
            )

    def select(self, where: Filter, generation: int) -> npt.NDArray[np.int64]:
        """Return the ascending live rows whose metadata match a filter; asked again, at once."""
        # By its repr: 1, 1.0 and True are equal and mean three different things.
        return self._rows.get((repr(where), generation), lambda: self._select(where, generation))

    def create_filter_index(self, path: FieldPath) -> None:
        """Index a field of the metadata, so that filters on it need not read all passages.

        Raises:
            StorageFullError: the disk is full; nothing was changed.
        """
        with self._connections.writing() as connection:
            create_index(connection, path)

    def drop_filter_index(self, path: FieldPath) -> None:
        """Forget the index of a field."""
        with self._connections.writing() as connection:
            drop_index(connection, path)

    def filter_indexes(self) -> list[FieldPath]:
        """Return the indexed fields."""
        with self._connections.reading_one_state() as connection:
            return list(indexed_fields(connection))

    def rows_by_id(self, ids: Sequence[str], generation: int) -> dict[str, int]:
        """Return the live row of each id that has one."""
        return dict(
            self._connections.fetch(
                f"SELECT id, row FROM passages WHERE {ALIVE} "
                "AND id IN (SELECT value FROM json_each(:ids))",
                {"generation": generation, "ids": json.dumps(list(ids))},
            )
        )

    def passages(self, rows: Sequence[int]) -> dict[int, Passage]:
        """Return passages by row number, live or dead."""
        found = self._connections.fetch(
            "SELECT row, id, text, metadata FROM passages "
            "WHERE row IN (SELECT value FROM json_each(?))",
            (json.dumps([int(row) for row in rows]),),
        )
        return {row: Passage(id, text, json.loads(metadata)) for row, id, text, metadata in found}

    def commit(self, commit: Commit) -> None:
        """Apply a commit in one transaction: all of it or nothing.

        Raises:
            StorageFullError: the disk is full.
        """
        now, rows = _now(), [one.row for one in commit.passages]
        with self._connections.writing() as connection:
            # Rows that die must do so first: at no moment may two live rows share an id.
            connection.execute(
                "UPDATE passages SET died = ? WHERE died IS NULL "
                "AND row IN (SELECT value FROM json_each(?))",
                (commit.generation, json.dumps([int(row) for row in commit.removed])),
            )
            _insert_passages(connection, commit)
            add_commit(connection, rows, commit.postings)
            resize_passages(connection, commit.resized)
            drop_segments(connection, commit.retired)
            if commit.segment is not None:
                insert_segment(connection, commit.segment, commit.generation)
            if commit.codebook is not None:
                insert_codebook(connection, commit.codebook, commit.generation)
            drop_codebooks(connection)
            write_settings(connection, commit.settings)
            connection.execute(
                "INSERT INTO generations VALUES (?, ?, ?, ?)",
                (commit.generation, now, len(rows), len(commit.removed)),
            )

    def passage_sizes(self, generation: int) -> npt.NDArray[np.int64]:
        """Return ``(n, 4)`` int64: row, windows, vectors and characters of each live passage."""
        with self._connections.reading() as connection:
            found = connection.execute(
                f"SELECT row, windows, tokens, text FROM passages WHERE {ALIVE} ORDER BY row",
                {"generation": generation},
            )
            # Not SQL's length(), which stops at a NUL.
            sizes = ((row, windows, tokens, len(text)) for row, windows, tokens, text in found)
            return np.fromiter(sizes, dtype=np.dtype((np.int64, 4)))

    def copy_to(self, path: Path) -> tuple[tuple[SegmentInfo, ...], tuple[CodebookInfo, ...]]:
        """Write a consistent copy of the catalog, while others read and write this one.

        Returns:
            The live segments and the codebooks of the generation that was copied.
        """
        path.unlink(missing_ok=True)
        target = sqlite3.connect(path)
        try:
            with self._connections.reading() as connection:
                _copy(connection, target, path)
            target.execute("PRAGMA journal_mode = DELETE")
            return live_segments(target, newest_generation(target)), codebooks(target)
        finally:
            target.close()

    def check(self) -> list[str]:
        """Let SQLite check its own file; returns one sentence a problem."""
        try:
            with self._connections.reading() as connection:
                found = [text for (text,) in connection.execute("PRAGMA integrity_check")]
        except IndexCorruptError as error:
            found = [str(error)]
        return [] if found == ["ok"] else [f"{self._connections.path}: {text}" for text in found]

    def _select(self, where: Filter, generation: int) -> npt.NDArray[np.int64]:
        parameters: dict[str, Any] = {"generation": generation}
        with self._connections.reading_one_state() as connection:
            condition = to_sql(where, parameters, indexed_fields(connection))
            rows = connection.execute(
                f"SELECT row FROM passages WHERE {ALIVE} AND {condition} ORDER BY row",
                parameters,
            )
            return np.fromiter((row for (row,) in rows), dtype=np.int64)

    def _check_format(self) -> None:
        """Refuse what is no catalog, or one that another version of the library wrote."""
        path = self._connections.path
        try:
            with self._connections.reading() as connection:
                application = connection.execute("PRAGMA application_id").fetchone()[0]
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                ours = application == APPLICATION_ID and version == FORMAT_VERSION
                lexical = read_state(connection) if ours else None
        except IndexCorruptError as error:
            raise IndexCorruptError(f"{path} cannot be read as a catalog: {error}") from error
        if application != APPLICATION_ID:
            raise IndexNotFoundError(f"{path} is not a catalog of this library.")
        analyser = ANALYSER_VERSION if lexical is None else lexical.analyser
        if (version, analyser) != (FORMAT_VERSION, ANALYSER_VERSION):
            found = f"in format {version}" + (f" with analyser {analyser}" if lexical else "")
            raise IndexFormatError(
                f"{path.parent} is {found}; this version of the library reads format "
                f"{FORMAT_VERSION} with analyser {ANALYSER_VERSION}. Use the version that wrote "
                "it, or index the texts again in a new folder."
            )


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, path: Path) -> None:
    """Copy a database; what only writing can meet is said of the target's path."""
    try:
        source.backup(target)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in WRITING:
            raise translated(error, path) from error
        raise


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _insert_passages(connection: sqlite3.Connection, commit: Commit) -> None:
    rows = [
        (
            stored.row,
            stored.passage.id,
            stored.passage.text,
            json.dumps(stored.passage.metadata, ensure_ascii=False, allow_nan=False),
            stored.windows,
            stored.tokens,
            commit.generation,
            None,
        )
        for stored in commit.passages
    ]
    insert_rows(connection, "INSERT INTO passages", rows)
    if rows:
        index_passages(connection, rows[0][0])
