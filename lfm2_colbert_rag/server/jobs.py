"""Long work: begun by one request, asked about by others."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from .answers import JobAnswer
from .bodies import JobKind
from .part import Part
from .problems import Problem
from .writing.errands import Errand

_KEPT = 200  # that are over
_WAITING = 32  # that are not

Do = Callable[[Errand, Callable[[int], None]], Awaitable[dict[str, Any]]]


@dataclass(eq=False)
class _Job:
    """One of them."""

    errand: Errand
    state: str = "waiting"
    done: int = 0
    result: dict[str, Any] | None = None
    problem: Problem | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def is_over(self) -> bool:
        return self.state not in ("waiting", "running")


class Jobs:
    """All long work since the server started; belongs to one event loop.

    Args:
        do: has an errand done by the writing process.
    """

    def __init__(self, do: Do) -> None:
        self._do = do
        self._jobs: OrderedDict[str, _Job] = OrderedDict()

    def begin(self, index: str, kind: JobKind, part: Part) -> JobAnswer:
        """Begin a job.

        Raises:
            Problem: so many are waiting already.
        """
        if sum(not job.is_over for job in self._jobs.values()) >= _WAITING:
            raise Problem("overloaded", retry_after=10)
        name = secrets.token_hex(8)
        job = self._jobs[name] = _Job(Errand(0, "job", index=index, part=part, kind=kind))
        job.task = asyncio.create_task(self._run(job))
        over = [known for known, one in self._jobs.items() if one.is_over]
        for known in over[: max(0, len(over) - _KEPT)]:
            del self._jobs[known]
        return self._told(name, job)

    def of(self, indexes: Callable[[str], bool]) -> list[JobAnswer]:
        """Return those on indexes that somebody may see, the newest last."""
        found = self._jobs.items()
        return [self._told(name, job) for name, job in found if indexes(job.errand.index)]

    def get(self, name: str, indexes: Callable[[str], bool]) -> JobAnswer:
        """Return one.

        Raises:
            Problem: there is none of this name, or not on these indexes.
        """
        return self._told(name, self._find(name, indexes))

    async def cancel(self, name: str, indexes: Callable[[str], bool]) -> JobAnswer:
        """Let a job stop as soon as it can, and leave the index as it is then.

        Raises:
            Problem: there is none of this name, or not on these indexes.
        """
        job = self._find(name, indexes)
        if not job.is_over and job.errand.number:
            await self._do(Errand(0, "cancel", job=job.errand.number), lambda finished: None)
        return self._told(name, job)

    def _find(self, name: str, indexes: Callable[[str], bool]) -> _Job:
        job = self._jobs.get(name)
        if job is None or not indexes(job.errand.index):
            raise Problem("job-not-found")
        return job

    async def _run(self, job: _Job) -> None:
        def progress(finished: int) -> None:
            job.state = "running"
            job.done += finished

        try:
            job.result = await self._do(job.errand, progress)
            job.state = "done"
        except Problem as problem:
            job.state = "cancelled" if problem.code == "cancelled" else "failed"
            job.problem = None if job.state == "cancelled" else problem

    def _told(self, name: str, job: _Job) -> JobAnswer:
        problem = job.problem
        return JobAnswer(
            name,
            job.errand.kind,
            job.errand.index,
            job.state,
            job.done,
            job.result,
            None if problem is None else {"code": problem.code, "detail": problem.told},
        )
