"""Search over compressed segments: by many threads, in little memory, and close to a full scan."""

from __future__ import annotations

import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from lfm2_colbert_rag.index import LiveSegment
from lfm2_colbert_rag.index.compressed import CompressedIndex
from lfm2_colbert_rag.index.compressed import search as compressed
from lfm2_colbert_rag.index.settings import DEFAULT_SETTINGS, PRESETS

from ...contract.kinds import THOROUGH
from ..made import corpus, questions, segment, voting_index

pytestmark = pytest.mark.long

DIM, NBITS = 20, 2


def answers(index: CompressedIndex, queries, k: int = 10):
    return [
        (one.rows.tolist(), one.scores.tolist(), one.windows.tolist())
        for one in index.search(queries, k)
    ]


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize("scan_vectors", [0, 10**9])
def test_eight_threads_find_what_one_finds(tmp_path, monkeypatch, threads, scan_vectors):
    monkeypatch.setenv("LFM2_COLBERT_THREADS", threads)
    made = segment(tmp_path / "s", corpus(900, DIM), NBITS, DIM)
    index = CompressedIndex([LiveSegment(made)], DEFAULT_SETTINGS, scan_vectors=scan_vectors)
    queries = questions(24, DIM)
    expected = [answers(index, [query])[0] for query in queries]
    wrong: list[object] = []

    def ask(seed: int) -> None:
        for place in np.random.default_rng(seed).permutation(len(queries)).tolist():
            found = answers(index, [queries[place]])[0]
            if found != expected[place]:
                wrong.append((place, found))

    askers = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert wrong == []


def peak_of_a_search(index: CompressedIndex, queries) -> int:
    """The median of some: other threads of the process allocate and free now and then."""
    for query in queries:
        index.search([query], 10)
    peaks = []
    tracemalloc.start()
    try:
        for _ in range(5):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            for query in queries:
                index.search([query], 10)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    return int(np.median(peaks))


def test_a_search_allocates_no_more_in_a_larger_index(tmp_path):
    settings = replace(PRESETS[0], candidates=64)
    queries = questions(5, DIM)
    peaks = [
        peak_of_a_search(
            voting_index(
                segment(tmp_path / f"s{n}", corpus(n, DIM), NBITS, DIM), settings=settings
            ),
            queries,
        )
        for n in (500, 4000)
    ]
    assert peaks[1] < 1.3 * peaks[0] + 10_000


@pytest.mark.parametrize("room", [2_000, compressed.NEAR_ROOM])
def test_a_question_of_many_vectors_finds_what_a_scan_finds(tmp_path, monkeypatch, room):
    """Though fewer centroids count as near to each of them, so that room does not run out."""
    monkeypatch.setattr(compressed, "NEAR_ROOM", room)
    made = segment(tmp_path / "s", corpus(1500, DIM), NBITS, DIM)
    queries = questions(5, DIM, length=300)
    voted = voting_index(made, settings=DEFAULT_SETTINGS).search(queries, 10)
    scanned = CompressedIndex([LiveSegment(made)], scan_vectors=10**9).search(queries, 10)
    found = [len(set(a.rows) & set(b.rows)) for a, b in zip(voted, scanned, strict=True)]
    assert np.mean(found) >= 9
    assert compressed._near(DEFAULT_SETTINGS, 5) == min(DEFAULT_SETTINGS.near, room // 25)
    assert compressed._near(DEFAULT_SETTINGS, 10_000) == 1


def test_votes_find_what_a_scan_finds(tmp_path):
    made = segment(tmp_path / "s", corpus(1500, DIM), NBITS, DIM)
    queries = questions(20, DIM)
    voted = voting_index(made).search(queries, 10)
    scanned = CompressedIndex([LiveSegment(made)], scan_vectors=10**9).search(queries, 10)
    for one, other in zip(voted, scanned, strict=True):
        assert one.rows.tolist() == other.rows.tolist()
        assert one.scores.tolist() == other.scores.tolist()


def test_the_most_thorough_preset_finds_more_than_the_fastest(tmp_path):
    made = segment(tmp_path / "s", corpus(3000, DIM), NBITS, DIM)
    index, queries = voting_index(made), questions(30, DIM)
    truths = [set(ranking.rows[:10].tolist()) for ranking in index.scan(queries, 10)]
    recalls = []
    for settings in (PRESETS[0], PRESETS[-1]):
        found = [index.search_with_traces([q], 10, settings=settings)[0][0] for q in queries]
        hits = [
            len(set(one.rows[:10].tolist()) & truth)
            for one, truth in zip(found, truths, strict=True)
        ]
        recalls.append(sum(hits) / 10 / len(queries))
    assert recalls[-1] >= 0.95
    assert recalls[-1] >= recalls[0]


def test_plans_say_which_way_was_taken(tmp_path):
    made = segment(tmp_path / "s", corpus(400, DIM), NBITS, DIM)
    query = questions(1, DIM)
    ways = {
        scan: CompressedIndex([LiveSegment(made)], THOROUGH, scan_vectors=scan)
        .search_with_traces(query, 5)[0][1]
        .method
        for scan in (0, 10**9)
    }
    assert ways == {0: "votes", 10**9: "scan"}
    few = np.array([3, 4], dtype=np.int64)
    index = CompressedIndex([LiveSegment(made)], THOROUGH, scan_vectors=1000)
    plan = index.search_with_traces(query, 5, rows=few)[0][1]
    assert (plan.method, plan.windows, plan.scored) == ("scan", 2, 2)


def test_fewer_than_k_votes_are_made_up_by_a_scan(tmp_path):
    """As many passages come back as there are, however few lists were walked."""
    made = segment(tmp_path / "s", corpus(300, DIM), NBITS, DIM)
    sparse = replace(PRESETS[0], nprobe=1, near=1, groups=0.01, candidates=1)
    ranking = voting_index(made, settings=sparse).search(questions(1, DIM), 300)[0]
    assert sorted(ranking.rows.tolist()) == list(range(1, 301))
