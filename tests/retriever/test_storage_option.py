"""How vectors are kept: chosen when an index is made, changed later, but never undone."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, IndexMismatchError
from lfm2_colbert_rag.index.settings import PRESETS

from ..grown import always_vote, set_policy
from ..inside import store_of


def texts(count):
    return [f"text {i} about topic{i % 17} and thing{i % 5}" for i in range(count)]


def ids(count):
    return [str(i) for i in range(count)]


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    set_policy(monkeypatch, auto_vectors=3000, min_vectors=600)


@pytest.mark.parametrize(("kind", "expected"), [("exact", "exact"), ("compressed", "compressed")])
def test_what_is_asked_for_is_done(folder, kind, expected):
    with Retriever.open(folder, model="hash", storage=kind) as retriever:
        retriever.add(texts(200), ids=ids(200))
        assert retriever.stats().storage == expected


def test_an_index_compresses_itself_when_it_has_grown(folder):
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add(texts(100), ids=ids(100))
        assert retriever.stats().storage == "exact"
        retriever.add(texts(700), ids=ids(700))
        stats = retriever.stats()
        assert (stats.storage, stats.passages, stats.nbits) == ("compressed", 700, 4)


def test_an_exact_index_may_be_compressed_later_but_not_the_other_way(folder):
    with Retriever.open(folder, model="hash", storage="exact") as retriever:
        retriever.add(texts(700), ids=ids(700))
    with Retriever.open(folder, storage="compressed") as retriever:
        assert retriever.optimize().storage == "compressed"
    with pytest.raises(IndexMismatchError, match="compressed already"):
        Retriever.open(folder, storage="exact")
    with Retriever.open(folder, storage="auto") as retriever:
        assert len(retriever) == 700


@pytest.mark.parametrize("options", [{"storage": "plaid"}, {"nbits": 3}, {"nbits": True}])
def test_what_does_not_exist_is_refused(folder, options):
    with pytest.raises(ConfigError):
        Retriever.open(folder, model="hash", **options)
    assert not folder.exists()


def test_bits_are_settled(folder):
    Retriever.open(folder, model="hash", nbits=2).close()
    with pytest.raises(IndexMismatchError, match="nbits"):
        Retriever.open(folder, nbits=4)


@pytest.mark.parametrize("target", [0, 1.5, True, -1])
def test_a_target_out_of_range_is_refused(folder, target):
    with pytest.raises(ConfigError, match="target_recall"):
        Retriever.open(folder, model="hash", target_recall=target)


def test_a_target_chooses_the_first_preset_that_is_good_enough(folder, monkeypatch):
    always_vote(monkeypatch)
    with Retriever.open(folder, model="hash", storage="compressed") as retriever:
        retriever.add(texts(900), ids=ids(900))
    with (
        Retriever.open(folder, target_recall=0.5) as low,
        Retriever.open(folder, target_recall=1.0) as high,
    ):
        chosen = [one.plan("zebra").settings for one in (low, high)]
        presets = store_of(low).catalog.measurement("presets")["presets"]
        recalls = [one["recall"] for one in presets]
        assert all(0 <= recall <= 1 for recall in recalls)
        # The low target was measured first, and stopped at the first preset that reaches it.
        assert chosen[0] == next(
            p for p, recall in zip(PRESETS, recalls, strict=False) if recall >= 0.5
        )
        reached = [p for p, recall in zip(PRESETS, recalls, strict=False) if recall >= 1.0]
        assert chosen[1] == (reached or [PRESETS[recalls.index(max(recalls))]])[0]
