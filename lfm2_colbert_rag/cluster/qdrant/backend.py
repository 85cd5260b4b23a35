"""The calls of a backend, made to Qdrant."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

from ...errors import ConfigError, IndexExistsError, IndexNotFoundError, ServerAnswerError
from ...filters import Path
from ..address import Address
from ..fields import field_key
from ..plan import Counts, FoundPoint, Named, Plan, Selection
from ..points import Key, Point
from ..settings import ClusterSettings
from ..side import Chunk
from . import payload
from .connection import Connecting, Connection
from .filters import ID, LANGUAGE, NUMBERS, OTHERS, OWNER, REV, STRINGS, WINDOW, models, selected
from .requests import request
from .schema import collection_options

SIDE = "__lfm2"
"""What stands behind a collection's name in the name of its side store."""

_LANGUAGES = 512
_SIDE_PARTS = 64


class QdrantBackend:
    """An index in a collection of Qdrant; see :class:`~..backend.Backend`.

    Args:
        connection: to Qdrant.
        collection: the collection's name, or an alias of it.
        name: the index, for messages.
        replication: of how many copies the collection is made.
        consistency: of reads, as Qdrant has it, such as ``"majority"``; None for its own.
    """

    indexes_all = False

    def __init__(
        self,
        connection: Connection,
        collection: str,
        name: str,
        *,
        replication: int | None = None,
        consistency: str | None = None,
    ) -> None:
        self.name = name
        self._connection, self._collection = connection, collection
        self._replication = replication
        self._reading = {} if consistency is None else {"consistency": consistency}

    @classmethod
    def at(cls, address: Address) -> QdrantBackend:
        """Connect to an address, once something is asked.

        Raises:
            ConfigError: an option that there is not.
        """
        connecting, name = Connecting.of(address), str(address)
        local = bool(address.folder)
        connection = Connection(connecting, name, connecting.patience, local=local)
        return cls(
            connection,
            address.name,
            name,
            replication=_whole(address, "replication"),
            consistency=address.options.get("consistency"),
        )

    def exists(self) -> bool:
        """See :meth:`~..backend.Backend.exists`."""
        return bool(self._connection.ask(lambda c: c.collection_exists(self._collection)))

    def create(self, settings: ClusterSettings) -> None:
        """See :meth:`~..backend.Backend.create`."""
        if not self.exists():
            options = collection_options(models(), settings, self._replication)
            self._make(self._collection, options)
        m = models()
        for key, schema in (
            (ID, m.KeywordIndexParams(type="keyword")),
            (OWNER, m.KeywordIndexParams(type="keyword", is_tenant=True)),
            (LANGUAGE, m.KeywordIndexParams(type="keyword")),
            (WINDOW, m.IntegerIndexParams(type="integer", lookup=True, range=False)),
            (REV, m.IntegerIndexParams(type="integer", lookup=False, range=True)),
        ):
            self._index(key, schema)

    def write(self, points: Sequence[Point]) -> None:
        """See :meth:`~..backend.Backend.write`."""
        self._upsert(self._collection, [payload.written(models(), point) for point in points])

    def delete(self, selection: Selection) -> None:
        """See :meth:`~..backend.Backend.delete`."""
        m = models()
        which = m.FilterSelector(filter=selected(selection) or m.Filter(must=[]))
        self._connection.ask(
            lambda c: c.delete(self._collection, which, wait=True, ordering=_ordering())
        )

    def search(self, plans: Sequence[Plan]) -> list[list[FoundPoint]]:
        """See :meth:`~..backend.Backend.search`."""
        requests = [request(plan, self._connection.local) for plan in plans]
        answers = self._connection.ask(
            lambda c: c.query_batch_points(self._collection, requests, **self._reading)
        )
        return [
            [FoundPoint(payload.read(one, plan.fetch), float(one.score)) for one in answer.points]
            for plan, answer in zip(plans, answers, strict=True)
        ]

    def get(
        self, keys: Sequence[Key], vectors: Sequence[Named] = (), *, tokens: bool = False
    ) -> list[Point]:
        """See :meth:`~..backend.Backend.get`."""
        if not keys:
            return []
        ids = [str(key.uuid) for key in keys]
        found = self._connection.ask(
            lambda c: c.retrieve(
                self._collection,
                ids,
                with_payload=list(payload.ALL_SHOWN if tokens else payload.SHOWN),
                with_vectors=list(vectors) or False,
                **self._reading,
            )
        )
        return [payload.read(one, vectors) for one in found]

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
        start = None if after is None else str(after.uuid)
        found, _ = self._connection.ask(
            lambda c: c.scroll(
                self._collection,
                scroll_filter=selected(selection),
                limit=limit + (start is not None),
                offset=start,
                with_payload=list(payload.ALL_SHOWN if tokens else payload.SHOWN),
                with_vectors=list(vectors) or False,
                **self._reading,
            )
        )
        behind = [one for one in found if str(one.id) != start]
        return [payload.read(one, vectors) for one in behind[:limit]]

    def count(self, selection: Selection) -> int:
        """See :meth:`~..backend.Backend.count`."""
        which = selected(selection)
        found = self._connection.ask(
            lambda c: c.count(self._collection, count_filter=which, exact=True)
        )
        return int(found.count)

    def languages(self, selection: Selection) -> Counts:
        """See :meth:`~..backend.Backend.languages`."""
        which = selected(selection)
        found = self._connection.ask(
            lambda c: c.facet(
                self._collection, LANGUAGE, facet_filter=which, limit=_LANGUAGES, exact=True
            )
        )
        return {str(one.value): int(one.count) for one in found.hits}

    def index_field(self, path: Path) -> None:
        """See :meth:`~..backend.Backend.index_field`."""
        m, key = models(), field_key(path)
        self._index(f"{STRINGS}.{key}", m.KeywordIndexParams(type="keyword"))
        self._index(f"{NUMBERS}.{key}", m.FloatIndexParams(type="float"))
        self._index(f"{OTHERS}.{key}", m.KeywordIndexParams(type="keyword"))

    def read_side(self, name: str) -> list[Chunk]:
        """See :meth:`~..backend.Backend.read_side`."""
        chunks: list[Chunk] = []
        while not chunks or len(chunks) < chunks[0].parts:
            first = len(chunks)
            last = min(first + _SIDE_PARTS, chunks[0].parts) if chunks else 1
            part = self._side_part(name, range(first, last))
            if not part:
                break
            chunks += part
        return chunks

    def _side_part(self, name: str, parts: range) -> list[Chunk]:
        ids = [str(Key(name, part).uuid) for part in parts]
        try:  # an alias exists in some ways of asking, and not in others
            found = self._connection.ask(lambda c: c.retrieve(self._collection + SIDE, ids))
        except IndexNotFoundError:
            return []
        return [
            Chunk(
                int(one.payload["part"]),
                int(one.payload["parts"]),
                str(one.payload["digest"]),
                b64decode(one.payload["data"]),
            )
            for one in found
        ]

    def write_side(self, name: str, chunks: Sequence[Chunk]) -> None:
        """See :meth:`~..backend.Backend.write_side`."""
        m, side = models(), self._collection + SIDE
        if not self._connection.ask(lambda c: c.collection_exists(side)):
            copies = {} if self._replication is None else {"replication_factor": self._replication}
            self._make(side, {"vectors_config": {}, "shard_number": 1, **copies})
        for chunk in reversed(chunks):  # the first, which names their number, last
            values = chunk._asdict() | {"data": b64encode(chunk.data).decode("ascii")}
            point = m.PointStruct(id=str(Key(name, chunk.part).uuid), vector={}, payload=values)
            self._upsert(side, [point])

    def alias(self, name: str) -> None:
        """See :meth:`~..backend.Backend.alias`."""
        for behind in ("", SIDE):
            self._stand_for(name + behind, self._collection + behind)

    def _stand_for(self, alias: str, collection: str) -> None:
        m = models()
        known = self._connection.ask(lambda c: c.get_aliases()).aliases
        steps: list[Any] = []
        if any(one.alias_name == alias for one in known):
            steps.append(m.DeleteAliasOperation(delete_alias=m.DeleteAlias(alias_name=alias)))
        elif self._connection.ask(lambda c: c.collection_exists(alias)):
            raise IndexExistsError(
                f"there is a collection {alias!r} itself; an alias needs another name."
            )
        made = m.CreateAlias(collection_name=collection, alias_name=alias)
        steps.append(m.CreateAliasOperation(create_alias=made))
        self._connection.ask(lambda c: c.update_collection_aliases(steps))

    def drop(self) -> None:
        """See :meth:`~..backend.Backend.drop`."""
        for name in (self._collection, self._collection + SIDE):
            self._drop(name)

    def close(self) -> None:
        """See :meth:`~..backend.Backend.close`."""
        self._connection.close()

    def _make(self, collection: str, options: dict[str, Any]) -> None:
        """Make a collection; that it is there already, by whomever, is as good."""
        try:
            self._connection.ask(lambda c: c.create_collection(collection, **options))
        except ServerAnswerError:
            if not self._connection.ask(lambda c: c.collection_exists(collection)):
                raise

    def _drop(self, collection: str) -> None:
        if self._connection.ask(lambda c: c.collection_exists(collection)):
            self._connection.ask(lambda c: c.delete_collection(collection))

    def _upsert(self, collection: str, points: Sequence[Any]) -> None:
        self._connection.ask(
            lambda c: c.upsert(collection, points, wait=True, ordering=_ordering())
        )

    def _index(self, key: str, schema: Any) -> None:
        if self._connection.local:  # which keeps no indexes
            return
        self._connection.ask(
            lambda c: c.create_payload_index(self._collection, key, schema, wait=True)
        )


def _ordering() -> Any:
    return models().WriteOrdering.MEDIUM


def _whole(address: Address, name: str) -> int | None:
    value = address.options.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 1000:
        raise ConfigError(f"{name} in {address} must be a whole number above 0, not {value!r:.40}.")
    return int(value)
