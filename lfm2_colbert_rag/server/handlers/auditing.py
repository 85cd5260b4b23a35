"""The audit log, read by those who may."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

from ..answers import AuditDay, AuditDaysAnswer
from ..audit.files import files_of
from ..problems import Problem
from ..request import NDJSON, Answer, Request, encode

_PART = 1 << 16  # bytes
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


async def list_days(request: Request) -> Answer:
    """Name the days of which there is a log, the oldest first."""
    folder = _folder(request)
    names = await asyncio.to_thread(files_of, folder)
    found = [AuditDay(match[0]) for name in names if (match := _DAY.search(name))]
    return Answer(encode(AuditDaysAnswer(found)))


async def read_day(request: Request) -> Answer:
    """Send the lines of a day as they are, so that their chain can be verified."""
    folder, day = _folder(request), request.params["day"]
    names = await asyncio.to_thread(files_of, folder)
    name = next((one for one in names if _DAY.fullmatch(day) and day in one), None)
    if name is None:
        raise Problem("audit-day-not-found")
    return Answer(_parts(folder / name), media=NDJSON)


async def _parts(file: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as lines:
        while part := await asyncio.to_thread(lines.read, _PART):
            yield part


def _folder(request: Request) -> Path:
    """Return where the log is, for keys that see all that it tells of.

    Raises:
        Problem: the key sees some indexes only, or there is no log.
    """
    if request.known_caller.indexes is not None:
        raise Problem("forbidden", "The audit log tells of all indexes.")
    folder = request.services.settings.audit
    if folder is None or request.services.audit is None:
        raise Problem("audit-day-not-found")
    return folder
