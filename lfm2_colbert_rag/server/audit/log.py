"""The audit log of a server: what must be noted, and what happens when it cannot be."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Literal, TypeAlias

from ..._support.forking import renew_in_child
from ..._support.paths import PathLike, absolute_path
from ..._support.regular import IrregularFileError
from ...errors import AuditUnavailableError, ConfigError, ForkedProcessError, shown
from ...storage.file_lock import FileLock, try_lock
from .chain import Chain, Members
from .files import LOCK, make_folder
from .records import AuditRecord

logger = logging.getLogger(__name__)

What: TypeAlias = Literal["writes", "all", "off"]

_REFUSED = frozenset({401, 403, 429})
_MOST_WAITING = 100  # records that must be noted and could not be, kept for the next try
_PAUSE = 1.0  # seconds between two tries for records that need not be noted


class AuditLog:
    """Notes what is done in a folder of its own; safe to use from several threads.

    A record that is ``durable`` is on the disk when :meth:`append` returns. Where the disk takes no
    more, that raises, and :meth:`require` raises before anything else is done that must be noted;
    what could not be noted is kept, and written first once the disk takes lines again. Records that
    are not durable never raise: how many were lost stands in the log then.

    Args:
        folder: made if it is missing, for its owner alone. One server writes to it at a time.
        what: ``"writes"`` notes what is durable, and what was refused (401, 403, 429); ``"all"``
            notes every record; ``"off"`` none, and leaves the folder alone.
        clock: what time it is, in seconds since 1970.

    Raises:
        AuditUnavailableError: another server writes there, others may look into the folder, or it
            cannot be written.
        ConfigError: ``what`` is none of these.

    Example:
        >>> import tempfile
        >>> from lfm2_colbert_rag.server.audit.verifying import verify_log
        >>> record = AuditRecord(0.0, "d1f7", "passages.delete", 200, key_id="a2b3c4d5")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = AuditLog(f"{folder}/audit")
        ...     log.append(record, durable=True)
        ...     log.close()
        ...     verify_log(f"{folder}/audit").problems
        ()
    """

    def __init__(
        self,
        folder: PathLike,
        *,
        what: What = "writes",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if what not in ("writes", "all", "off"):
            raise ConfigError(f"what an audit log notes is writes, all or off, not {shown(what)}.")
        self.folder = absolute_path(folder)
        self._what = what
        self._pid = os.getpid()
        self._waiting: list[Members] = []
        self._lost = 0
        self._failed_at: float | None = None
        self.failures = 0
        self._writing = threading.Lock()
        renew_in_child(self)
        self._lock: FileLock | None = None
        self._chain: Chain | None = None
        if what != "off":
            self._open(clock)

    def renew_after_fork(self) -> None:
        """Make the lock anew; that nothing is noted in the child, :meth:`append` sees to."""
        self._writing = threading.Lock()

    def append(self, record: AuditRecord, durable: bool) -> None:
        """Note something.

        Args:
            record: what was done.
            durable: whether it must be on the disk when this returns.

        Raises:
            AuditUnavailableError: a durable record could not be noted, or the log was closed.
            ForkedProcessError: the log was opened before a fork.
        """
        if not self._notes(record, durable):
            return
        with self._writing:
            self._current()
            if not durable and self._rests():
                self._lost += 1
                return
        with nullcontext() if durable else suppress(AuditUnavailableError):
            self._note(record.members(), durable)

    def require(self) -> None:
        """Make sure that what must be noted can be; costs nothing unless something failed.

        Raises:
            AuditUnavailableError: the last record could not be noted, and still cannot.
            ForkedProcessError: the log was opened before a fork.
        """
        if self._what == "off":
            return
        with self._writing:
            self._current()
            if self._failed_at is None:
                return
        self._note(None, durable=True)

    @property
    def is_failing(self) -> bool:
        """Whether the last try to note something failed."""
        return self._failed_at is not None

    def close(self) -> None:
        """Note that the server stopped, and let another one write; again does nothing."""
        with self._writing:
            chain, self._chain = self._chain, None
            if chain is None or self._pid != os.getpid():
                return
            try:
                with suppress(OSError):
                    chain.append([*self._resumed(), {"mark": "stop"}])
                    chain.sync()()
            finally:
                chain.close()
                if self._lock is not None:
                    self._lock.release()

    def _open(self, clock: Callable[[], float]) -> None:
        try:
            make_folder(self.folder)
            self._lock = try_lock(self.folder / LOCK)
            if self._lock is None:
                raise AuditUnavailableError(
                    f"another server writes the audit log in {self.folder}; name another folder."
                )
            self._chain = Chain(self.folder, clock)
            self._chain.sync()()
        except BaseException as error:
            if self._lock is not None:
                self._lock.release()
            if isinstance(error, OSError) and not isinstance(error, AuditUnavailableError):
                raise self._unavailable(error) from error
            raise

    def _notes(self, record: AuditRecord, durable: bool) -> bool:
        if self._what == "writes":
            return durable or record.status in _REFUSED
        return self._what == "all"

    def _current(self) -> Chain:
        if self._pid != os.getpid():
            raise ForkedProcessError(
                f"the audit log in {self.folder} was opened before a fork; open it in one process "
                "only, after the fork."
            )
        if self._chain is None:
            raise AuditUnavailableError(f"the audit log in {self.folder} was closed.")
        return self._chain

    def _note(self, members: Members | None, durable: bool) -> None:
        with self._writing:
            must_flush = durable or self._failed_at is not None
            self._write(self._current(), members, durable)
        if must_flush:
            self._flush()

    def _write(self, chain: Chain, members: Members | None, durable: bool) -> None:
        """Write a line, after those that wait."""
        waiting, lost = len(self._waiting), self._lost
        lines = [*self._resumed(), *([] if members is None else [members])]
        try:
            chain.append(lines)
        except OSError as error:
            if members is not None:
                self._keep(members, durable)
            self._fail(error)
            raise self._unavailable(error) from error
        del self._waiting[:waiting]
        self._lost -= lost

    def _resumed(self) -> list[Members]:
        """Return what to write first: all that could not be written, and a line that says so."""
        if self._failed_at is None:
            return []
        return [*self._waiting, {"mark": "resumed", "lost": self._lost}]

    def _keep(self, members: Members, durable: bool) -> None:
        if durable and len(self._waiting) < _MOST_WAITING:
            self._waiting.append(members)
        else:
            self._lost += 1

    def _flush(self) -> None:
        """Flush what was written, while others write."""
        try:
            with self._writing:
                failed, flush = self._failed_at, self._current().sync()
            flush()
        except AuditUnavailableError:  # it was closed meanwhile
            raise
        except OSError as error:
            with self._writing:
                self._fail(error)
            raise self._unavailable(error) from error
        with self._writing:
            if self._failed_at == failed:  # else something failed meanwhile
                self._failed_at = None

    def _fail(self, error: OSError) -> None:
        self.failures += 1
        if self._failed_at is None:
            logger.error("the audit log in %s takes no lines: %s", self.folder, error.strerror)
        self._failed_at = time.monotonic()

    def _rests(self) -> bool:
        return self._failed_at is not None and time.monotonic() - self._failed_at < _PAUSE

    def _unavailable(self, error: OSError) -> AuditUnavailableError:
        reason = str(error) if isinstance(error, IrregularFileError) else error.strerror
        return AuditUnavailableError(
            f"the audit log in {self.folder} cannot be written ({reason}), and what must be noted "
            "is not done. Free some space there, or let this user write to it."
        )
