"""What questions to an index in an engine need to know of it: its size, its languages, chance."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..._support.forking import renew_in_child
from ...encoder.background import Background, encode_background
from ...storage.row_languages import is_mixed
from ..search.chance import MANY, Chance, chance_of
from ..search.mixed_languages import MIXED
from ..search.relevance import WINDOWS, affordable
from .home import FRESH

if TYPE_CHECKING:
    from ...cluster.plan import Selection
    from ...types import TokenMatrix
    from .home import RemoteHome

_GROWTH = 1.25  # sampled anew when the index is so much larger, or smaller


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a part of an index.

    Attributes:
        windows: how many it has.
        languages: how many passages are in each language, the most frequent first.
        vectors: how many token vectors it has, as a sample of its windows tells.
        chance: what questions score by chance in it.
    """

    windows: int
    languages: Mapping[str, int]
    vectors: int
    chance: Chance

    @property
    def passages(self) -> int:
        """How many passages it has."""
        return sum(self.languages.values())

    @property
    def is_mixed(self) -> bool:
        """Whether they are in several languages."""
        return is_mixed(self.languages, MIXED)


class Knowledge:
    """Looks at a part of an index now and then: after writes of this process, and by the clock.

    Chance is told by the windows that come first by their ids in the engine, which are hashes: so
    the sample is random, the same for everyone, and changes little when passages are added.

    Args:
        home: the index.
        selection: the part.
    """

    def __init__(self, home: RemoteHome, selection: Selection) -> None:
        self._home, self._selection = home, selection
        self._known: Known | None = None
        self._at, self._writes, self._sampled = 0.0, -1, 0
        self.renew_after_fork()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._looking = threading.Lock()

    def now(self) -> Known:
        """Return what is known."""
        known = self._known
        if known is not None and self._is_fresh():
            return known
        with self._looking:
            if self._known is None or not self._is_fresh():
                writes = self._home.writes
                self._known = self._look()
                self._writes, self._at = writes, time.monotonic()
            return self._known

    def forget(self) -> None:
        """Look again when something is asked next."""
        self._writes = -1

    def _is_fresh(self) -> bool:
        return self._writes == self._home.writes and time.monotonic() - self._at < FRESH

    def _look(self) -> Known:
        backend, known = self._home.backend, self._known
        windows = backend.count(self._selection)
        found = backend.languages(replace(self._selection, heads=True))
        languages = dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))
        same = known is not None and self._sampled
        if same and windows > MANY and 1 / _GROWTH < windows / self._sampled < _GROWTH:
            assert known is not None
            vectors = round(known.vectors * windows / max(1, known.windows))
            return Known(windows, languages, vectors, known.chance)
        sample = self._sample()
        mean = sum(map(len, sample)) / max(1, len(sample))
        former = None if known is None else known.chance.own
        self._sampled = windows
        chance = chance_of(sample, windows, self.background, former)
        return Known(windows, languages, round(mean * windows), chance)

    def _sample(self) -> list[TokenMatrix]:
        found = self._home.backend.scroll(self._selection, WINDOWS, vectors=("colbert",))
        matrices = [
            np.asarray(one.vectors.colbert, np.float32)
            for one in found
            if one.vectors.colbert is not None
        ]
        kept = affordable(np.array([len(one) for one in matrices], np.int64))
        return [matrices[place] for place in kept.tolist()]

    def background(self) -> Background:
        """Return the background of the model."""
        return encode_background(self._home.encoder())
