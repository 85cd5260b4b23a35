"""Fusing: what holds whatever the scores, and weights that are learned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, InputError
from lfm2_colbert_rag.fusing import learn, weights
from lfm2_colbert_rag.fusion import Fusion, check_mode, fuse

scores = st.integers(2, 20).flatmap(
    lambda n: st.tuples(
        *(
            st.lists(st.integers(0, 400).map(lambda x: x / 8), min_size=n, max_size=n)
            for _ in range(2)
        )
    )
)
fusions = st.builds(Fusion, method=st.sampled_from(["scores", "ranks"]), weight=st.floats(0.1, 8.0))


@given(scores, fusions)
def test_better_in_both_legs_is_better(given_scores, fusion):
    late, words = map(np.array, given_scores)
    together = fuse(late, words, 50.0, fusion)
    for one in range(len(late)):
        worse = (late <= late[one]) & (words <= words[one])
        assert (together[worse] <= together[one] + 1e-9).all()


@given(scores, st.sampled_from(["scores", "ranks"]))
def test_legs_of_equal_weight_may_be_exchanged(given_scores, method):
    late, words = (np.array(one) + 0.5 for one in given_scores)
    fusion = Fusion(method, weight=1.0, low=0.0, high=1e-9)
    np.testing.assert_allclose(
        fuse(late, words, 60.0, fusion), fuse(words, late, 60.0, fusion), atol=1e-9
    )


@given(scores, fusions)
def test_without_a_shared_word_the_late_ranking_stays(given_scores, fusion):
    late = np.array(given_scores[0])
    together = fuse(late, np.zeros(len(late)), 50.0, fusion)
    np.testing.assert_array_equal(
        np.argsort(-together, kind="stable"), np.argsort(-late, kind="stable")
    )


@given(scores, fusions)
def test_a_query_that_finds_little_of_its_words_is_left_to_the_late_leg(given_scores, fusion):
    late, words = map(np.array, given_scores)
    together = fuse(late, words, 50.0 / fusion.low, fusion)
    np.testing.assert_array_equal(
        np.argsort(-together, kind="stable"), np.argsort(-late, kind="stable")
    )


@pytest.mark.parametrize(
    "wrong", [{"method": "sum"}, {"weight": -1.0}, {"weight": np.nan}, {"low": 0.5, "high": 0.4}]
)
def test_senseless_fusions_are_refused(wrong):
    with pytest.raises(ConfigError):
        Fusion(**wrong)


def test_modes():
    assert check_mode(None, "hybrid") == "hybrid"
    with pytest.raises(ConfigError, match="'dense'"):
        check_mode("dense")


def table(best: int, queries: int, noise: float) -> np.ndarray:
    chance = np.random.default_rng(3)
    places = np.arange(len(weights()))
    means = 0.8 - 0.05 * np.abs(places - best)
    return means + noise * chance.standard_normal((queries, len(places)))


def test_a_clear_gain_is_adopted_and_noise_is_not():
    usual = int(np.argmin(np.abs(np.array(weights()) - Fusion().weight)))
    clear = learn(table(usual + 5, 60, 0.01), 5)
    assert clear.adopted
    assert clear.fusion.weight > Fusion().weight
    assert clear.learned > clear.default
    level = learn(table(usual, 30, 0.0), 5)
    assert not level.adopted
    assert level.fusion == Fusion()


def test_few_queries_move_the_weight_less():
    far = len(weights()) - 1
    moved = [learn(table(far, queries, 0.001), 5).fusion.weight for queries in (10, 30, 300)]
    assert moved == sorted(moved)
    assert moved[0] < moved[2]


def judged() -> tuple[Retriever, dict[str, str], dict[str, dict[str, int]]]:
    texts = [f"shelf{n} holds item{n} and tool{n % 7}" for n in range(60)]
    retriever = Retriever.from_texts(texts, ids=[f"d{n}" for n in range(60)], model="hash")
    queries = {f"q{n}": f"where is item{n} with tool{n % 7}" for n in range(30)}
    return retriever, queries, {f"q{n}": {f"d{n}": 1, "gone": 1} for n in range(30)}


def test_what_is_learned_is_kept_with_the_index(tmp_path):
    retriever, queries, qrels = judged()
    report = retriever.tune_fusion(queries, qrels)
    assert report.queries == 30
    assert report.fusion.weight in weights()
    retriever._store.catalog.change_setting("fusion", Fusion(weight=0.5).to_dict())
    retriever.save(tmp_path / "copy")
    with Retriever.open(tmp_path / "copy", create=False) as copy:
        assert copy._legs.fusion() == Fusion(weight=0.5)


def test_too_few_judged_queries_are_refused_and_change_nothing():
    retriever, queries, qrels = judged()
    with pytest.raises(InputError, match="0 of the 30 queries"):
        retriever.tune_fusion(queries, {"q1": {"gone": 1}, "q2": {"d2": 0}})
    with pytest.raises(ConfigError, match="folds"):
        retriever.tune_fusion(queries, qrels, folds=1)
    assert retriever._legs.fusion() == Fusion()
