"""Where the writing process finds what it writes."""

from __future__ import annotations

import msgspec


class Place(msgspec.Struct):
    """The first message: where the indexes are.

    Attributes:
        folder: an index, or a folder of indexes.
        model: of indexes that are made.
        backups: where backups go.
        most: how many indexes are kept open.
    """

    folder: str
    model: str
    backups: str | None
    most: int
