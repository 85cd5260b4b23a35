"""Goes through an audit log, and tells whether its lines still hang together.

Found is every line that was changed, taken out, put in or moved, and every file that is missing
between two others. Not found can be, from the folder alone:

* that the **newest lines** were removed: where a chain ends, nothing says that it went on. A server
  that was stopped in order ends its log with a line that says so, and the report tells where there
  is none; and a hash that was noted elsewhere, such as with each backup, tells for certain:
  ``verify_log(folder, known=hash)``.
* that the **oldest files** were removed whole: that is how old logs are deleted. The report tells
  with which line the log begins.
* that somebody who may write to the folder **wrote the whole chain anew** from some line on. A hash
  that was noted elsewhere tells that as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..._support.paths import PathLike, absolute_path
from ..._support.regular import kind_of, open_regular
from ..._support.system_errors import system_errors
from ...errors import InputError
from .files import files_of, parse_line
from .records import LONGEST_LINE, NOTHING, hash_of

_MOST_PROBLEMS = 20  # that are told


@dataclass(frozen=True)
class AuditReport:
    """What a log turned out to be.

    Attributes:
        folder: the log's.
        files: how many it has.
        lines: how many whole lines.
        first: the number of its first line; above 1 where older files were removed.
        last: the number of its last line.
        last_hash: the hash of its last line; to be noted elsewhere.
        problems: what is wrong, in words, the first twenty; empty where all hangs together.
        repaired: lines that a killed server had begun, and the next one took away.
        unclean: how often a server began although the one before had not stopped in order.
        lost: records that could not be written while the disk took no more.
        torn: bytes of an unfinished line at the end, as while a server writes.
        stopped: whether the last line says that the server stopped in order.
    """

    folder: str
    files: int = 0
    lines: int = 0
    first: int = 0
    last: int = 0
    last_hash: str = NOTHING
    problems: tuple[str, ...] = ()
    repaired: int = 0
    unclean: int = 0
    lost: int = 0
    torn: int = 0
    stopped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return {**asdict(self), "problems": list(self.problems)}


def verify_log(folder: PathLike, *, known: str | None = None) -> AuditReport:
    """Go through a log; a server may be writing to it.

    Args:
        folder: the log's.
        known: the hash that its last line once had.

    Raises:
        InputError: the folder holds no audit log.
        AccessDeniedError: this user may not read it.
        IndexUnavailableError: the system cannot read it now.
    """
    path = absolute_path(folder)
    with system_errors(path):
        names = files_of(path) if path.is_dir() else []
        if not names:
            raise InputError(
                f"{path} holds no audit log; name the folder that a server writes it to."
            )
        walk = _Walk(known)
        for name in names:
            walk.file(path / name, is_last=name == names[-1])
    return walk.report(str(path), len(names))


@dataclass
class _Walk:
    """What was read so far."""

    known: str | None
    lines: int = 0
    first: int = 0
    seq: int = 0
    hash: str = NOTHING
    mark: Any = None
    running: bool = False
    torn: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    wrong: int = 0

    def file(self, path: Path, *, is_last: bool) -> None:
        """Go through one file."""
        kind = kind_of(path)
        if kind is not None:
            self._wrong(f"{path.name}: it is {kind}, not a file.")
            return
        place = 0
        for place, (line, is_whole) in enumerate(_lines(path), 1):
            where = f"{path.name}, line {place}"
            if not is_whole and is_last:
                self.torn = len(line)
            elif not is_whole:
                self._wrong(f"{where}: it is not whole, though other files follow.")
            else:
                self._line(line, where, path.name if place == 1 else None)
        if not place and not is_last:
            self._wrong(f"{path.name}: it is empty, though other files follow.")

    def report(self, folder: str, files: int) -> AuditReport:
        """Return what was found."""
        if self.known is not None and self.known != NOTHING:
            self._wrong(
                f"no line has the hash {self.known[:64]}: the one that had it is gone, or it, or "
                "one before it, was changed."
            )
        return AuditReport(
            folder,
            files,
            self.lines,
            self.first,
            self.seq,
            self.hash,
            self._problems(),
            self.counts.get("repaired", 0),
            self.counts.get("unclean", 0),
            self.counts.get("lost", 0),
            self.torn,
            self.mark == "stop",
        )

    def _line(self, line: bytes, where: str, opens: str | None) -> None:
        members = parse_line(line)
        if members is None:
            self._wrong(f"{where}: it is no line of an audit log.")
            self.hash, self.lines = hash_of(line), self.lines + 1
            self.seq += 1
            return
        seq, prev = members["seq"], members["prev"]
        begins = not self.lines and opens is not None
        if not begins or seq == 1:
            self._follows(seq, prev, where)
        if opens is not None and (members.get("mark"), members.get("file")) != ("file", opens):
            self._wrong(f"{where}: the beginning of the file is missing.")
        self._count(members)
        if begins:
            self.first = seq
        self.lines, self.seq, self.hash = self.lines + 1, seq, hash_of(line)
        if self.hash == self.known:
            self.known = None

    def _follows(self, seq: int, prev: str, where: str) -> None:
        if seq != self.seq + 1:
            self._wrong(f"{where}: it is number {seq:,}, where {self.seq + 1:,} belongs.")
        elif prev != self.hash:
            self._wrong(f"{where}: the line before it is not the one that it followed.")

    def _count(self, members: dict[str, Any]) -> None:
        self.mark = members.get("mark")
        if self.mark == "start":
            self._add("unclean", int(self.running))
            self.running = True
        elif self.mark == "stop":
            self.running = False
        elif self.mark == "repaired":
            self._add("repaired", 1)
        elif self.mark == "resumed" and type(members.get("lost")) is int:
            self._add("lost", members["lost"])

    def _add(self, what: str, number: int) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def _wrong(self, problem: str) -> None:
        self.wrong += 1
        if self.wrong <= _MOST_PROBLEMS:
            self.problems.append(problem)

    def _problems(self) -> tuple[str, ...]:
        more = self.wrong - len(self.problems)
        return (*self.problems, f"{more:,} more.") if more else tuple(self.problems)


def _lines(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield a file's lines without their ends, and whether each is whole."""
    with open_regular(path) as file:
        while line := file.readline(LONGEST_LINE):
            yield line.removesuffix(b"\n"), line.endswith(b"\n")
