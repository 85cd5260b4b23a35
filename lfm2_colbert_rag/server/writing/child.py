"""The writing process: errands come on standard input, answers go to standard output.

``python -m lfm2_colbert_rag.server.writing.child`` is started by the server. It ends when its input
does: at the end of what it is doing, so that what was promised is kept.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from queue import Queue
from typing import Any, BinaryIO

import msgspec

from ..indexes import Shelf
from ..problems import Problem
from .errands import Errand
from .frames import frame, read_frame
from .place import Place
from .work import Cancelled, Work

logger = logging.getLogger(__name__)

_NICENESS = 10


class _Answers:
    """Writes answers, whole ones, from several threads."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writing = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Send an answer; where nobody listens any more, this process ends."""
        with self._writing:
            try:
                self._file.write(frame(message))
                self._file.flush()
            except (BrokenPipeError, ValueError):
                os._exit(0)  # the server is no more, and nothing was left half done


def main() -> None:
    """Do errands until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when it is over
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    # What prints must not disturb the answers.
    answers = _Answers(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    source = sys.stdin.buffer
    place = msgspec.convert(read_frame(source), Place)
    shelf = Shelf(Path(place.folder), most=place.most, read_only=False)
    backups = None if place.backups is None else Path(place.backups)
    work = Work(shelf, place.model, backups)
    # Long work goes on beside what is added: the index has locks of its own for both.
    queues = {name: Queue[Errand | None]() for name in ("passages", "jobs")}
    threads = [
        threading.Thread(target=_run, args=(work, queue, answers), name=name)
        for name, queue in queues.items()
    ]
    for thread in threads:
        thread.start()
    while (message := read_frame(source)) is not None:
        errand = msgspec.convert(message, Errand)
        if errand.what == "cancel":
            _do(work, errand, answers)
        else:
            queues["jobs" if errand.what == "job" else "passages"].put(errand)
    for queue in queues.values():
        queue.put(None)
    threads[0].join()
    os._exit(0)  # long work leaves the index as it was


def _run(work: Work, queue: Queue[Errand | None], answers: _Answers) -> None:
    while (errand := queue.get()) is not None:
        _do(work, errand, answers)


def _do(work: Work, errand: Errand, answers: _Answers) -> None:
    number = errand.number

    def progress(finished: int) -> None:
        if finished and errand.what == "job":
            answers.send({"number": number, "progress": finished})

    try:
        answers.send({"number": number, "result": work.do(errand, progress)})
    except Cancelled:
        answers.send({"number": number, "problem": ["cancelled", "", []]})
    except Problem as problem:
        if problem.status >= 500:
            logger.warning("%s failed: %s", errand.what, problem.__cause__ or problem.code)
        told = [problem.code, problem.detail, [list(one) for one in problem.errors]]
        answers.send({"number": number, "problem": told})
    except Exception:  # of whatever kind: the others' errands go on
        logger.exception("%s failed", errand.what)
        answers.send({"number": number, "problem": ["internal", "", []]})


if __name__ == "__main__":
    main()
