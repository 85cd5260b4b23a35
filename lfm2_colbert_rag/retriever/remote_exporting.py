"""An index in an engine as plain files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .._support.progress import ProgressLike
from ..storage.exchange.export import ExportDType, write_export

if TYPE_CHECKING:
    from ..types import Passage, Window
    from .remote.home import RemoteHome
    from .remote.part import RemotePart

PASSAGES = 32
"""Passages whose vectors are read together."""


def stored_passages(part: RemotePart) -> Iterator[tuple[Passage, list[Window]]]:
    """Yield all passages and their windows; few are held at once."""
    held: list[Passage] = []
    for passage in part.reader.passages():
        held.append(passage)
        if len(held) == PASSAGES:
            yield from _with_windows(part, held)
            held = []
    yield from _with_windows(part, held)


def export_remote(
    home: RemoteHome, part: RemotePart, target: Path, dtype: ExportDType, progress: ProgressLike
) -> int:
    """Write an index into a new folder; see ``Retriever.export`` for arguments and errors."""
    return write_export(
        target,
        stored_passages(part),
        home.settings.index,
        total=part.count(None),
        dtype=dtype,
        progress=progress,
    )


def _with_windows(
    part: RemotePart, passages: list[Passage]
) -> Iterator[tuple[Passage, list[Window]]]:
    windows = part.reader.windows_of([one.id for one in passages])
    for passage in passages:
        if passage.id in windows:  # else deleted meanwhile
            yield passage, windows[passage.id]
