"""Questions on their way to the model.

Those asked at the same time are computed together; those asked again come from a cache.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import fields

import numpy as np

from ..types import TokenVectors

Compute = Callable[[Sequence[str]], list[TokenVectors]]


class QueryDesk:
    """Encodes questions for any number of threads.

    Whoever finds the model free takes every question that is waiting and computes them in one
    call; nobody waits for company. A question that is being computed, or is in the cache, is not
    computed again. Safe to share between threads.

    Args:
        cache_size: how many of the last questions are kept; 0 keeps none.

    Example:
        >>> desk = QueryDesk(cache_size=256)
        >>> [vectors] = desk.encode(["Where is it?"], compute)         # doctest: +SKIP
    """

    def __init__(self, cache_size: int) -> None:
        self._cache_size = cache_size
        self._cache: OrderedDict[str, TokenVectors] = OrderedDict()
        self._waiting: dict[str, Future[TokenVectors]] = {}
        self._busy = False  # whether some thread computes
        self._state = threading.Condition()  # guards all of the above, held for an instant

    def encode(self, texts: Sequence[str], compute: Compute) -> list[TokenVectors]:
        """Encode some questions.

        Args:
            texts: the questions.
            compute: encodes some texts at once; must be one and the same pure function of each
                text in all calls. (It is not kept: it mostly belongs to the owner of this desk,
                which must not be kept alive by it.)

        Returns:
            One result a text, in order; their arrays are read-only.
        """
        found, pending = self._claim(texts)
        while turn := self._next_turn(pending):
            self._compute(turn, compute)
        found |= {text: future.result() for text, future in pending.items()}
        return [found[text] for text in texts]

    def _claim(
        self, texts: Sequence[str]
    ) -> tuple[dict[str, TokenVectors], dict[str, Future[TokenVectors]]]:
        """Take what the cache holds, and put the rest, once each, with what is waiting."""
        found: dict[str, TokenVectors] = {}
        pending: dict[str, Future[TokenVectors]] = {}
        with self._state:
            for text in texts:
                if text in self._cache:
                    self._cache.move_to_end(text)
                    found[text] = self._cache[text]
                else:
                    pending[text] = self._waiting.setdefault(text, Future())
        return found, pending

    def _next_turn(
        self, pending: dict[str, Future[TokenVectors]]
    ) -> dict[str, Future[TokenVectors]]:
        """Wait until one's own questions are answered, or it is one's turn to compute.

        Returns:
            The questions to compute, everybody's; empty when one's own are answered.
        """
        with self._state:
            while not all(future.done() for future in pending.values()):
                if not self._busy:
                    self._busy = True
                    turn, self._waiting = self._waiting, {}
                    return turn
                self._state.wait()
        return {}

    def _compute(self, turn: dict[str, Future[TokenVectors]], compute: Compute) -> None:
        texts = list(turn)
        try:
            encoded = compute(texts)
            for text, vectors in zip(texts, encoded, strict=True):
                _freeze(vectors)
                turn[text].set_result(vectors)
            self._remember(texts, encoded)
        except BaseException as error:
            for future in turn.values():
                if not future.done():
                    future.set_exception(error)
        finally:
            with self._state:
                self._busy = False
                self._state.notify_all()

    def _remember(self, texts: Sequence[str], encoded: Sequence[TokenVectors]) -> None:
        with self._state:
            self._cache.update(zip(texts, encoded, strict=True))
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)


def _freeze(vectors: TokenVectors) -> None:
    for part in fields(vectors):
        array = getattr(vectors, part.name)
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
