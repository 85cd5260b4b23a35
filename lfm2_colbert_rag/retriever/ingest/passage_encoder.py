"""Texts of any length to windows of token vectors, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from ..._support.token_vectors import check_results, check_to_be_pooled
from ...encoder import Encoder
from ...types import TokenVectors, Window
from .pooler import Pooler
from .windows import Span, find_windows

# Texts cut into windows together, by their number and their characters, and windows encoded
# together: enough for an encoder to make batches of like length, little enough to hold (65 MB of
# vectors at 512 positions of 128).
TEXTS, CHARACTERS, WINDOWS = 1024, 2_000_000, 256

_Cut: TypeAlias = "tuple[int, Span]"  # the place of a text, and one of its windows


@dataclass(frozen=True)
class PassageEncoder:
    """Encodes passages as an index stores them.

    Attributes:
        encoder: what turns a text into vectors.
        overlap: tokens that consecutive windows share at most.
        pooler: makes fewer vectors of a window; keeps every one unless told otherwise.
    """

    encoder: Encoder
    overlap: int
    pooler: Pooler = field(default_factory=Pooler)

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Iterator[tuple[int, Window]]:
        """Encode texts; only one block of windows is held at a time.

        A pooler that is yet to be fitted is so to windows all over the first block of texts.

        Args:
            texts: any strings.
            progress: called with the number of texts finished since its last call.

        Yields:
            The place of a text in ``texts``, and one of its windows; in order. Of a long text, a
            window of which the encoder makes no vector is left out.

        Raises:
            InputError: vectors that cannot be pooled.
            MissingExtraError: pooling needs an extra that is not installed.
        """
        for start, block in _blocks(texts):
            spans = find_windows(self.encoder, block, self.overlap)
            report = _per_text(spans, progress)
            cuts = [(place, span) for place, each in enumerate(spans) for span in each]
            known = self._fit(block, cuts, report) if self.pooler.needs_fit else {}
            for first in range(0, len(cuts), WINDOWS):
                part = cuts[first : first + WINDOWS]
                known |= self._encode(block, [cut for cut in part if cut not in known], report)
                for place, span in part:
                    pooled = self.pooler.pool(known.pop((place, span)))
                    if pooled.vectors.size or len(spans[place]) == 1:
                        yield start + place, Window(span, pooled)

    def _fit(
        self,
        texts: Sequence[str],
        cuts: Sequence[_Cut],
        progress: Callable[[int], None] | None,
    ) -> dict[_Cut, TokenVectors]:
        """Fit the pooler to some of the windows, and return their vectors."""
        sample = self._encode(texts, cuts[:: max(1, -(-len(cuts) // WINDOWS))], progress)
        self.pooler.fit(list(sample.values()))
        return sample

    def _encode(
        self,
        texts: Sequence[str],
        cuts: Sequence[_Cut],
        progress: Callable[[int], None] | None,
    ) -> dict[_Cut, TokenVectors]:
        pieces = [texts[place][slice(*span)] for place, span in cuts]
        if not pieces:
            return {}
        encoded = self.encoder.encode_document(pieces, progress=progress)
        encoded = check_results(encoded, len(pieces), self.encoder)
        if self.pooler.pools:
            encoded = [check_to_be_pooled(one, self.encoder) for one in encoded]
        return {cut: moved(one, cut[1][0]) for cut, one in zip(cuts, encoded, strict=True)}


def moved(encoded: TokenVectors, start: int) -> TokenVectors:
    """Count the spans of a window's vectors from the beginning of its text."""
    # Markers have no characters, wherever their window begins.
    marked = encoded.spans[:, :1] < encoded.spans[:, 1:]
    return replace(encoded, spans=np.where(marked, encoded.spans + np.int32(start), 0))


def _blocks(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield runs of texts with the place of their first; at least one text each."""
    start, characters = 0, 0
    for place, text in enumerate(texts):
        characters += len(text)
        if place > start and (characters > CHARACTERS or place - start == TEXTS):
            yield start, texts[start:place]
            start, characters = place, len(text)
    yield start, texts[start:]


def _per_text(
    spans: Sequence[Sequence[Span]], progress: Callable[[int], None] | None
) -> Callable[[int], None] | None:
    """Turn progress in windows into progress in texts."""
    if progress is None:
        return None
    windows, done = sum(map(len, spans)), 0

    def report(finished: int) -> None:
        nonlocal done
        before, done = done, done + finished
        texts = len(spans) * done // windows - len(spans) * before // windows
        if texts:
            progress(texts)

    return report
