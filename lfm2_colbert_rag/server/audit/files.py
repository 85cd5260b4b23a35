"""The folder of an audit log: a file a day, all of one chain, and a lock."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ..._support.regular import kind_of, open_regular
from ...errors import AuditUnavailableError
from .records import LONGEST_LINE, NOTHING, hash_of

LOCK = "audit.lock"

_NAME = re.compile(r"audit-(\d{4}-\d{2}-\d{2})\.jsonl")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Tail:
    """Where a log ends.

    Attributes:
        file: its newest file; None where there is none.
        seq: of the last whole line, which may be the last of the file before.
        hash: of the same line.
        size: bytes of the file's whole lines.
        torn: bytes of a line after them that was never finished.
    """

    file: str | None = None
    seq: int = 0
    hash: str = NOTHING
    size: int = 0
    torn: bytes = b""


def name_of(day: date) -> str:
    """Return the name of a day's file."""
    return f"audit-{day.isoformat()}.jsonl"


def day_of(seconds: float) -> date:
    """Return the day of a time in UTC; what is no time at all counts as the first or last day."""
    try:
        return datetime.fromtimestamp(seconds, UTC).date()
    except (ValueError, OverflowError, OSError):
        return date.max if seconds > 0 else date.min


def files_of(folder: Path) -> list[str]:
    """Return the names of a log's files, the oldest first."""
    return sorted(one.name for one in folder.iterdir() if _NAME.fullmatch(one.name))


def make_folder(folder: Path) -> None:
    """Make the folder of a log, which only its owner may look into.

    Raises:
        AuditUnavailableError: something else is there, or others may look into it.
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kind = kind_of(folder)
    if kind != "a folder":
        raise AuditUnavailableError(f"{folder} is {kind or 'a file'}, not a folder; name another.")
    mode = stat.S_IMODE(folder.lstat().st_mode)
    if os.name != "nt" and mode & _OTHERS:  # Windows has no such bits
        raise AuditUnavailableError(
            f"{folder} may be used by others than its owner (its mode is {mode:04o}), and the "
            f"audit log tells who did what. Run: chmod 700 {folder}"
        )


def open_to_append(path: Path) -> int:
    """Open a file of a log, making it if need be, and return its descriptor.

    Raises:
        OSError: it cannot be opened, or is a link.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY"):
        flags |= getattr(os, name, 0)
    return os.open(path, flags, 0o600)


def read_tail(folder: Path) -> Tail:
    """Return where the log in a folder ends.

    Its newest file may have no whole line, as a killed server leaves it.

    Raises:
        AuditUnavailableError: its last line is none of an audit log.
        OSError: it cannot be read.
    """
    newest: tuple[str, bytes] | None = None  # the first line of a new file was never finished
    for name in reversed(files_of(folder)):
        with open_regular(folder / name) as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - 2 * LONGEST_LINE)
            file.seek(start)
            whole, end, rest = file.read().rpartition(b"\n")
        if not end and not start and newest is None:
            newest = name, rest
            continue
        line = whole.rpartition(b"\n")[2]
        seq = _seq(line)
        if seq is None:
            raise _odd(folder / name)
        if newest is not None:
            return Tail(newest[0], seq, hash_of(line), 0, newest[1])
        return Tail(name, seq, hash_of(line), size - len(rest), rest)
    return Tail() if newest is None else Tail(newest[0], torn=newest[1])


def parse_line(line: bytes) -> dict[str, Any] | None:
    """Return what a line says; None if it is none of an audit log."""
    try:
        members = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict) or not isinstance(members.get("prev"), str):
        return None
    return members if type(members.get("seq")) is int else None


def _seq(line: bytes) -> int | None:
    members = parse_line(line)
    return None if members is None else members["seq"]


def _odd(path: Path) -> AuditUnavailableError:
    return AuditUnavailableError(
        f"{path} does not end with a line of an audit log, so that none can follow it. See what "
        f"`lfm2-colbert audit verify {path.parent}` tells, keep the folder as it is, and name a "
        "new one."
    )
