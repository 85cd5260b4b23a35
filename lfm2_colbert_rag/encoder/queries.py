"""Queries in batches: those of all threads are encoded together; an LRU cache keeps the last.

How long a query takes tells whether somebody has asked it before. Where that is nobody's business,
each asks within :func:`asking_for`, and finds what was kept for the same party only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from typing import TypeAlias

import numpy as np
from cachetools import LRUCache

from .._support.forking import renew_in_child
from ..types import TokenVectors

Compute = Callable[[Sequence[str]], list[TokenVectors]]

_Asked: TypeAlias = tuple[str | None, str]  # for whom, and what

_party: ContextVar[str | None] = ContextVar("party", default=None)


@contextmanager
def asking_for(party: str | None) -> Iterator[None]:
    """Encode queries on behalf of somebody, as long as the block lasts.

    Args:
        party: who shares what the caches keep; None for all who do not say.
    """
    token = _party.set(party)
    try:
        yield
    finally:
        _party.reset(token)


class QueryBatcher:
    """Encodes the queries of any number of threads in batches.

    The first idle thread encodes all pending queries in one call; no thread waits for a batch to
    fill. A query that is being encoded, or is in the LRU cache, is not encoded again. Safe to
    share between threads.

    Args:
        cache_size: how many queries the LRU cache holds; 0 keeps none.

    Example:
        >>> batcher = QueryBatcher(cache_size=256)
        >>> [vectors] = batcher.encode(["Where is it?"], compute)      # doctest: +SKIP
    """

    def __init__(self, cache_size: int) -> None:
        self._cache_size = cache_size
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Begin anew: threads of the parent that encode, or wait, are not in the child."""
        self._cache: LRUCache[_Asked, TokenVectors] = LRUCache(self._cache_size)
        self._pending: dict[_Asked, Future[TokenVectors]] = {}
        self._busy = False  # whether some thread encodes
        self._state = threading.Condition()  # guards all of the above, held for an instant

    def encode(self, texts: Sequence[str], compute: Compute) -> list[TokenVectors]:
        """Encode queries.

        Args:
            texts: the queries.
            compute: encodes a batch; must be one and the same pure function of each text in all
                calls. (It is not kept: it mostly belongs to the owner of this batcher, which must
                not be kept alive by it.)

        Returns:
            One result a text, in order; their arrays are read-only.
        """
        party = _party.get()
        asked = [(party, text) for text in texts]
        found, pending = self._look_up(asked)
        while batch := self._next_batch(pending):
            self._encode_batch(batch, compute)
        found |= {one: future.result() for one, future in pending.items()}
        return [found[one] for one in asked]

    def _look_up(
        self, asked: Sequence[_Asked]
    ) -> tuple[dict[_Asked, TokenVectors], dict[_Asked, Future[TokenVectors]]]:
        """Take what the cache holds, and add the rest, once each, to the pending queries."""
        found: dict[_Asked, TokenVectors] = {}
        pending: dict[_Asked, Future[TokenVectors]] = {}
        with self._state:
            for one in asked:
                if (cached := self._cache.get(one)) is not None:
                    found[one] = cached
                else:
                    pending[one] = self._pending.setdefault(one, Future())
        return found, pending

    def _next_batch(
        self, awaited: dict[_Asked, Future[TokenVectors]]
    ) -> dict[_Asked, Future[TokenVectors]]:
        """Wait until the awaited queries are encoded, or no other thread is encoding.

        Returns:
            All pending queries, of whichever thread, to encode; empty when the awaited ones are
            done.
        """
        with self._state:
            while not all(future.done() for future in awaited.values()):
                if not self._busy:
                    self._busy = True
                    batch, self._pending = self._pending, {}
                    return batch
                self._state.wait()
        return {}

    def _encode_batch(self, batch: dict[_Asked, Future[TokenVectors]], compute: Compute) -> None:
        asked = list(batch)
        try:
            encoded = compute([text for _, text in asked])
            for one, vectors in zip(asked, encoded, strict=True):
                _freeze(vectors)
                batch[one].set_result(vectors)
            self._keep(asked, encoded)
        except BaseException as error:
            for future in batch.values():
                if not future.done():
                    future.set_exception(error)
        finally:
            with self._state:
                self._busy = False
                self._state.notify_all()

    def _keep(self, asked: Sequence[_Asked], encoded: Sequence[TokenVectors]) -> None:
        if self._cache.maxsize:
            with self._state:
                self._cache.update(zip(asked, encoded, strict=True))


def _freeze(vectors: TokenVectors) -> None:
    for part in fields(vectors):
        array = getattr(vectors, part.name)
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
