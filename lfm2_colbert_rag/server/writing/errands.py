"""What the writing process is asked to do."""

from __future__ import annotations

from typing import Literal

import msgspec

from ..bodies import JobKind
from ..part import Part


class Errand(msgspec.Struct):
    """Something to do.

    Attributes:
        number: by which it is answered.
        what: a method of :class:`~.work.Work`.
        index: the name of an index.
        part: what of it is seen.
        body: of the request, as it came.
        lines: of a stream.
        first: number of the first of these lines.
        kind: of a job.
        job: number of a job that is to be cancelled.
    """

    number: int
    what: Literal["add", "add_lines", "delete", "create", "drop", "job", "cancel"]
    index: str = ""
    part: Part | None = None
    body: bytes = b""
    lines: list[bytes] = []
    first: int = 1
    kind: JobKind = "verify"
    job: int = 0
