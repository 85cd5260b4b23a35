"""Passages of known structure, as many as wanted, made as they are asked for.

Every vocabulary id has a direction, words are as frequent as Zipf says, and a passage has a topic
that turns all its vectors a little and makes some words frequent in it; what is left is noise. Ten
passages at a time are a family: each has less of the first one's words than the one before. A query
takes some vectors of a first one, turned a little more, so that its family should be found. Vectors
of random directions would have no clusters, and say nothing of an index.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

VOCABULARY, TOPICS, TOPIC_WORDS = 50_000, 4_000, 40
LENGTH, DIM, QUERY = 100, 128, 32
FAMILY = 10
# Shares of topic and noise in a vector, to the length 1 of its word's direction; with them the
# squared residual is about that of the bundled model's vectors (0.27).
TOPIC, NOISE, QUERY_NOISE = 0.30, 0.45, 0.35


@dataclass(frozen=True, eq=False)
class Block:
    """Some passages.

    Attributes:
        vectors: ``(passages * LENGTH, DIM)`` float32 of unit length.
        token_ids: ``(passages * LENGTH,)`` int32.
    """

    vectors: npt.NDArray[np.float32]
    token_ids: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self.token_ids) // LENGTH

    def matrices(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield each passage's vectors."""
        return iter(self.vectors.reshape(-1, LENGTH, DIM))

    def tokens(self) -> Iterator[npt.NDArray[np.int32]]:
        """Yield each passage's vocabulary ids."""
        return iter(self.token_ids.reshape(-1, LENGTH))


class World:
    """Words, topics and what is drawn from them; the same for the same seed."""

    def __init__(self, seed: int = 3) -> None:
        chance = np.random.default_rng(seed)
        self._words = _unit(chance.standard_normal((VOCABULARY, DIM)))
        self._topics = _unit(chance.standard_normal((TOPICS, DIM))) * TOPIC
        self._noise = _unit(chance.standard_normal((1 << 16, DIM))) * NOISE
        self._frequent = chance.integers(0, VOCABULARY, (TOPICS, TOPIC_WORDS))
        weights = 1 / (np.arange(VOCABULARY) + 10.0)
        self._share = np.cumsum(weights / weights.sum())
        self._seed = seed

    def block(self, number: int, passages: int) -> Block:
        """Draw the passages of a block; the same for the same number."""
        chance = np.random.default_rng((self._seed, number))
        topics = np.repeat(chance.integers(0, TOPICS, -(-passages // FAMILY)), FAMILY)[:passages]
        shape = (passages, LENGTH)
        tokens = np.searchsorted(self._share, chance.random(shape))
        special = chance.random(shape) < 0.25
        chosen = self._frequent[topics[:, None], chance.integers(0, TOPIC_WORDS, shape)]
        tokens = np.minimum(np.where(special, chosen, tokens), VOCABULARY - 1).astype(np.int32)
        noise = chance.integers(0, len(self._noise), shape)
        member = np.arange(passages) % FAMILY
        kept = chance.random(shape) < (1 - member / FAMILY)[:, None]
        first = (np.arange(passages) - member)[:, None]
        places = np.broadcast_to(np.arange(LENGTH), shape)
        tokens = np.where(kept, tokens[first, places], tokens)
        noise = np.where(kept, noise[first, places], noise)
        vectors = self._words[tokens]
        vectors += self._topics[topics][:, None]
        vectors += self._noise[noise]
        return Block(_unit(vectors.reshape(-1, DIM)), tokens.reshape(-1))

    def queries(self, block: Block, number: int) -> list[npt.NDArray[np.float32]]:
        """Ask for passages of a block with some of their vectors, turned a little."""
        chance = np.random.default_rng((self._seed, 1 << 20))
        found = []
        for passage in chance.choice(len(block) // FAMILY, number, replace=False).tolist():
            places = passage * FAMILY * LENGTH + chance.choice(LENGTH, QUERY, replace=False)
            noise = _unit(chance.standard_normal((QUERY, DIM))) * QUERY_NOISE
            found.append(_unit(block.vectors[places] + noise))
        return found


def _unit(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    wide = vectors.astype(np.float32, copy=False)
    wide /= np.linalg.norm(wide, axis=-1, keepdims=True)
    return wide
