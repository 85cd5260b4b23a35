"""The writing process as the server sees it: started, given errands, started again."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from ..problems import Problem, problem_named
from .errands import Errand
from .frames import HEAD, frame, length
from .place import Place

logger = logging.getLogger(__name__)

_PAUSE = 0.2  # seconds before it is started again; twice as long each time, up to ten
_LONGEST_PAUSE = 10.0
_GRACE = 30.0  # seconds to finish what it is doing


@dataclass(eq=False)
class _Asked:
    """An errand that is being done."""

    answer: asyncio.Future[dict[str, Any]]
    progress: Callable[[int], None]


class WritingProcess:
    """Runs the process that writes; belongs to one event loop.

    It is started at once, and again whenever it ends: killed, or out of memory. What it was doing
    then fails with a problem that says to send the same again.

    Args:
        place: where the indexes are.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._numbers = itertools.count(1)
        self._asked: dict[int, _Asked] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopping = False
        self.on_restart: Callable[[], None] = lambda: None

    @property
    def pid(self) -> int | None:
        """The number of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it."""
        await self._start()
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Let it finish what it is doing, and end."""
        self._stopping = True
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                async with asyncio.timeout(_GRACE):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    async def do(
        self, errand: Errand, progress: Callable[[int], None] = lambda finished: None
    ) -> dict[str, Any]:
        """Have an errand done; its number is set here.

        Raises:
            Problem: it failed, or the process ended meanwhile.
        """
        process = self._process
        if process is None or process.stdin is None:
            raise Problem("interrupted")
        errand.number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[errand.number] = _Asked(answer, progress)
        try:
            process.stdin.write(frame(errand))
            await process.stdin.drain()
            return await answer
        except (ConnectionError, RuntimeError):
            raise Problem("interrupted") from None
        finally:
            self._asked.pop(errand.number, None)

    async def _start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing is imported from wherever the server was started
            "-m",
            "lfm2_colbert_rag.server.writing.child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        if self._process.stdin is not None:
            self._process.stdin.write(frame(self._place))

    async def _run(self) -> None:
        pause = _PAUSE
        while not self._stopping:
            process = self._process
            if process is not None and process.stdout is not None:
                began = asyncio.get_running_loop().time()
                await self._listen(process.stdout)
                code = await process.wait()
                self._process = None
                self._fail_all()
                if self._stopping:
                    return
                lasted = asyncio.get_running_loop().time() - began
                pause = _PAUSE if lasted > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
                logger.warning("the writing process ended (%s); it is started again", code)
            await asyncio.sleep(pause)
            self.on_restart()
            try:
                await self._start()
            except OSError as error:
                logger.warning("the writing process cannot be started: %s", error)

    async def _listen(self, answers: asyncio.StreamReader) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = length(await answers.readexactly(HEAD))
                self._answer(msgspec.msgpack.decode(await answers.readexactly(size)))

    def _answer(self, message: dict[str, Any]) -> None:
        asked = self._asked.get(message["number"])
        if asked is None or asked.answer.done():
            return
        if "progress" in message:
            asked.progress(message["progress"])
        elif "problem" in message:
            asked.answer.set_exception(problem_named(*message["problem"]))
        else:
            asked.answer.set_result(message["result"])

    def _fail_all(self) -> None:
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(Problem("interrupted"))
