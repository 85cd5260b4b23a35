"""The distance that an index fits for pooling: when, to what, and who abides by it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.retriever.ingest import passage_encoder, pooling
from lfm2_colbert_rag.retriever.ingest.pooler import Pooler
from lfm2_colbert_rag.retriever.ingest.pooling import (
    RULE,
    SHARE,
    PoolingRule,
    find_common,
    find_distance,
    in_text_order,
    pool_vectors,
)
from lfm2_colbert_rag.storage import catalog
from lfm2_colbert_rag.testing import HashEncoder

from ...inside import store_of
from .test_pooling import UNIFORM, random_text

hierarchy = pytest.importorskip("scipy.cluster.hierarchy")

FITTER = Path(__file__).parents[2] / "crash" / "fitter.py"
SIGKILL = -9
Fit: TypeAlias = tuple[float | None, dict[int, float]]


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(pooling, "LEAST_WINDOWS", 4)
    monkeypatch.setattr(pooling, "LEAST_VECTORS", 80)


def sentences(number: int, seed: int = 0) -> list[str]:
    chance = np.random.default_rng(seed)
    return [" ".join(f"w{w}" for w in row) for row in chance.integers(0, 400, (number, 20))]


def fit_of(texts: list[str], rule: PoolingRule = RULE) -> Fit:
    """Return the distance that is fitted to these texts, and what is common among them."""
    encoded = HashEncoder().encode_document(texts)
    common = find_common(encoded, rule)
    return find_distance(encoded, 2, common=common, rule=rule), common


def expected(text: str, by: Fit = (None, {}), rule: PoolingRule = RULE) -> list[list[float]]:
    """Return what an index holds of a text, pooled by what is fitted, or else by number."""
    encoded = HashEncoder().encode_document([text])[0]
    pooled = in_text_order(pool_vectors(encoded, 2, distance=by[0], common=by[1], rule=rule))
    return pooled.vectors.astype(np.float16).astype(np.float32).tolist()


def held(retriever: Retriever, ids: list[str]) -> list[list[list[float]]]:
    return [windows[0].tolist() for windows in retriever.vectors(ids)]


def fitted(folder: Path) -> float | None:
    """Return what the index itself remembers."""
    with Retriever.open(folder) as retriever:
        return retriever.stats().pool_distance


@settings(deadline=None, max_examples=30)
@given(
    seeds=st.lists(st.integers(0, 10_000), min_size=4, max_size=8, unique=True),
    length=st.integers(25, 40),
    factor=st.integers(2, 4),
    protected=st.integers(0, 2),
)
def test_it_leaves_the_wanted_share_of_the_sample(seeds, length, factor, protected):
    texts = [random_text(seed, length) for seed in seeds]
    distance = find_distance(texts, factor, protected)
    left = 0
    for text in texts:
        far = np.maximum(1 - text.vectors[protected:] @ text.vectors[protected:].T, 0)
        tree = hierarchy.linkage(far[np.triu_indices(len(far), k=1)], method="complete")
        cut = hierarchy.fcluster(tree, t=distance, criterion="distance").max()
        left += protected + cut
    assert left == int(SHARE * len(seeds) * length / factor)


def test_a_sample_that_is_too_small_fits_nothing():
    assert find_distance([random_text(seed, 40) for seed in range(3)], 2) is None
    assert find_distance([random_text(seed, 10) for seed in range(7)], 2) is None
    assert find_distance([random_text(seed, 40) for seed in range(4)], 2) is not None
    assert find_distance([], 2) is None


def test_texts_too_short_to_be_left_so_little_fit_nothing():
    assert find_distance([random_text(seed, 2) for seed in range(100)], 2) is None


def test_a_sample_with_nan_is_refused():
    texts = [random_text(seed, 40) for seed in range(4)]
    texts[2].vectors[0, 0] = np.nan
    with pytest.raises(InputError, match="NaN or infinity"):
        find_distance(texts, 2)


def test_every_text_is_pooled_by_it_from_then_on(folder):
    texts = sentences(12)
    with Retriever.open(folder, model="hash", pool_factor=2) as retriever:
        retriever.add(texts[:10], ids=list("abcdefghij"))
        distance = retriever.stats().pool_distance
        assert distance is not None
        assert retriever.stats().vectors <= SHARE * 10 * 20 / 2 + 1
    with Retriever.open(folder) as again:
        again.add(texts[10:], ids=["k", "l"])
        by = fit_of(texts[:10])
        assert by[0] == distance
        assert held(again, list("abcdefghijkl")) == [expected(text, by) for text in texts]
    assert fitted(folder) == distance


def test_in_memory_and_without_pooling():
    with Retriever.from_texts(sentences(10), model="hash", pool_factor=2) as retriever:
        assert retriever.stats().pool_distance is not None
    with Retriever.from_texts(sentences(10), model="hash") as retriever:
        assert (retriever.stats().pool_distance, retriever.stats().vectors) == (None, 200)


def test_a_small_beginning_is_pooled_by_number_and_fits_nothing(folder):
    texts = sentences(12)
    other = Retriever.open(folder, model="hash", pool_factor=2)
    with Retriever.open(folder) as retriever:
        retriever.add(texts[:1], ids=["first"])
        assert fitted(folder) is None
        retriever.add(texts[1:11])
        distance = fitted(folder)
        assert distance is not None
        # Who had the index open already learns of it.
        other.add(texts[11:], ids=["last"])
        assert held(other, ["first", "last"]) == [
            expected(texts[0]),
            expected(texts[11], fit_of(texts[1:11])),
        ]
    other.close()


def test_a_stream_fits_once(folder):
    texts = sentences(40)
    with Retriever.open(folder, model="hash", pool_factor=2) as retriever:
        stream = ({"id": str(place), "text": text} for place, text in enumerate(texts))
        retriever.add_stream(stream, batch=8)
        by = fit_of(texts[:8])
        assert by[0] == retriever.stats().pool_distance
        ids = [str(place) for place in range(40)]
        assert held(retriever, ids) == [expected(text, by) for text in texts]


def test_given_vectors_stay_and_fit_nothing(folder):
    vectors = [random_text(seed, 30, dim=32).vectors for seed in range(10)]
    with Retriever.open(folder, model="hash", pool_factor=2) as retriever:
        ids = retriever.add_vectors(vectors, sentences(10))
        assert retriever.stats().pool_distance is None
        stored = [one.astype(np.float16).astype(np.float32).tolist() for one in vectors]
        assert held(retriever, ids) == stored


def test_encoding_again_keeps_it_and_pools_everything_by_it(folder):
    texts = sentences(11)
    with Retriever.open(folder, model="hash", pool_factor=2) as retriever:
        retriever.add(texts[:1], ids=["0"])
        retriever.add(texts[1:], ids=[str(place) for place in range(1, 11)])
        distance = retriever.stats().pool_distance
        assert retriever.optimize(reencode=True).pool_distance == distance
        ids = [str(place) for place in range(11)]
        by = fit_of(texts[1:])
        assert held(retriever, ids) == [expected(text, by) for text in texts]


def test_encoding_again_fits_what_small_adds_did_not(folder):
    texts = sentences(10)
    with Retriever.open(folder, model="hash", pool_factor=2) as retriever:
        for place, text in enumerate(texts):
            retriever.add([text], ids=[str(place)])
        assert retriever.stats().pool_distance is None
        distance = retriever.optimize(reencode=True).pool_distance
        by = fit_of(texts)
        assert distance == by[0]
        ids = [str(place) for place in range(10)]
        assert held(retriever, ids) == [expected(text, by) for text in texts]
        assert retriever.verify() == []


def test_an_index_follows_its_own_rule_for_good(folder):
    texts, ids = sentences(10), list("abcdefghij")
    with Retriever.open(folder, model="hash", pool_factor=2) as retriever:
        store_of(retriever).change_settings(pooling_rule=UNIFORM.to_json())
        retriever.add(texts, ids=ids)
        by = fit_of(texts, UNIFORM)
        by_rule = [expected(text, by, UNIFORM) for text in texts]
        assert by_rule != [expected(text, by) for text in texts]
        assert held(retriever, ids) == by_rule
        retriever.optimize(reencode=True)
        assert held(retriever, ids) == by_rule


def test_copies_have_it(folder, tmp_path):
    with Retriever.open(folder, model="hash", pool_factor=2) as retriever:
        retriever.add(sentences(10))
        distance = retriever.stats().pool_distance
        retriever.backup(tmp_path / "copy")
    with Retriever.restore(tmp_path / "copy", tmp_path / "back") as restored:
        assert restored.stats().pool_distance == distance


class Interrupted(HashEncoder):
    """Lets another writer go first, once."""

    def __init__(self, other) -> None:
        super().__init__()
        self._other = other

    def encode_document(self, texts, *, progress=None):
        other, self._other = self._other, None
        if other is not None:
            other()
        return super().encode_document(texts, progress=progress)


def test_of_two_writers_the_first_to_commit_decides(folder):
    with Retriever.open(folder, model="hash", pool_factor=2) as faster:
        slower = Retriever.open(folder, model=Interrupted(lambda: faster.add(sentences(10, 1))))
        slower.add(sentences(10, 2), ids=list("abcdefghij"))
        distance = fitted(folder)
        by = fit_of(sentences(10, 1))
        assert by[0] == distance
        slower.add(sentences(1, 3), ids=["later"])
        assert held(slower, ["later"]) == [expected(sentences(1, 3)[0], by)]
        slower.close()


def test_a_commit_that_fails_fits_nothing(folder, monkeypatch):
    def broken() -> str:
        raise RuntimeError("the power went off")

    with Retriever.open(folder, model="hash", pool_factor=2) as retriever:
        with monkeypatch.context() as patched:
            patched.setattr(catalog, "_now", broken)
            with pytest.raises(RuntimeError, match="the power"):
                retriever.add(sentences(10))
        assert (fitted(folder), len(retriever)) == (None, 0)
        retriever.add(sentences(10))
        assert fitted(folder) is not None


@pytest.mark.crash
@pytest.mark.skipif(os.name == "nt", reason="killed by signal")
def test_killed_it_has_fitted_nothing(folder):
    outcome = subprocess.run([sys.executable, str(FITTER), str(folder)], check=False)
    assert outcome.returncode == SIGKILL
    assert fitted(folder) is None
    with Retriever.open(folder) as retriever:
        assert retriever.delete([]) == len(retriever) == 0
        assert retriever.verify() == []


class Counting(HashEncoder):
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(document_length=12)
        self.asked: list[list[str]] = []

    def encode_document(self, texts, *, progress=None):
        self.asked.append(list(texts))
        return super().encode_document(texts, progress=progress)


def test_the_sample_is_spread_over_the_first_block_and_encoded_once(monkeypatch):
    monkeypatch.setattr(passage_encoder, "WINDOWS", 8)
    encoder, texts = Counting(), sentences(15)
    with Retriever.from_texts(texts, model=encoder, pool_factor=2, window_overlap=0) as retriever:
        assert retriever.stats().pool_distance is not None
        windows, added = retriever.stats().windows, list(encoder.asked)
        hits = retriever.search("w1", k=15)
        assert {hit.text for hit in hits} == set(texts)
    pieces = [piece for asked in added for piece in asked]
    assert len(pieces) == len(set(pieces)) == windows
    places = [next(n for n, t in enumerate(texts) if piece in t) for piece in added[0]]
    assert places == sorted(places)
    assert places[0] < 3
    assert places[-1] >= 12
    assert len(places) <= 8


def test_a_pooler_fits_only_where_it_is_to():
    assert not Pooler(2).needs_fit
    assert not Pooler(2, 0.2, fits=True).needs_fit
    assert not Pooler(1, fits=True).needs_fit
    assert Pooler(2, fits=True).needs_fit
