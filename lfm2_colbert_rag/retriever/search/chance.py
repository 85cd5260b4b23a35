"""What questions score by chance: of windows of the index, and where they are few, of a background.

Few windows cannot say it. They may all be about what was asked, and where they are not, a handful
has no standard deviation to speak of. So up to :data:`FEW` windows, the background that comes with
the model speaks for them (:mod:`lfm2_colbert_rag.encoder.background`), cut into pieces as long as
the index's windows and weighed by the languages that these are in. From there to :data:`MANY` they
take over bit by bit, so that no passage that is added makes a difference that anybody could see.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..._support.forking import renew_in_child
from .relevance import (
    MIN_SPREAD,
    MIN_WINDOWS,
    Baseline,
    BaselineSample,
    WindowVectors,
    sample_windows,
)

if TYPE_CHECKING:
    from ...encoder.background import Background
    from ...storage.store import Snapshot
    from ...types import TokenMatrix

FEW, MANY = MIN_WINDOWS, 128  # windows that count nothing, and all
_LONGEST, _SHORTEST = 256, 8  # pieces of the background, in vectors
_SCALE = 3.0  # 2.4 to 4.8 were measured for passages of 145 to 234 vectors, 1.4 for sentences of 32
# Enough of an index to tell its languages by.
_WINDOWS, _VECTORS = 24, 16
_GROWTH = 1.25  # sampled anew when the index is so much larger, or smaller


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of the background, end to end, language after language.

    Attributes:
        windows: the pieces.
        owners: ``(pieces,)`` the language of each, ascending.
        shares: ``(languages,)`` which part of an index is in each; they sum to 1.
        scale: what a passage's variance is of a piece's: 1 to :data:`_SCALE`. A piece of several
            texts is about several things, and scores more evenly than a passage about one.
    """

    windows: WindowVectors
    owners: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]
    scale: float

    @classmethod
    def like(cls, background: Background, windows: Sequence[TokenMatrix]) -> Pieces:
        """Cut the background into pieces as long as windows usually are, in their languages."""
        languages = background.languages
        usual = int(np.median([len(one) for one in windows]))
        length = min(max(usual, _SHORTEST), _LONGEST)
        counts = [max(1, round(len(one) / length)) for one in languages]
        sizes = [
            np.diff(np.linspace(0, len(one), count + 1).astype(np.int64))
            for one, count in zip(languages, counts, strict=True)
        ]
        return cls(
            WindowVectors(np.concatenate(languages), np.concatenate(sizes)),
            np.repeat(np.arange(len(languages)), counts),
            _shares(languages, windows),
            min(_SCALE, max(1.0, length * background.texts / len(background.vectors))),
        )

    def baseline(self, query: TokenMatrix) -> Baseline:
        """Return what a query scores by chance in an index of these languages."""
        scores = self.windows.scores(query).astype(np.float64)
        counts = np.bincount(self.owners)
        means = np.bincount(self.owners, scores) / counts
        within = float(((scores - means[self.owners]) ** 2).sum())
        mean = float(self.shares @ means)
        variance = self.scale * within / max(1, len(scores) - len(counts))
        variance += float(self.shares @ (means - mean) ** 2)
        return Baseline(mean, max(variance**0.5, MIN_SPREAD * len(query)))


def _shares(
    languages: Sequence[TokenMatrix], windows: Sequence[TokenMatrix]
) -> npt.NDArray[np.float64]:
    """Return which part of the windows is nearest to each language."""
    known = WindowVectors.of(languages)
    nearest = [int(known.scores(_some(window)).argmax()) for window in _spread(windows)]
    return np.bincount(nearest, minlength=len(languages)) / len(nearest)


def _spread(windows: Sequence[TokenMatrix]) -> list[TokenMatrix]:
    places = np.linspace(0, len(windows) - 1, min(_WINDOWS, len(windows))).astype(np.int64)
    return [windows[place] for place in places]


