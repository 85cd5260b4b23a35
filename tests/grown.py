"""Indexes that are compressed although they are small, for tests of what happens to them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.index.compressed import CompressedIndex
from lfm2_colbert_rag.index.compressed.segment import CompressedSegment
from lfm2_colbert_rag.index.settings import DEFAULT_SETTINGS
from lfm2_colbert_rag.retriever.maintenance import compaction, stats
from lfm2_colbert_rag.retriever.search import index_cache

from .inside import segments_of, store_of

WORDS = [f"w{number}" for number in range(120)]


def compress_early(monkeypatch: pytest.MonkeyPatch, vectors: int = 300, fan_in: int = 4) -> None:
    """Let indexes be compressed at so many vectors, and segments be merged at so many."""
    set_policy(monkeypatch, auto_vectors=vectors, min_vectors=vectors, fan_in=fan_in)
    # Words without a meaning drift by nature; codebooks stay unless a test wants another.
    monkeypatch.setattr(stats, "DRIFT", 100.0)


def set_policy(monkeypatch: pytest.MonkeyPatch, **values: float) -> None:
    """Change when segments are rearranged."""
    monkeypatch.setattr(compaction, "DEFAULT_POLICY", replace(compaction.DEFAULT_POLICY, **values))


def always_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the inverted lists, however few vectors there are."""

    def make(live, settings=DEFAULT_SETTINGS) -> CompressedIndex:
        return CompressedIndex(live, settings, scan_vectors=0)

    monkeypatch.setattr(index_cache, "CompressedIndex", make)


def sentences(number: int, seed: int = 0, words: list[str] = WORDS) -> list[str]:
    """Make texts of a few words each."""
    chance = random.Random(seed)
    return [" ".join(chance.choices(words, k=chance.randint(4, 10))) for _ in range(number)]


def add(retriever: Retriever, number: int, seed: int = 0, words: list[str] = WORDS) -> list[str]:
    """Add so many passages in one commit."""
    ids = [f"s{seed}-{place}" for place in range(number)]
    return retriever.add(
        sentences(number, seed, words), ids=ids, metadata=[{"seed": seed}] * number
    )


def grow(folder: Path) -> Retriever:
    """Make a compressed index of several segments; some know words that the codebook lacks."""
    retriever = Retriever.open(folder, model="hash")
    add(retriever, 80)
    for seed in (1, 2):
        add(retriever, 30, seed, [*WORDS, *(f"new{number}" for number in range(30))])
    assert retriever.stats().storage == "compressed"
    return retriever


def kinds(retriever: Retriever) -> list[str]:
    """Name the kinds of its segments."""
    return [live.segment.info.kind for live in segments_of(retriever)]


def names(retriever: Retriever) -> list[str]:
    """Name its segments."""
    return [live.segment.info.name for live in segments_of(retriever)]


def held(retriever: Retriever) -> dict[str, list[tuple[np.ndarray, ...]]]:
    """Return what is stored of each passage: vectors, token ids, spans, and packed residuals."""
    snapshot = store_of(retriever).snapshot()
    rows = np.unique(np.concatenate([live.segment.rows for live in snapshot.segments] or [[]]))
    passages = store_of(retriever).catalog.passages(rows.astype(int).tolist())
    found: dict[str, list[tuple[np.ndarray, ...]]] = {}
    for live in snapshot.segments:
        segment = live.segment
        for position, row in enumerate(segment.rows.tolist()):
            if live.is_live(position):
                window = segment.window(position)
                parts = [window.encoded.vectors, window.encoded.token_ids, window.encoded.spans]
                if isinstance(segment, CompressedSegment):
                    start, end = segment.offsets[position : position + 2].tolist()
                    parts.append(np.array(segment.store.packed[start:end]))
                found.setdefault(passages[row].id, []).append(tuple(parts))
    return found


def assert_same(one: dict, other: dict) -> None:
    """Compare two answers of :func:`held` to the last bit."""
    assert one.keys() == other.keys()
    for id, windows in one.items():
        for mine, theirs in zip(windows, other[id], strict=True):
            for array, expected in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(array, expected)


def answers(retriever: Retriever, k: int = 30) -> list[list[tuple[str, float]]]:
    """Ask some questions."""
    return [
        [(hit.id, hit.score) for hit in hits]
        for hits in retriever.search_many(sentences(6, 77), k=k, mode="late")
    ]
