"""What an index says of its recall, beside exact search over vectors that a test has kept."""

from __future__ import annotations

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.index.base import LiveSegment, LiveSegments
from lfm2_colbert_rag.index.compressed import CompressedIndex
from lfm2_colbert_rag.index.compressed.noise import Noise
from lfm2_colbert_rag.index.settings import PRESETS
from lfm2_colbert_rag.retriever.maintenance.recall import K, measure_recall, sample_stretches
from lfm2_colbert_rag.testing import HashEncoder

from ...grown import WORDS, compress_early, sentences
from ...index.made import corpus, questions, segment
from ...inside import segments_of, store_of

pytestmark = pytest.mark.long

DIM, BATCH = 32, 40


def exact_scores(group, query: np.ndarray) -> np.ndarray:
    """Score every passage, by the vectors as they were."""
    matrices, windows, passages = stacked(group)
    by_window = np.maximum.reduceat(query @ matrices.T, windows, axis=1).sum(axis=0)
    return np.maximum.reduceat(by_window, passages)


def stacked(group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all vectors, where in them each window begins, and at which window each passage."""
    matrices = [window.encoded.vectors for _, windows in group for window in windows]
    starts = np.cumsum([0, *map(len, matrices)])[:-1]
    passages = np.cumsum([0, *(len(windows) for _, windows in group)])[:-1]
    return np.concatenate(matrices), starts, passages


def true_recall(index: CompressedIndex, group, queries) -> float:
    rows = np.array([row for row, _ in group])
    shares = []
    for query in queries:
        best = rows[np.argsort(-exact_scores(group, query), kind="stable")[:K]]
        shares.append(np.isin(best, index.search([query], K)[0].rows[:K]).mean())
    return float(np.mean(shares))


@pytest.mark.parametrize("nbits", [pytest.param(2, marks=pytest.mark.slow), 4])
@pytest.mark.parametrize("settings", [PRESETS[0], PRESETS[-1]])
def test_the_truth_lies_within_what_is_reported(tmp_path, nbits, settings):
    group = corpus(1200, DIM)
    live = LiveSegments([LiveSegment(segment(tmp_path / "s", group, nbits, DIM))])
    index = CompressedIndex(live, settings, scan_vectors=0)
    every = questions(6 * BATCH, DIM)
    within = 0
    for start in range(0, len(every), BATCH):
        queries = every[start : start + BATCH]
        told = measure_recall(index, queries, asked=0, generation=1)
        within += told.low <= true_recall(index, group, queries) <= told.high
    assert within >= 5


def test_vectors_that_err_together_count_as_such():
    """The variance is that of a whole query's score, not of its vectors one by one."""
    chance = np.random.default_rng(5)
    topics = chance.standard_normal((40, 1, DIM))
    vectors = (topics + 0.3 * chance.standard_normal((40, 50, DIM))).reshape(-1, DIM)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    error = (0.05 * chance.standard_normal((40, 1, DIM)) + np.zeros((1, 50, 1))).reshape(-1, DIM)
    noise, alone = Noise(), Noise()
    noise.sample(vectors, lambda start, end: (vectors + error)[start:end].astype(np.float32))
    shuffled = 0.05 * chance.standard_normal(vectors.shape)
    alone.sample(vectors, lambda start, end: (vectors + shuffled)[start:end].astype(np.float32))
    assert noise.mean > 1.3 * alone.mean


@pytest.mark.parametrize("size", [1, 2, 11, 12, 13, 40, 97, 500])
def test_a_block_of_any_size_is_measured(size):
    chance = np.random.default_rng(size)
    vectors = chance.standard_normal((size, DIM)).astype(np.float32)
    noise = Noise()
    noise.sample(vectors, lambda start, end: vectors[start:end] * np.float32(1.01))
    assert np.isfinite(noise.mean)
    assert (noise.mean > 0) == (size > 1)
    noise.inherited = 7.0 * size
    assert noise.mean >= 7.0


def test_no_query_says_nothing(tmp_path):
    made = LiveSegments([LiveSegment(segment(tmp_path / "s", corpus(50, DIM), 4, DIM))])
    told = measure_recall(CompressedIndex(made), [], asked=0, generation=1)
    assert (told.low, told.high, told.queries) == (0.0, 1.0, 0)


class ListeningEncoder(HashEncoder):
    """Remembers what it was asked to encode as a question."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def encode_query(self, texts):
        self.heard += texts
        return super().encode_query(texts)


def test_parts_of_passages_are_asked_as_questions_once_the_model_is_there(folder, monkeypatch):
    compress_early(monkeypatch)
    texts = sentences(100)
    encoder = ListeningEncoder()
    with Retriever.open(folder, model=encoder) as retriever:
        retriever.add(texts)
        told = retriever.measure_recall(sample=20)
        assert (told.queries, told.asked) == (20, 0)
        assert len(encoder.heard) == 20
        assert all(any(part in text for text in texts) for part in encoder.heard)
    with Retriever.open(folder, model=ListeningEncoder()) as retriever:
        retriever.search_many(WORDS[:6])
        told = retriever.measure_recall(sample=8)
        assert (told.queries, told.asked) == (8, 6)


def test_a_model_is_not_loaded_to_measure(folder, monkeypatch):
    compress_early(monkeypatch)
    load, made = HashEncoder.__init__, []

    def counted(self, *args, **options):
        made.append("once")
        load(self, *args, **options)

    monkeypatch.setattr(HashEncoder, "__init__", counted)
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add(sentences(100))
    with Retriever.open(folder) as retriever:
        retriever.measure_recall()
        assert retriever.stats().recall["queries"] > 2
    assert made == ["once"]


def test_stretches_know_their_text(folder, monkeypatch):
    compress_early(monkeypatch)
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add(texts := sentences(100))
        retriever.add_vectors([np.eye(3, 32, dtype=np.float32)], ["nobody knows where"], ids=["x"])
        retriever.delete(all=True)
        assert sample_stretches(segments_of(retriever), 5) == []
        retriever.add(texts)
        retriever.add_vectors([np.eye(3, 32, dtype=np.float32)], ["nobody knows where"], ids=["x"])
        snapshot = store_of(retriever).snapshot()
        stretches = sample_stretches(snapshot.segments, 400)
        passages = store_of(retriever).catalog.passages([one.row for one in stretches])
        for one in stretches:
            passage = passages[one.row]
            part = passage.text[slice(*one.span)]
            assert part == "" if passage.id == "x" else len(part.split()) == len(one.vectors)
        assert retriever.measure_recall(sample=300).queries == 300
