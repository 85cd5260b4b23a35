"""What is written to one server, each in a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import IndexExistsError
from ..points import Point
from ..side import Chunk
from .rows import WRITTEN, written
from .schema import ALIASES, schema_exists

__all__ = ["UPSERT", "stand_for", "write_points", "write_side"]

UPSERT = (
    f"INSERT INTO points ({', '.join(WRITTEN)}) VALUES ({', '.join(['%s'] * len(WRITTEN))}) "
    "ON CONFLICT (uuid) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in WRITTEN[1:])
)
"""Writes a point in place of the one with its key."""


def write_points(connection: Any, points: Sequence[Point]) -> None:
    """Write the points of a server in one transaction, in one order, so that none waits in turn."""
    ordered = sorted(points, key=lambda point: point.key.uuid.bytes)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(UPSERT, [written(point) for point in ordered])
        heads = [one for one in ordered if one.is_head]
        cursor.execute("DELETE FROM words WHERE uuid = ANY(%s)", ([one.key.uuid for one in heads],))
        with cursor.copy("COPY words (term, weight, uuid) FROM STDIN") as copy:
            for point in heads:
                terms = point.vectors.words
                if terms is not None:
                    uuid = point.key.uuid
                    for term, weight in zip(
                        terms.ids.tolist(), terms.weights.tolist(), strict=True
                    ):
                        copy.write_row((term, weight, uuid))


def write_side(connection: Any, name: str, chunks: Sequence[Chunk]) -> None:
    """Keep something under a name, in place of what was there."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM side WHERE name = %s", (name,))
        cursor.executemany(
            "INSERT INTO side (name, part, parts, digest, data) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (name, part) DO UPDATE SET parts = excluded.parts, "
            "digest = excluded.digest, data = excluded.data",
            [(name, one.part, one.parts, one.digest, one.data) for one in chunks],
        )


def stand_for(connection: Any, alias: str, collection: str) -> None:
    """Let a name stand for an index.

    Raises:
        IndexExistsError: there is an index of that name itself.
    """
    if schema_exists(connection, alias):
        raise IndexExistsError(f"there is an index {alias!r} itself; an alias needs another name.")
    with connection.transaction():
        connection.execute(ALIASES)
        connection.execute(
            "INSERT INTO lfm2.aliases VALUES (%s, %s) "
            "ON CONFLICT (alias) DO UPDATE SET collection = excluded.collection",
            (alias, collection),
        )
