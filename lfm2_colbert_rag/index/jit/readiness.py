"""Whether kernels can be called at once; where they cannot, a thread makes them ready meanwhile.

Numba compiles a kernel when it is first called with arguments of new types, seconds each, and even
loading it and what it compiled before takes a second. A question does not wait for that: it is
answered by plain numpy until the kernels are there.

    KERNELS = KernelSet("exact search", rehearse)  # costs nothing, loads no numba

    def rehearse(chunks: int) -> Iterator[None]:
        from . import kernels  # numba is loaded here, beside the answers

        yield  # one step a kernel, each called with tiny arrays of the types that a search has
        kernels.compare(np.zeros((8, 32 * chunks), np.uint8))
        yield  # compiled

    if KERNELS.ready(chunks):  # never waits; where they are not, a thread begins with them
        from . import kernels
    else:
        from . import plain as kernels

Whatever decides the types (read-only arrays have others) is a hashable argument of :meth:`ready`,
which hands it to ``rehearse``. A fork waits for the end of the step that is under way.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

from ..._support.forking import NO_FORK, renew_in_child
from ...errors import ConfigError

logger = logging.getLogger(__name__)

VARIABLE = "LFM2_COLBERT_KERNELS"
BESIDE, WAIT, NEVER = "beside", "wait", "never"
# Seconds that the question which asked first has for itself: to load numba holds the interpreter's
# lock, and a program with one question only ends before that.
HEAD_START = 2.0
THREAD = "lfm2-colbert-compiler"

Rehearsal: TypeAlias = Callable[..., Iterator[object]]
_R = TypeVar("_R", bound=Rehearsal)
_Job: TypeAlias = "tuple[KernelSet, tuple[Hashable, ...]]"


_waits: ContextVar[bool] = ContextVar("waits", default=False)


class KernelSet:
    """Kernels that are used together, and what makes them ready.

    Args:
        name: what they are for, as in "the kernels of exact search".
        rehearse: calls each of them with arguments of the types that it will be given, one a step
            of the iterator; called with what :meth:`ready` is given. It may run several times. None
            where :meth:`rehearsal` says it later, before anybody asks.

    Example:
        >>> kernels = KernelSet("nothing", lambda: iter(()))
        >>> kernels.prepare()
        >>> kernels.ready()
        True
    """

    def __init__(self, name: str, rehearse: Rehearsal | None = None) -> None:
        self.name = name
        self._rehearse = rehearse
        self._ready: set[tuple[Hashable, ...]] = set()
        self._failed: set[tuple[Hashable, ...]] = set()
        self._rehearsing: dict[tuple[Hashable, ...], int] = {}

    def rehearsal(self, rehearse: _R) -> _R:
        """Say how they are made ready, as a decorator, where that is known in another module."""
        self._rehearse = rehearse
        return rehearse

    def ready(self, *variant: Hashable) -> bool:
        """Tell whether the kernels can be called; a thread begins to make them ready otherwise.

        Always False where they cannot be made ready, as a warning said.

        Args:
            variant: what decides the types of their arguments.
        """
        if variant in self._ready:
            return True
        how = NEVER if variant in self._failed else chosen_way()
        if how == BESIDE:
            _beside.add((self, variant))
        elif how == WAIT and not self._is_underway(variant):
            self._try(variant)
        return variant in self._ready

    def prepare(self, *variant: Hashable) -> None:
        """Make the kernels ready in this thread, and return when they are.

        Raises:
            ConfigError: they cannot be compiled.
        """
        if variant not in self._ready:
            try:
                for _ in self.steps(*variant):
                    pass
            except Exception as error:
                raise ConfigError(
                    f"the kernels of {self.name} cannot be compiled on this machine "
                    f"({_in_a_line(error)}); reinstall numba, or set {VARIABLE}={NEVER} to search "
                    "without them."
                ) from error

    def steps(self, *variant: Hashable) -> Iterator[None]:
        """Make the kernels ready, a step at a time; no fork falls into a step.

        Raises:
            Exception: whatever the compiler raised.
        """
        self._rehearsing[variant] = threading.get_ident()
        assert self._rehearse is not None, f"nobody said how {self.name} is rehearsed"
        steps = iter(self._rehearse(*variant))
        while True:
            with NO_FORK:
                if next(steps, self) is self:
                    break
            yield
        self._ready.add(variant)

    def _is_underway(self, variant: tuple[Hashable, ...]) -> bool:
        """Tell whether this thread asks in the midst of making the kernels ready."""
        return self._rehearsing.get(variant) == threading.get_ident()

    def _try(self, variant: tuple[Hashable, ...]) -> None:
        """Make the kernels ready, unless that fails."""
        try:
            for _ in self.steps(*variant):
                if _beside.ending:
                    return
        except Exception as error:  # of the compiler, the system, the cache: all the same here
            self._failed.add(variant)
            logger.warning(
                "the kernels of %s cannot be compiled (%s); without them searches take several "
                "times as long",
                self.name,
                _in_a_line(error),
            )


@contextmanager
def waiting_for_kernels() -> Iterator[None]:
    """Let this thread wait for kernels rather than go on without, as long as the block lasts."""
    token = _waits.set(True)
    try:
        yield
    finally:
        _waits.reset(token)


def chosen_way() -> str:
    """Return what ``LFM2_COLBERT_KERNELS`` says: ``beside`` (when unset), ``wait`` or ``never``.

    Within :func:`waiting_for_kernels` it is ``wait`` in the place of ``beside``.

    Raises:
        ConfigError: it says something else.
    """
    chosen = os.environ.get(VARIABLE) or BESIDE
    if chosen not in (BESIDE, WAIT, NEVER):
        raise ConfigError(
            f"{VARIABLE} must be {BESIDE!r} (compile kernels beside the first answers), {WAIT!r} "
            f"(before them) or {NEVER!r} (search without kernels), not {chosen!r}."
        )
    return WAIT if chosen == BESIDE and _waits.get() else chosen


class _Beside:
    """The thread that makes kernels ready while others answer; there only while it has work."""

    def __init__(self) -> None:
        self.ending = False
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Begin anew: the child has no such thread, and begins what it asks for itself."""
        self._lock = threading.Lock()
        self._waiting: list[_Job] = []
        self._working = False

    def add(self, job: _Job) -> None:
        """Make something ready soon, unless that is under way."""
        with self._lock:
            if job in self._waiting:
                return
            self._waiting.append(job)
            if self._working:
                return
            self._working = True
        threading.Thread(target=self._work, args=(HEAD_START,), name=THREAD, daemon=True).start()

    def _work(self, patience: float) -> None:
        time.sleep(patience)
        while True:
            with self._lock:
                if not self._waiting:
                    self._working = False
                    return
                kernels, variant = self._waiting[0]
            kernels._try(variant)
            with self._lock:
                self._waiting.pop(0)

    def end(self) -> None:
        """Begin no other step: the process is about to end, and does not wait for this one."""
        self.ending = True


_beside = _Beside()
atexit.register(_beside.end)


def _in_a_line(error: Exception) -> str:
    """What went wrong, without the pages that numba writes about it."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
