"""One case in a process of its own, watched from outside."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from .outcomes import Outcome, Recorder, read

SECONDS = 60.0  # that a case may compute; most take less than one
IDLE = 6.0  # that it may do nothing; it waits for locks half a second
MEMORY = 4 << 30  # bytes that a child may map more than its parent has
FILE = 256 << 20  # bytes of a file that it writes at most
NOBODY = 65534


def run(
    root: Path, play: Callable[[Path, Recorder], None], *, idle: float = IDLE
) -> list[dict[str, Any]]:
    """Play a case in a forked process.

    Args:
        root: a folder of its own; removed afterwards.
        play: called in the child with the folder and who is told of outcomes.
        idle: seconds after which a child that does nothing hangs.

    Returns:
        The outcomes as JSON objects; a crash, or that it had to be killed, is the last.
    """
    root.mkdir(mode=0o755)
    told = root.with_suffix(".outcomes")
    number = os.fork()
    if not number:
        _live(root, told, play)
    signalled = _wait(number, idle)
    outcomes, begun = read(told.read_text(encoding="utf-8").splitlines() if told.exists() else [])
    if signalled is not None:
        what = signal.Signals(signalled).name
        kind = "HANG" if signalled == signal.SIGKILL else "CRASH"
        outcomes.append(Outcome(begun, kind, what, f"{kind} {what} in {begun}"))
    told.unlink(missing_ok=True)
    _remove(root)
    return [asdict(one) for one in _named_by_verify(outcomes)]


def become(user: int) -> None:
    """Have no more rights than another user, for good."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def _live(root: Path, told: Path, play: Callable[[Path, Recorder], None]) -> None:
    """Play the case; never returns."""
    status = 1
    try:
        _limit()
        with told.open("w", encoding="utf-8") as file:
            recorder = Recorder(file)
            try:
                play(root, recorder)
            except BaseException as error:  # of the harness itself
                recorder.attempt("the harness", partial(_again, error))
        status = 0
    finally:
        os._exit(status)


def _again(error: BaseException) -> None:
    raise error


def _limit() -> None:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # its parent's are for speaking with the tests
        os.dup2(silence, stream)


def _wait(number: int, idle: float) -> int | None:
    """Wait for a child unless it hangs; returns the signal that it died of.

    It hangs if it does nothing for some seconds, or computes for more than SECONDS; how long that
    takes by the clock is the business of a busy machine.
    """
    pause, used, since = 0.002, 0.0, time.monotonic()
    while True:
        ended, status = os.waitpid(number, os.WNOHANG)
        if ended:
            return os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        if (now := _seconds_used(number)) != used:
            used, since = now, time.monotonic()
        if used > SECONDS or time.monotonic() > since + idle:
            os.kill(number, signal.SIGKILL)
            os.waitpid(number, 0)
            return signal.SIGKILL
        time.sleep(pause)
        pause = min(0.05, pause * 1.2)


def _seconds_used(number: int) -> float:
    """Return how long a process has computed."""
    fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _named_by_verify(outcomes: list[Outcome]) -> list[Outcome]:
    """Tell wrong answers that verify() would have warned of from those that it would not."""
    if not any(one.step.endswith("verify") and one.outcome == "NAMED" for one in outcomes):
        return outcomes
    told = "WRONG-BUT-VERIFY-NAMES-IT"
    return [replace(one, outcome=told) if one.outcome == "WRONG" else one for one in outcomes]


def _remove(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(root, ignore_errors=True)