def _some(window: TokenMatrix) -> TokenMatrix:
    places = np.linspace(0, len(window) - 1, min(_VECTORS, len(window))).astype(np.int64)
    return window[places]


@dataclass(frozen=True, eq=False)
class Chance:
    """What is known of scores by chance.

    Attributes:
        own: windows of the index; None where it has too few.
        share: what they count beside the background, 0..1.
        pieces: the background; None where it does not count, or there is none.
    """

    own: BaselineSample | None
    share: float
    pieces: Pieces | None

    def baseline(self, query: TokenMatrix) -> Baseline | None:
        """Return what a query scores by chance; None where nothing is known.

        Args:
            query: ``(query tokens, dim)`` float32.
        """
        known = [one.baseline(query) for one in (self.own, self.pieces) if one is not None]
        if len(known) < 2:
            return known[0] if known else None
        own, other = known
        return Baseline(
            self.share * own.mean + (1 - self.share) * other.mean,
            self.share * own.std + (1 - self.share) * other.std,
        )


def chance_of(
    windows: Sequence[TokenMatrix],
    total: int,
    background: Callable[[], Background],
    former: BaselineSample | None = None,
) -> Chance:
    """Say what is known of scores by chance.

    Args:
        windows: some windows of an index, or of candidates; their vectors, ``(n, dim)`` float32.
        total: how many there are.
        background: encodes it, where it counts.
        former: what was known of the same index before.
    """
    share = _share(total)
    own = BaselineSample.of(windows, former) if len(windows) >= MIN_WINDOWS else None
    if share == 1 or not windows:
        return Chance(own, share, None)
    known = background()
    return Chance(own, share, Pieces.like(known, windows) if known.languages else None)


def _share(total: int) -> float:
    """Return what so many windows count beside the background."""
    return min(1.0, max(0.0, (total - FEW) / (MANY - FEW)))


class Chances:
    """What is known of chance in an index that changes: found when first asked for, and kept.

    Args:
        background: encodes the background.
    """

    def __init__(self, background: Callable[[Snapshot], Background]) -> None:
        self._background = background
        self._lock = threading.Lock()
        # Of which folder, space and generation, and what is known there: told together.
        self._known: tuple[tuple[object, str, int] | None, Chance] = None, Chance(None, 0.0, None)
        self._windows = 0
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Make the lock anew, which another thread of the parent may hold."""
        self._lock = threading.Lock()

    def of(self, snapshot: Snapshot) -> Chance:
        """Return what is known in a generation, or was in a former one of about the same size."""
        wanted = snapshot.folder, snapshot.settings.space, snapshot.generation
        known, chance = self._known
        if wanted == known:
            return chance
        with self._lock:
            windows = sum(live.windows for live in snapshot.segments)
            known, chance = self._known
            same = known is not None and known[:2] == wanted[:2]
            if same and self._is_alike(windows, chance):
                if _share(windows) != chance.share:
                    chance = replace(chance, share=_share(windows))
            else:
                former = chance.own if same else None
                sample = sample_windows(snapshot.segments)
                background = partial(self._background, snapshot)
                chance = chance_of(sample, windows, background, former)
                self._windows = windows
            self._known = wanted, chance
            return chance

    def prepare(self, snapshot: Snapshot) -> None:
        """Work out beforehand what questions to a generation will need.

        Nothing is done where nobody has asked yet and the model's background would be needed.
        """
        windows = sum(live.windows for live in snapshot.segments)
        if self._known[0] is None and windows < MANY:
            return
        own = self.of(snapshot).own
        if own is not None:
            _ = own.spread

    def _is_alike(self, windows: int, chance: Chance) -> bool:
        """Tell whether what was sampled still stands for an index of so many windows."""
        if not self._windows or not 1 / _GROWTH < windows / self._windows < _GROWTH:
            return False
        if windows >= FEW and chance.own is None:
            return False
        return windows >= MANY or chance.pieces is not None or chance.share < 1
