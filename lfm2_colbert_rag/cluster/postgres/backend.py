"""The calls of a backend, made to PostgreSQL."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

from ...errors import IndexNotFoundError
from ...filters import Path
from ..address import Address
from ..plan import Counts, FoundPoint, Named, Plan, Selection
from ..points import Key, Point, Sparse
from ..settings import ClusterSettings
from ..side import Chunk
from .connection import Connections
from .filters import selected
from .ranking import Rarity, count_terms, rank
from .rows import read, shown
from .schema import create_tables, drop_tables, require_layout, resolve
from .servers import Servers
from .writing import stand_for, write_points, write_side

__all__ = ["PostgresBackend"]


class PostgresBackend:
    """An index in PostgreSQL; see :class:`~..backend.Backend`.

    Args:
        connections: to the servers.
        collection: the index's name, or an alias of it.
    """

    indexes_all = True

    def __init__(self, connections: Connections, collection: str) -> None:
        self.name = connections.name
        self._connections, self._collection = connections, collection
        self._resolved: str | None = None

    @classmethod
    def at(cls, address: Address) -> PostgresBackend:
        """Connect to an address, once something is asked.

        Raises:
            ConfigError: an option that there is not.
        """
        return cls(Connections(Servers.of(address)), address.name)

    @property
    def shards(self) -> int:
        """Over how many servers the index is divided."""
        return len(self._connections.servers.shards)

    def exists(self) -> bool:
        """See :meth:`~..backend.Backend.exists`."""
        return self._resolve() is not None

    def create(self, settings: ClusterSettings) -> None:
        """See :meth:`~..backend.Backend.create`."""
        if self._resolve() is not None:
            return
        # The first server last: what is there is there as a whole.
        for shard in reversed(range(self.shards)):
            make = partial(
                create_tables,
                name=self._collection,
                dim=settings.index.dim,
                shard=shard,
                shards=self.shards,
            )
            self._connections.on(shard, make)
        self._require()

    def write(self, points: Sequence[Point]) -> None:
        """See :meth:`~..backend.Backend.write`."""
        self._require()
        parts: dict[int, list[Point]] = defaultdict(list)
        for point in points:
            parts[self._connections.servers.shard_of(point.key.id)].append(point)
        self._connections.on_each(
            lambda shard, connection: write_points(connection, parts[shard]), sorted(parts)
        )

    def delete(self, selection: Selection) -> None:
        """See :meth:`~..backend.Backend.delete`."""
        parameters: dict[str, Any] = {}
        where = selected(selection, parameters)
        self._each(lambda _, c: c.execute(f"DELETE FROM points WHERE {where}", parameters))

    def search(self, plans: Sequence[Plan]) -> list[list[FoundPoint]]:
        """See :meth:`~..backend.Backend.search`."""
        rarities = self._rarities(plans)
        parts = self._each(
            lambda _, c: [rank(c, plan, r) for plan, r in zip(plans, rarities, strict=True)]
        )
        return [
            sorted(
                (found for part in parts for found in part[place]),
                key=lambda found: (-found.score, found.point.key.uuid.bytes),
            )[: plan.limit]
            for place, plan in enumerate(plans)
        ]

    def get(
        self, keys: Sequence[Key], vectors: Sequence[Named] = (), *, tokens: bool = False
    ) -> list[Point]:
        """See :meth:`~..backend.Backend.get`."""
        if not keys:
            return []
        self._require()
        parts: dict[int, list[Any]] = defaultdict(list)
        for key in keys:
            parts[self._connections.servers.shard_of(key.id)].append(key.uuid)
        columns = shown(vectors, tokens=tokens)
        found = self._connections.on_each(
            lambda shard, c: _rows(
                c, f"SELECT {columns} FROM points WHERE uuid = ANY(%(p0)s)", {"p0": parts[shard]}
            ),
            sorted(parts),
        )
        return [read(row, vectors, tokens=tokens) for part in found for row in part]

    def scroll(
        self,
        selection: Selection,
        limit: int,
        after: Key | None = None,
        vectors: Sequence[Named] = (),
        *,
        tokens: bool = False,
    ) -> list[Point]:
        """See :meth:`~..backend.Backend.scroll`."""
        parameters: dict[str, Any] = {"limit": limit}
        where = selected(selection, parameters)
        if after is not None:
            parameters["after"] = after.uuid
            where += " AND uuid > %(after)s"
        query = (
            f"SELECT {shown(vectors, tokens=tokens)} FROM points WHERE {where} "
            "ORDER BY uuid LIMIT %(limit)s"
        )
        parts = self._each(lambda _, c: _rows(c, query, parameters))
        points = [read(row, vectors, tokens=tokens) for part in parts for row in part]
        return sorted(points, key=lambda point: point.key.uuid.bytes)[:limit]

    def count(self, selection: Selection) -> int:
        """See :meth:`~..backend.Backend.count`."""
        parameters: dict[str, Any] = {}
        where = selected(selection, parameters)
        query = f"SELECT count(*) FROM points WHERE {where}"
        return sum(part[0][0] for part in self._each(lambda _, c: _rows(c, query, parameters)))

    def languages(self, selection: Selection) -> Counts:
        """See :meth:`~..backend.Backend.languages`."""
        parameters: dict[str, Any] = {}
        where = selected(selection, parameters)
        query = f"SELECT lang, count(*) FROM points WHERE {where} GROUP BY lang"
        counts: Counter[str] = Counter()
        for part in self._each(lambda _, c: _rows(c, query, parameters)):
            counts.update(dict(part))
        return counts

    def index_field(self, path: Path) -> None:
        """Do nothing: all fields are in one index from the beginning."""

    def read_side(self, name: str) -> list[Chunk]:
        """See :meth:`~..backend.Backend.read_side`."""
        if self._resolve() is None:
            return []
        query = "SELECT part, parts, digest, data FROM side WHERE name = %(p0)s ORDER BY part"
        found = self._connections.on(0, lambda c: _rows(c, query, {"p0": name}))
        return [Chunk(part, parts, digest, bytes(data)) for part, parts, digest, data in found]

    def write_side(self, name: str, chunks: Sequence[Chunk]) -> None:
        """See :meth:`~..backend.Backend.write_side`."""
        self._require()
        self._connections.on(0, lambda c: write_side(c, name, chunks))

    def alias(self, name: str) -> None:
        """See :meth:`~..backend.Backend.alias`."""
        collection = self._require()
        self._connections.on(0, lambda c: stand_for(c, name, collection))

    def drop(self) -> None:
        """See :meth:`~..backend.Backend.drop`."""
        collection = self._resolve()
        if collection is None:
            return
        self._connections.use(None)
        for shard in range(self.shards):
            self._connections.on(shard, partial(drop_tables, name=collection))
        self._resolved = None

    def close(self) -> None:
        """See :meth:`~..backend.Backend.close`."""
        self._connections.close()

    def _resolve(self) -> str | None:
        """Find out which index the name stands for now; None for none."""
        found = self._connections.on(0, lambda c: resolve(c, self._collection))
        self._connections.use(found)
        if found is not None and found != self._resolved:
            servers = self._connections.servers
            self._connections.on_each(lambda shard, c: require_layout(c, shard, servers))
        self._resolved = found
        return found

    def _require(self) -> str:
        found = self._resolved or self._resolve()
        if found is None:
            raise IndexNotFoundError(f"{self.name} is not there.")
        return found

    def _each(self, call: Any) -> list[Any]:
        self._require()
        try:
            return self._connections.on_each(call)
        except IndexNotFoundError:  # what the name stood for is gone; it may have another meaning
            self._resolved = None
            self._require()
            return self._connections.on_each(call)

    def _rarities(self, plans: Sequence[Plan]) -> list[Rarity]:
        """Return how much the terms of each plan count, where it has any."""
        asked: dict[str | None, set[int]] = defaultdict(set)
        for plan in plans:
            if plan.vector == "words" and isinstance(plan.query, Sparse):
                asked[plan.selection.owner].update(plan.query.ids.tolist())
        known = {owner: self._rarity(sorted(terms), owner) for owner, terms in asked.items()}
        return [known.get(plan.selection.owner, {}) for plan in plans]

    def _rarity(self, terms: list[int], owner: str | None) -> Rarity:
        counts: Counter[int] = Counter()
        passages = 0
        for number, having in self._each(lambda _, c: count_terms(c, terms, owner)):
            passages += number
            counts.update(having)
        return {
            term: math.log(1 + (passages - have + 0.5) / (have + 0.5))
            for term, have in counts.items()
        }


def _rows(connection: Any, query: str, parameters: dict[str, Any]) -> list[Any]:
    found: list[Any] = connection.cursor(binary=True).execute(query, parameters).fetchall()
    return found
