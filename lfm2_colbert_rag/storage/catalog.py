"""The catalog: one SQLite file that says what an index contains.

SQL is spoken here, and in ``schema`` (tables, settings), ``folder_rows`` (segments and codebooks),
``passage_rows``, ``rows``, ``live_rows``, ``filter_sql`` and ``matching`` (filters and their
indexes), ``posting_sql`` and ``posting_lists`` (the lexical index), and ``inspection``, over what
``connections`` lends; nowhere else.

A *generation* is a number that grows by one with every commit. Rows of passages and segments
carry the generation in which they were born and, once replaced or deleted, the one in which they
died. Whoever reads "as of generation g" therefore sees one whole commit, however many statements
that takes and whatever is written meanwhile, and needs no long transaction.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .._support.disk import sync_file
from ..errors import IndexFormatError, IndexNotFoundError
from ..filters import Filter
from ..filters import Path as FieldPath
from ..index.compressed.codebook import CodebookInfo
from ..index.lexical.analyser import VERSION as ANALYSER_VERSION
from ..index.segment import SegmentInfo
from ..types import Passage
from .adapters import named_adapters
from .careful import be_careful
from .checksums import row_sum
from .commits import Changes, Commit, Contents, Counts, Head
from .connections import Connections
from .filter_sql import (
    create_index,
    define_functions,
    drop_index,
    index_passages,
    indexed_fields,
)
from .folder import IndexFolder
from .folder_rows import (
    codebook_names,
    codebooks,
    dead_rows,
    drop_codebooks,
    drop_segments,
    every_segment,
    insert_codebook,
    insert_segment,
    live_segments,
    segment_names,
)
from .forgetting import Forgetting
from .inspection import check_opened, inspect
from .layout import CATALOG, require_catalog
from .live_rows import LiveRows, live_rows
from .matching import Matched, matching_rows
from .passage_rows import (
    bury_passages,
    insert_passages,
    passage_ids,
    passage_names,
    passage_sizes,
    read_passages,
    resize_passages,
    rows_of_texts,
)
from .posting_lists import PostingLists
from .posting_sql import LexicalState, add_commit, read_state, write_state
from .row_cache import RowCache
from .row_languages import RowLanguages, read_languages
from .schema import (
    ALIVE,
    APPLICATION_ID,
    FORMAT_VERSION,
    NEWEST,
    SCHEMA,
    last_row,
    newest_generation,
    stored_value,
    write_settings,
    write_values,
)
from .settings import IndexSettings
from .spaces import (
    change_space,
    drop_space,
    insert_space,
    missing_rows,
    other_spaces,
    resize_in,
    served_settings,
    settings_of,
    sizes_in,
    switch_space,
)
from .sqlite_errors import WRITING, damaged, sqlite_errors, translated

FILE_NAME = CATALOG


class Catalog:
    """Access to the catalog of one index folder; safe to use from several threads.

    Args:
        path: the SQLite file; it must exist.
        folder: the folder that it lies in; found by the path when None.
        durable: wait for the disk at every commit.
        read_only: see :class:`~.connections.Connections`.
        inspected: whether whoever opens it calls :meth:`check`, so that damage need not be found
            here.
        space: the space of vectors that is read and written; None for the one that serves, which
            may be another at the next moment.

    Raises:
        IndexNotFoundError: the file is missing, or is not a catalog.
        IndexCorruptError: it is damaged, as far as can be seen at once; see :mod:`~.inspection`.
        IndexFormatError: it was written in another version of the format, or its posting lists by
            another version of the analyser.

    Attributes:
        postings: the posting lists.
        forgetting: drops what is left of dead passages.
    """

    def __init__(
        self,
        path: Path,
        *,
        folder: IndexFolder | None = None,
        durable: bool = True,
        read_only: bool = False,
        inspected: bool = False,
        space: str | None = None,
    ) -> None:
        self._space = space
        if folder is None and not path.is_file():  # else it was there a moment ago
            raise IndexNotFoundError(f"{path.parent} holds no index: {path.name} is missing.")
        require_catalog(path)
        self._connections = Connections(
            path, folder=folder, durable=durable, prepare=define_functions, read_only=read_only
        )
        self.postings = PostingLists(self._connections)
        self.forgetting = Forgetting(self._connections, self.postings)
        self._rows = RowCache()
        self._live: LiveRows | None = None
        self._languages = RowLanguages.none()
        try:
            self._check_format(inspected)
        except BaseException:
            self._connections.close()
            raise

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
        if durable:
            sync_file(temporary)
        temporary.replace(path)
        return cls(path, durable=durable)

    @staticmethod
    def _write_new(path: Path, settings: Mapping[str, Any], *, lexical: bool) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            be_careful(connection)
            # Nobody sees the file before it is whole: to wait for the disk once is enough.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            connection.executescript(f"BEGIN; {SCHEMA}")
            write_settings(connection, settings)
            write_state(connection, LexicalState() if lexical else None)
            _insert_generation(connection, 0, _now(), 0, 0)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
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

    def within(self, space: str) -> Catalog:
        """Return the same catalog as one space sees it; it is closed when this one is."""
        found = copy(self)
        found._space = space
        return found

    def head(self) -> Head:
        """Return what whoever is about to write must know."""
        with self._connections.reading_one_state() as connection:
            settings = settings_of(connection, self._space)
            return Head(
                newest_generation(connection),
                last_row(connection) + 1,
                codebook_names(connection, settings.space),
                settings,
            )

    def other_spaces(self) -> dict[str, IndexSettings]:
        """Return the settings of the spaces that do not serve, by name, the oldest first."""
        with self._connections.reading_one_state() as connection:
            return other_spaces(connection)

    def spaces(self) -> dict[str, IndexSettings]:
        """Return the settings of all spaces by name, that of the one that serves first."""
        with self._connections.reading_one_state() as connection:
            serving = served_settings(connection)
            return {serving.space: serving, **other_spaces(connection)}

    def missing_rows(self, space: str) -> npt.NDArray[np.int64]:
        """Return the ascending live rows that have no vectors in a space.

        Raises:
            ConfigError: there is no such space.
        """
        with self._connections.reading_one_state() as connection:
            if settings_of(connection, space).space == served_settings(connection).space:
                return np.empty(0, dtype=np.int64)
            return missing_rows(connection, space)

    def generation(self) -> int:
        """Return the newest generation."""
        return int(self._connections.fetch(NEWEST)[0][0])

    def counts(self, generation: int) -> Counts:
        """Count what one generation contains."""
        query = f"""
            SELECT (SELECT count(*) FROM passages WHERE {ALIVE}),
                   (SELECT total(windows) FROM passages WHERE {ALIVE}),
                   (SELECT total(tokens) FROM passages WHERE {ALIVE}),
                   (SELECT total(passages) FROM segments WHERE {ALIVE} AND space = :space),
                   (SELECT count(*) FROM segments WHERE {ALIVE} AND space = :space)"""
        with self._connections.reading_one_state() as connection:
            space = served_settings(connection).space
            live, windows, vectors, held, segments = connection.execute(
                query, {"generation": generation, "space": space}
            ).fetchone()
        return Counts(live, int(windows), int(held) - live, int(vectors), segments)

    def changes_since(self, generation: int, space: str | None = None) -> Changes:
        """Return the newest generation's settings and segments, and which rows are dead.

        Args:
            generation: where the reader is.
            space: the space of which he knows segments; where another serves by now, he is told
                all dead rows. None where he knows none.
        """
        with self._connections.reading_one_state() as connection:
            newest = newest_generation(connection)
            settings = settings_of(connection, self._space)
            since = generation if settings.space == space else -1
            dead = dead_rows(connection, since, newest, settings.space)
            return Changes(
                newest,
                live_segments(connection, newest, settings.space),
                codebooks(connection, settings.space),
                np.array(dead, dtype=np.int64),
                settings,
            )

    def segment_names(self) -> set[str]:
        """Return the names of all segments that any generation refers to, in any space."""
        with self._connections.reading() as connection:
            return segment_names(connection)

    def own_segment_names(self) -> set[str]:
        """Return the names of those in the space that is read and written."""
        with self._connections.reading_one_state() as connection:
            return segment_names(connection, settings_of(connection, self._space).space)

    def codebooks(self) -> tuple[CodebookInfo, ...]:
        """Return all codebooks of all spaces, the newest last."""
        with self._connections.reading() as connection:
            return codebooks(connection)

    def contents(self) -> Contents:
        """Return what lies in files of their own, of all generations."""
        with self._connections.reading_one_state() as connection:
            return _contents(connection, every_segment(connection))

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
                "SELECT key, value, checksum FROM measurements WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else stored_value("measurement", *row)

    def remember(self, key: str, value: Any) -> None:
        """Keep a measurement; no generation is made."""
        with self._connections.writing() as connection:
            write_values(connection, "measurements", {key: value})

    def select(self, where: Filter, generation: int) -> npt.NDArray[np.int64]:
        """Return the ascending live rows whose metadata match a filter; asked again, at once.

        They are read-only: the same array for all who ask the same of a generation.
        """
        # By its repr: 1, 1.0 and True are equal and mean three different things.
        digest = hashlib.blake2b(repr(where).encode()).digest()
        found = self._rows.get(
            digest, generation, lambda known: self._select(where, generation, known)
        )
        return found.rows

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

    def rows_by_text(self, texts: Sequence[str], generation: int) -> list[tuple[str, int]]:
        """Return the live rows that have one of some texts, each behind its text, ascending."""
        with self._connections.reading() as connection:
            return rows_of_texts(connection, texts, generation)

    def passages(self, rows: Sequence[int]) -> dict[int, Passage]:
        """Return passages by row number, live or dead.

        Raises:
            IndexCorruptError: one is damaged; the message names it.
        """
        with self._connections.reading() as connection:
            return read_passages(connection, rows)

    def languages(self) -> RowLanguages:
        """Return the languages of all rows that were ever committed and not forgotten."""
        with self._connections.reading() as connection:
            found = read_languages(connection, self._languages)
        if len(found.rows) > len(self._languages.rows):
            self._languages = found  # at once, so that no lock is needed
        return found

    def ids(self, rows: Sequence[int]) -> dict[int, str]:
        """Return the ids of rows."""
        with self._connections.reading() as connection:
            return passage_ids(connection, rows)

    def passage_names(self, rows: Sequence[int]) -> dict[int, str]:
        """Return the ids of rows as they are to be shown, even of damaged passages."""
        with self._connections.reading() as connection:
            return passage_names(connection, rows)

    def commit(self, commit: Commit) -> None:
        """Apply a commit in one transaction: all of it or nothing.

        Raises:
            StorageFullError: the disk is full.
        """
        now, rows = _now(), [one.row for one in commit.passages]
        with self._connections.writing() as connection:
            # Rows that die must do so first: at no moment may two live rows share an id.
            bury_passages(connection, commit.removed, commit.generation)
            insert_passages(connection, commit.passages, commit.generation)
            if rows:
                index_passages(connection, rows[0])
            add_commit(connection, rows, commit.postings)
            self._change_vectors(connection, commit)
            self._change_spaces(connection, commit)
            drop_codebooks(connection)
            write_values(connection, "measurements", commit.measured)
            _insert_generation(connection, commit.generation, now, len(rows), len(commit.removed))

    def _change_vectors(self, connection: sqlite3.Connection, commit: Commit) -> None:
        """Apply what a commit changes of segments, codebooks and settings of a space."""
        serving = served_settings(connection).space
        space = serving if self._space is None else self._space
        drop_segments(connection, commit.retired)
        if commit.segment is not None:
            insert_segment(connection, commit.segment, commit.generation, space)
        if commit.codebook is not None:
            insert_codebook(connection, commit.codebook, commit.generation, space)
        if space == serving:
            resize_passages(connection, commit.resized)
            write_settings(connection, commit.settings)
        else:
            resize_in(connection, space, commit.resized)
            change_space(connection, space, commit.settings)

    @staticmethod
    def _change_spaces(connection: sqlite3.Connection, commit: Commit) -> None:
        new, serving = commit.new_space, commit.serving
        if new is not None:
            insert_space(connection, new.space, new.to_json(), commit.generation)
        if serving is not None and serving != served_settings(connection).space:
            switch_space(connection, serving, commit.generation)
        if commit.dropped_space is not None:
            drop_space(connection, commit.dropped_space)

    def passage_sizes(self, generation: int) -> npt.NDArray[np.int64]:
        """Return ``(n, 4)`` int64: row, windows, vectors and characters of each live passage.

        Of a space that does not serve, only those that have vectors there.
        """
        with self._connections.reading_one_state() as connection:
            serving = served_settings(connection).space
            if self._space in (None, serving):
                return passage_sizes(connection, generation)
            return sizes_in(connection, str(self._space), generation)

    def copy_to(self, path: Path) -> Contents:
        """Write a consistent copy of the catalog, while others read and write this one.

        Returns:
            What of the generation that was copied lies in files of their own.
        """
        path.unlink(missing_ok=True)
        target = sqlite3.connect(path)
        try:
            be_careful(target)
            with self._connections.reading() as connection:
                _copy(connection, target, path)
            self._settle(target, path)
            return _contents(target, live_segments(target, newest_generation(target)))
        finally:
            target.close()

    def _settle(self, copy: sqlite3.Connection, path: Path) -> None:
        """Make one file of a fresh copy, without a log beside it."""
        try:
            copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
                # The copy is ours to write: its header forbids it, and that is the original's.
                raise damaged(self._connections.path, error) from error
            raise translated(error, path) from error

    def check(self) -> list[str]:
        """Look at every row, and let SQLite check its own file; returns one sentence a problem."""
        path = self._connections.path
        with self._connections.reading_one_state() as connection:
            return [f"{path}: {text}" for text in inspect(connection)]

    def _select(self, where: Filter, generation: int, known: Matched | None) -> Matched:
        with self._connections.reading_one_state() as connection:
            live = live_rows(connection, generation, self._live)
            if self._live is None or self._live.generation < generation:
                self._live = live  # at once, so that no lock is needed
            return matching_rows(connection, where, live, known)

    def _check_format(self, inspected: bool) -> None:
        """Refuse what is no catalog, is damaged, or was written by another version."""
        path = self._connections.path
        lexical = None
        with self._connections.reading_one_state() as connection:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if application == APPLICATION_ID and version == FORMAT_VERSION:
                lexical = read_state(connection)
                if not inspected:
                    check_opened(connection)
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


def _contents(connection: sqlite3.Connection, segments: Sequence[SegmentInfo]) -> Contents:
    named = named_adapters(served_settings(connection), other_spaces(connection))
    return Contents(segments, codebooks(connection), [info for info, _ in named])


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


def _insert_generation(connection: sqlite3.Connection, *row: int | str) -> None:
    connection.execute("INSERT INTO generations VALUES (?, ?, ?, ?, ?)", (*row, row_sum(*row)))
