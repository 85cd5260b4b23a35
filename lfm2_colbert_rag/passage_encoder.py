"""Texts of any length to windows of token vectors, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from .encoder import Encoder
from .pooling import in_text_order, pool_vectors
from .types import TokenVectors, Window
from .windows import Span, find_windows

# Texts cut into windows together, by their number and their characters, and windows encoded
# together: enough for an encoder to make batches of like length, little enough to hold (65 MB of
# vectors at 512 positions of 128).
TEXTS, CHARACTERS, WINDOWS = 1024, 2_000_000, 256


@dataclass(frozen=True)
class PassageEncoder:
    """Encodes passages as an index stores them.

    Attributes:
        encoder: what turns a text into vectors.
        overlap: tokens that consecutive windows share at most.
        pool_factor: see :func:`~lfm2_colbert_rag.pooling.pool_vectors`; 1 keeps every vector.
    """

    encoder: Encoder
    overlap: int
    pool_factor: int = 1

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Iterator[tuple[int, Window]]:
        """Encode texts; only one block of windows is held at a time.

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
            cut = ((place, span) for place, each in enumerate(spans) for span in each)
            while part := list(islice(cut, WINDOWS)):
                for (place, span), encoded in zip(
                    part, self._encode(block, part, report), strict=True
                ):
                    if len(encoded) or len(spans[place]) == 1:
                        yield start + place, Window(span, encoded)

    def _encode(
        self,
        texts: Sequence[str],
        part: Sequence[tuple[int, Span]],
        progress: Callable[[int], None] | None,
    ) -> Iterator[TokenVectors]:
        pieces = [texts[place][slice(*span)] for place, span in part]
        encoded = self.encoder.encode_document(pieces, progress=progress)
        for (_, (start, _)), one in zip(part, encoded, strict=True):
            # Markers have no characters, wherever their window begins.
            spans = np.where(one.spans[:, :1] < one.spans[:, 1:], one.spans + np.int32(start), 0)
            pooled = pool_vectors(replace(one, spans=spans), self.pool_factor)
            yield in_text_order(pooled) if self.pool_factor > 1 else pooled


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
