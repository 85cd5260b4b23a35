"""The file of keys: made and revoked by the command line, read by servers while it changes."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace

from ..._support.disk import scratches, sync_folder, write_whole
from ..._support.forking import renew_in_child
from ..._support.paths import PathLike, absolute_path
from ..._support.regular import IrregularFileError
from ...errors import InputError, KeyFileError, shown
from ...storage.file_lock import FileLock, Timeout, require_lockable
from ...types import Where
from .key_reading import read_keys
from .key_record import Key, check_name, stored
from .key_text import new_id, new_text, parse_text
from .rights import Rights, plain_filter

logger = logging.getLogger(__name__)

VERSION = 1
MOST_OF_A_NAME = 2
"""Live keys of one name: one in use, and the one that takes its place."""

_LOOK = 0.25  # seconds for which a look at the file is believed
_YOUNG = 1_000_000_000  # nanoseconds within which a file may change and look the same
_PATIENCE = 10.0  # seconds to wait for another process that changes the file

_Look = tuple[int, ...] | None


class KeyFile:
    """Keys in a file that only its owner may read; safe to use from several threads.

    A change, also by another process, is seen within a second. While the file cannot be read, or
    is not whole, the keys stay what they last were, and a warning is logged.

    Args:
        path: the file; the first :meth:`create` makes it.
        clock: what time it is, in seconds since 1970.
        ticks: seconds that only go forward.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     keys = KeyFile(f"{folder}/keys.json")
        ...     key, text = keys.create("chatbot", ["search"])
        ...     keys.find(key.id) == key, text.startswith(f"lcb_{key.id}_")
        (True, True)
    """

    def __init__(
        self,
        path: PathLike,
        *,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = absolute_path(path)
        self._clock = clock
        self._ticks = ticks
        self._known: Mapping[str, Key] | None = None
        self._seen: _Look = None
        self._settled = False
        self._looked = -float("inf")
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._reading = threading.Lock()

    def find(self, id: str) -> Key | None:
        """Return the key of an id, be it live or not; None if there is none.

        Raises:
            KeyFileError: the file cannot be used, and never could.
        """
        found = self._current().get(id)
        if found is None:  # it may have been made a moment ago, and is used at once
            with self._reading:
                found = self._look().get(id)
        return found

    def keys(self) -> list[Key]:
        """Return all keys as they are in the file now, the oldest first.

        Raises:
            KeyFileError: the file is missing, damaged, a link, or may be read by others.
        """
        return list(read_keys(self.path, self._known).values())

    def create(
        self,
        name: str,
        scopes: Iterable[str],
        indexes: Iterable[str] | None = None,
        tenant: str | None = None,
        where: Where | None = None,
        fields: Iterable[str] | None = None,
        rate: float | None = None,
        expires: float | None = None,
    ) -> tuple[Key, str]:
        """Make a key.

        Args:
            name: what it is called; two live keys may have one name.
            scopes: what it is for.
            indexes: the indexes that it may know of; all if left out.
            tenant: whose passages it sees.
            where: a filter that all it sees must match.
            fields: the keys of metadata that it sees; all if left out.
            rate: requests a second.
            expires: when it ends, in seconds since 1970.

        Returns:
            The key, and its text, which is kept nowhere.

        Raises:
            InputError: an argument cannot be used, or two live keys have the name.
            ConfigError: a tenant's or a field's name that cannot be one.
            FilterError: the filter is malformed.
            KeyFileError: the file cannot be read or written; nothing was changed.
        """
        rights = Rights.of(scopes, indexes, tenant, plain_filter(where), fields)
        now = self._clock()
        if isinstance(expires, int | float) and not expires > now:
            raise InputError("the key would have expired already; give a moment in the future.")
        with self._changing(new=True) as keys:
            self._require_free(check_name(name), keys, now)
            taken = {*keys, *(key.name for key in keys.values())}
            id = next(id for id in iter(new_id, None) if id not in taken)
            text = new_text(id)
            made = Key(id, name, rights, now, rate, expires, digest=parse_text(text).digest)
            keys[id] = made
        return made, text

    def revoke(self, id_or_name: str) -> list[Key]:
        """End a key, or all live keys of a name, at once and for ever.

        Args:
            id_or_name: an id of a key; else the name of some.

        Returns:
            The keys that were live until now.

        Raises:
            InputError: no live key is called so; nothing was changed.
            KeyFileError: the file cannot be read or written; nothing was changed.
        """
        now = self._clock()
        with self._changing(new=False) as keys:
            named = [key for key in keys.values() if key.name == id_or_name]
            wanted = [keys[id_or_name]] if id_or_name in keys else named
            live = [key for key in wanted if key.is_live(now)]
            if not live:
                raise InputError(
                    f"no live key has the id or the name {shown(id_or_name)}; "
                    "`lfm2-colbert keys list` shows all."
                )
            ended = [replace(key, revoked=now) for key in live]
            keys.update({key.id: key for key in ended})
        return ended

    def _require_free(self, name: str, keys: Mapping[str, Key], now: float) -> None:
        same = [key for key in keys.values() if key.name == name and key.is_live(now)]
        if len(same) >= MOST_OF_A_NAME:
            raise InputError(
                f"{MOST_OF_A_NAME} live keys are called {shown(name)}; revoke one first, such as "
                f"the older, {same[0].id}, or choose another name."
            )
        if name in keys:
            raise InputError(f"{shown(name)} is the id of a key; choose another name.")

    @contextmanager
    def _changing(self, *, new: bool) -> Iterator[dict[str, Key]]:
        """Give all keys to be changed, and write them once the block is done.

        Args:
            new: whether there need not be a file yet.
        """
        lock = FileLock(self.path.with_name(f"{self.path.name}.lock"))
        try:
            require_lockable(lock.path)
            lock.acquire(_PATIENCE)
        except Timeout:
            raise KeyFileError(
                f"{self.path} is being changed by another process; waited {_PATIENCE:g} s. "
                "Nothing was changed: try again."
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            is_new = new and not os.path.lexists(self.path)
            keys = {} if is_new else dict(read_keys(self.path, self._known))
            yield keys
            self._write(keys)
        finally:
            lock.release()

    def _write(self, keys: Mapping[str, Key]) -> None:
        rows = [stored(key) for key in keys.values()]
        content = json.dumps({"version": VERSION, "keys": rows}, ensure_ascii=False)
        try:
            for left in scratches(self.path):
                left.unlink(missing_ok=True)
            write_whole(self.path, content.encode(), private=True)
            sync_folder(self.path.parent)
        except OSError as error:
            raise self._unwritable(error) from error
        self._looked = -float("inf")

    def _unwritable(self, error: OSError) -> KeyFileError:
        reason = str(error) if isinstance(error, IrregularFileError) else error.strerror
        return KeyFileError(
            f"{self.path} cannot be written ({reason}); nothing was changed. Name a file in a "
            "folder that exists and that this user may write to."
        )

    def _current(self) -> Mapping[str, Key]:
        known = self._known
        if known is not None and 0 <= self._ticks() - self._looked < _LOOK:
            return known
        # Whoever comes while another reads is answered from what is known.
        if self._reading.acquire(blocking=known is None):
            try:
                return self._look()
            finally:
                self._reading.release()
        return known if known is not None else self._current()

    def _look(self) -> Mapping[str, Key]:
        self._looked = self._ticks()
        look = self._stat()
        if self._known is not None and self._settled and look == self._seen:
            return self._known
        changed = look != self._seen
        self._seen = look
        self._settled = look is None or abs(time.time_ns() - max(look[-2:])) > _YOUNG
        try:
            self._known = read_keys(self.path, self._known)
        except KeyFileError as error:
            self._settled = False  # the reason may pass while the file stays as it is
            if self._known is None:
                raise
            if changed:  # once a change, not a look
                logger.warning("%s The keys stay as they were.", error)
        return self._known

    def _stat(self) -> _Look:
        with suppress(OSError):
            found = self.path.lstat()
            times = found.st_mtime_ns, found.st_ctime_ns
            return found.st_dev, found.st_ino, found.st_size, found.st_mode, *times
        return None
