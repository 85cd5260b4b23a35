"""Small indexes of every kind, each with a twin: the same with other texts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfm2_colbert_rag import QueryAdapter, Retriever
from lfm2_colbert_rag.encoder.query_adapter import weights_of
from lfm2_colbert_rag.testing import HashEncoder

from ..grown import always_vote, set_policy

WORDS = [f"w{number}" for number in range(30)]
NEW_WORDS = [f"new{number}" for number in range(8)]  # no codebook knows them
SCRIPTS = [
    "会議室 の 予約 は 三階",
    "мост через реку",
    "café 👩‍👩‍👧 über 👍🏽",
    "ملف الضمان",
    "नमस्ते दुनिया",
]
LANGUAGES = ["ja", "ru", "fr", "ar", "hi"]
# Everything that is asked: by words of all passages, by rare ones, and in two scripts.
QUESTIONS = ["w1 w2 w3 w4 w5 w6", "w7 new3 w20 new5", "会議室 w9 👍🏽 new1"]
EXACT_ARRAYS = ("vectors", "token_ids", "spans", "offsets", "rows", "windows")
COMPRESSED_ARRAYS = (
    "codes", "packed", "norms", "spans", "span_sizes", "lengths", "row_steps", "windows",
    "list_bounds", "list_steps", "list_sizes", "listed",
    "extra_centroids", "extra_scales", "extra_tokens",
)  # fmt: skip
CODEBOOK_ARRAYS = ("rotation", "centroids", "scales", "tokens", "groups", "bounds", "pivots")


@dataclass(frozen=True)
class Kind:
    """A kind of index.

    Attributes:
        name: of the kind.
        options: what it is made with.
        length: words of a document at most; longer texts have several windows.
        votes: whether searches ask the inverted lists, however few vectors there are.
        merged: whether its segments but the last were merged to one.
        adapted: whether its questions go through an adapter, and went through another before.
        migrated: whether another model served before, whose vectors are kept.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    length: int = 512
    votes: bool = False
    merged: bool = False
    adapted: bool = False
    migrated: bool = False

    @property
    def compressed(self) -> bool:
        """Whether vectors are kept in a few bits."""
        return self.options["storage"] == "compressed"

    @property
    def lexical(self) -> bool:
        """Whether terms are kept."""
        return self.options.get("lexical", True)

    @property
    def arrays(self) -> tuple[str, ...]:
        """The arrays of its segments."""
        return COMPRESSED_ARRAYS if self.compressed else EXACT_ARRAYS

    def encoder(self) -> HashEncoder:
        """Return its model."""
        return HashEncoder(document_length=self.length)

    @contextmanager
    def policy(self) -> Iterator[None]:
        """Compress and search as this kind does, at a few hundred vectors."""
        with pytest.MonkeyPatch.context() as patched:
            set_policy(patched, auto_vectors=60, min_vectors=60, fan_in=50)
            if self.votes:
                always_vote(patched)
            yield

    def open(self, folder: Path, model: HashEncoder | None = None, **options: Any) -> Retriever:
        """Open an index of the kind; writers do not wait for one another."""
        encoder = self.encoder() if model is None else model
        return Retriever.open(folder, model=encoder, lock_timeout=0.5, **options)

    def build(self, folder: Path, seed: int) -> None:
        """Make an index: three commits, rare words in the last two, some deletions."""
        first = HashEncoder(document_length=self.length, salt=1) if self.migrated else None
        with self.open(folder, first, **self.options) as retriever:
            _add(retriever, "a", 14, seed, WORDS, self.length)
            _add(retriever, "b", 5, seed + 1, [*WORDS, *NEW_WORDS], self.length)
            if self.merged:
                retriever.optimize(forget_after=0)
            _add(retriever, "c", 5, seed + 2, [*WORDS, *NEW_WORDS], self.length)
            retriever.delete(["a3", "b2", "c3"])
            retriever.create_filter_index("lang")
            for number in (1, 2) if self.adapted else ():
                retriever.migrate(_adapter(seed + number, self.encoder()))
            if self.migrated:
                retriever.migrate(self.encoder())
            expected = "compressed" if self.compressed else "exact"
            assert retriever.stats().storage == expected


def _adapter(seed: int, encoder: HashEncoder) -> QueryAdapter:
    noise = np.random.default_rng(seed).standard_normal((encoder.dim, encoder.dim))
    matrix = np.eye(encoder.dim) + noise / 4
    return QueryAdapter(matrix.astype(np.float32), weights_of(encoder), "always")


def _add(
    retriever: Retriever, prefix: str, number: int, seed: int, words: list[str], length: int
) -> None:
    chance = random.Random(seed)
    texts = []
    for place in range(number):
        longest = 3 * length if place % 6 == 0 and length < 100 else 10
        drawn = chance.choices(words, k=chance.randint(4, longest))
        texts.append(" ".join([*drawn, SCRIPTS[place % 5]] if place % 3 == 0 else drawn))
    retriever.add(
        texts,
        ids=[f"{prefix}{place}" for place in range(number)],
        metadata=[{"lang": LANGUAGES[place % 5], "n": place} for place in range(number)],
    )


KINDS = {
    kind.name: kind
    for kind in (
        Kind("exact", {"storage": "exact"}, migrated=True),
        Kind("exact-long", {"storage": "exact", "lexical": False}, length=24, adapted=True),
        Kind("compressed-4", {"storage": "compressed", "nbits": 4}, votes=True),
        Kind("compressed-2", {"storage": "compressed", "nbits": 2, "lexical": False}, length=24),
        Kind("merged-4", {"storage": "compressed", "nbits": 4}, length=24, votes=True, merged=True),
        Kind("pooled-4", {"storage": "compressed", "nbits": 4, "pool_factor": 2}),
    )
}
