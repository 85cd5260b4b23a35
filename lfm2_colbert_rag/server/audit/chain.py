"""Appends lines to the files of an audit log, each one's hash in the next."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..._support.disk import sync_folder
from .files import Tail, day_of, name_of, open_to_append, read_tail
from .records import hash_of, make_line, moment

logger = logging.getLogger(__name__)

Members = Mapping[str, Any]


class Chain:
    """The end of a log, to which lines are added; for one thread at a time.

    What a write left undone is taken back before the next one, so that every line in the files is
    whole, and follows the one before it. A clock that is set back keeps the newest file open until
    it has caught up.

    Args:
        folder: of the log; nobody else appends to it.
        clock: what time it is, in seconds since 1970.

    Raises:
        AuditUnavailableError: its last line is none of an audit log.
        OSError: it cannot be read or written.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        tail = read_tail(folder)
        self._name, self._seq, self._hash, self._size = tail.file, tail.seq, tail.hash, tail.size
        self._undone = bool(tail.torn)
        self._handle: int | None = None
        if self._name is not None:
            self._handle = open_to_append(folder / self._name)
        self.append([*_repaired(tail), {"mark": "start"}])

    def append(self, records: Iterable[Members]) -> None:
        """Add lines, all of them or none.

        Raises:
            OSError: the system takes no more.
        """
        now = self._clock()
        handle = self._at(now)
        first = [{"mark": "file", "file": self._name}] if self._size == 0 else []
        seq, prev, lines = self._seq, self._hash, []
        for members in (*first, *records):
            seq += 1
            when = {} if "ts" in members else {"ts": moment(now)}
            lines.append(make_line(seq, prev, {**when, **members}))
            prev = hash_of(lines[-1])
        data = b"".join(lines)
        self._undone = True  # until all is written
        try:
            _write(handle, data)
        except OSError:
            with suppress(OSError):  # else before the next line
                self._take_back(handle)
            raise
        self._undone = False
        self._seq, self._hash, self._size = seq, prev, self._size + len(data)

    def sync(self) -> Callable[[], None]:
        """Return what flushes all lines until now to the disk, and may wait for it outside locks.

        Raises:
            OSError: too many files are open.
        """
        handle = os.dup(self._open_handle())

        def flush() -> None:
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

        return flush

    def close(self) -> None:
        """Let go of the file."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def _at(self, now: float) -> int:
        """Return the file that a line of this moment belongs to, ready to take it."""
        name = name_of(day_of(now))
        if self._name is None or name > self._name:
            self._turn_to(name)
        elif os.fstat(self._open_handle()).st_nlink == 0:
            logger.warning("%s was removed while it was written.", self._folder / self._name)
            self._turn_to(self._name)
        handle = self._open_handle()
        if self._undone:
            self._take_back(handle)
        return handle

    def _turn_to(self, name: str) -> None:
        if self._handle is not None and self._undone:
            self._take_back(self._handle)
        handle = open_to_append(self._folder / name)
        try:
            sync_folder(self._folder)
        except OSError:
            os.close(handle)
            raise
        if self._name not in (None, name) and not self._size:
            (self._folder / str(self._name)).unlink(missing_ok=True)  # nothing was ever written
        self.close()
        self._handle, self._name, self._size = handle, name, 0

    def _take_back(self, handle: int) -> None:
        os.ftruncate(handle, self._size)
        self._undone = False

    def _open_handle(self) -> int:
        if self._handle is None:
            raise ValueError("the chain is closed")
        return self._handle


def _repaired(tail: Tail) -> list[Members]:
    """Say what was taken away of a line that a killed server had begun."""
    if not tail.torn:
        return []
    digest = hashlib.sha256(tail.torn).hexdigest()
    return [{"mark": "repaired", "torn_bytes": len(tail.torn), "torn_sha256": digest}]


def _write(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]
