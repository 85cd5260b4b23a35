"""What a fork does to this process, and how the child is kept from harm by it.

A child has one thread. What other threads of its parent were at stays as it was, half done: locks
that nobody will release, in Python as well as in C libraries that know nothing of forks. So the
parent forks only while no thread is inside such a library (:data:`NO_FORK`), the child makes its
Python locks and caches anew (:func:`renew_in_child`), and what belongs to the parent alone is never
touched in the child, not even to be closed (:func:`abandon`).
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - see below
import ctypes
import logging  # noqa: F401 - see below
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, Protocol
from weakref import WeakSet

# A fork waits so long, in seconds, for threads inside; after it, it takes place all the same.
PATIENCE = 30.0


class Renewable(Protocol):
    """What has locks, or other things of one process."""

    def renew_after_fork(self) -> None:
        """Make them anew; called in the child, before anything else runs there."""


class ForkGate:
    """Keeps forks away from blocks of code; costs about a microsecond a block.

    Blocks may be nested. Within one, no thread may wait for another that might enter one.

    Example:
        >>> gate = ForkGate()
        >>> with gate:
        ...     pass  # no thread of this process forks here
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside: dict[int, int] = {}
        self._forks = 0

    def __enter__(self) -> None:
        """Wait for a fork that has begun, and keep others waiting."""
        me = threading.get_ident()
        with self._changed:
            while self._forks and me not in self._inside:
                self._changed.wait()
            self._inside[me] = self._inside.get(me, 0) + 1

    def enter_now(self) -> bool:
        """Enter without waiting, as a finalizer must, which may run in the midst of anything.

        Returns:
            False where a fork is under way; then there is nothing to leave.
        """
        me = threading.get_ident()
        with self._changed:
            if self._forks and me not in self._inside:
                return False
            self._inside[me] = self._inside.get(me, 0) + 1
            return True

    def __exit__(self, *_: object) -> None:
        """Let forks go on."""
        me = threading.get_ident()
        with self._changed:
            left = self._inside.get(me, 1) - 1
            if left:
                self._inside[me] = left
            else:
                self._inside.pop(me, None)
            if self._forks:
                self._changed.notify_all()

    def before_fork(self) -> None:
        """Keep threads out from now on, and wait for those that are inside."""
        me = threading.get_ident()
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: not set(self._inside) - {me}, timeout=PATIENCE)

    def after_fork(self) -> None:
        """Let threads in again, in the parent."""
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()

    def renew_after_fork(self) -> None:
        """Forget all threads but the one that the child has."""
        me = threading.get_ident()
        mine = self._inside.get(me)
        self._changed = threading.Condition()
        self._inside = {} if mine is None else {me: mine}
        self._forks = 0


NO_FORK = ForkGate()
"""Entered around every call of a library that a fork would leave locked in the child."""

_renewed: WeakSet[Renewable] = WeakSet()
_abandoned: list[object] = []


def renew_in_child(owner: Renewable) -> None:
    """Have an object make anew, in every forked child, what it may not share with its parent.

    Args:
        owner: held weakly; hashable by its identity.
    """
    _renewed.add(owner)


def abandon(*things: object) -> None:
    """Keep what belongs to the parent process for ever, so that nothing of it is ever run here.

    To close a connection, or to end a pool of threads, is an action as well, and would be done to
    the parent's files, or wait for threads that this process does not have.
    """
    _abandoned.extend(things)
    if sys.implementation.name == "cpython":  # else the list alone, which lasts until the exit
        for thing in things:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def end_without_handlers() -> None:
    """Have this forked child end, once Python is done, without the exit handlers of C libraries.

    They were registered by the parent, and would wait for threads that the child does not have.
    Nothing happens where the C library has no ``on_exit``.
    """
    with suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        register, leave = library.on_exit, ctypes.cast(library._exit, ctypes.c_void_p)
        register.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        register(leave, None)  # called with the status, as the first of all that are registered


def _cached_properties() -> Iterator[Any]:
    """Yield those of this package, of all modules that are loaded."""
    package = __name__.partition(".")[0]
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == package:
            for kind in list(vars(module).values()):
                if isinstance(kind, type) and kind.__module__ == name:
                    yield from (one for one in vars(kind).values() if type(one) is cached_property)


def _in_child() -> None:
    NO_FORK.renew_after_fork()
    if sys.version_info < (3, 12):  # each has a lock, held for whatever instance is at work
        for one in _cached_properties():
            one.lock = threading.RLock()
    for owner in list(_renewed):
        owner.renew_after_fork()


# What is registered last is called first before a fork. Two modules of Python take their locks
# then: were they imported later than this one, a thread inside a block that logs would wait for a
# fork that waits for it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=NO_FORK.before_fork,
        after_in_parent=NO_FORK.after_fork,
        after_in_child=_in_child,
    )
