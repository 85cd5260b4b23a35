"""Passages that were encoded for somebody's question and may be asked of again: an LRU cache.

Chatbots rerank the same texts again and again. How long that takes tells whether somebody has done
it before, so what is kept is kept for those who share it only; see :mod:`.queries`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from cachetools import LRUCache

from .._support.forking import renew_in_child
from ..types import Window

Windows: TypeAlias = tuple[Window, ...]
"""The windows of one text, in order."""

MOST_BYTES = 128 << 20
"""Of all vectors that :data:`ENCODED` keeps: some 2,000 passages of 128 tokens."""


class EncodedTexts:
    """Keeps windows of texts by who asked for them; safe to use from several threads.

    Args:
        most: bytes of their arrays, about.

    Example:
        >>> kept = EncodedTexts(1 << 20)
        >>> kept.find("acme", ["a text"])
        {}
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Begin anew: another thread of the parent may have been about to change it."""
        self._kept: LRUCache[bytes, Windows] = LRUCache(self._most, getsizeof=_size)
        self._changing = threading.Lock()

    def find(self, party: str, texts: Iterable[str]) -> dict[str, Windows]:
        """Return what is kept of some texts.

        Args:
            party: who shares it, by which model it was encoded, and how texts were cut.
            texts: the texts.
        """
        keys = {text: _key(party, text) for text in texts}
        with self._changing:
            found = {text: self._kept.get(key) for text, key in keys.items()}
        return {text: windows for text, windows in found.items() if windows is not None}

    def keep(self, party: str, encoded: Mapping[str, Windows]) -> None:
        """Keep the windows of texts; those asked for longest ago make room."""
        with self._changing:
            for text, windows in encoded.items():
                if _size(windows) <= self._most:
                    self._kept[_key(party, text)] = windows


def _key(party: str, text: str) -> bytes:
    whose = hashlib.sha256(party.encode("utf-8", "surrogatepass")).digest()
    return hashlib.sha256(whose + text.encode("utf-8", "surrogatepass")).digest()


def _size(windows: Windows) -> int:
    arrays = [
        array
        for one in windows
        for array in (one.encoded.vectors, one.encoded.token_ids, one.encoded.spans)
    ]
    return 128 + sum(array.nbytes for array in arrays)


ENCODED = EncodedTexts(MOST_BYTES)
"""One for the process: an index each would be memory without end where there are many."""
