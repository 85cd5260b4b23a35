"""Fusing: what holds whatever the scores, and weights that are learned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, InputError
from lfm2_colbert_rag.retriever.search.fusion import fuse
from lfm2_colbert_rag.retriever.search.fusion_tuning import learn, weights
from lfm2_colbert_rag.storage.tunings import Fusion
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import TokenVectors

from ...inside import store_of

scores = st.integers(2, 20).flatmap(
    lambda n: st.tuples(
        *(
            st.lists(st.integers(0, 64).map(lambda x: x / 64), min_size=n, max_size=n)
            for _ in range(2)
        )
    )
)
portions = st.floats(0.0, 1.0)
fusions = st.builds(Fusion, weight=st.floats(0.1, 8.0))


@given(scores, portions, fusions)
def test_better_in_both_legs_is_better(given_scores, share, fusion):
    cosines, words = map(np.array, given_scores)
    together = fuse(cosines, words, share, fusion)
    for one in range(len(cosines)):
        worse = (cosines <= cosines[one]) & (words <= words[one])
        assert (together[worse] <= together[one] + 1e-9).all()


@given(scores, fusions)
def test_without_a_shared_word_the_late_ranking_stays(given_scores, fusion):
    cosines = np.array(given_scores[0])
    together = fuse(cosines, np.zeros(len(cosines)), 0.0, fusion)
    np.testing.assert_array_equal(
        np.argsort(-together, kind="stable"), np.argsort(-cosines, kind="stable")
    )


@given(scores, st.floats(0.1, 8.0), portions)
def test_words_move_a_passage_by_no_more_than_they_are_trusted(given_scores, weight, share):
    cosines, words = map(np.array, given_scores)
    fusion = Fusion(weight=weight)
    moved = fuse(cosines, words, share, fusion) - cosines
    trust = fusion.trust(share)
    assert (moved >= 0).all()
    assert (moved <= weight * trust + 1e-9).all()
    assert trust == 0 or share > fusion.minimum


@given(scores, portions, st.floats(0.01, 100.0))
def test_the_scale_of_bm25_says_nothing(given_scores, share, scale):
    cosines, words = map(np.array, given_scores)
    scaled = fuse(cosines, words * scale, share, Fusion())
    np.testing.assert_allclose(scaled, fuse(cosines, words, share, Fusion()), atol=1e-9)


@given(portions, portions)
def test_trust_rises_with_the_share_that_was_found(one, other):
    fusion = Fusion()
    assert fusion.trust(0.0) == fusion.trust(fusion.minimum) == 0
    assert fusion.trust(fusion.enough) == 1
    assert (fusion.trust(one) <= fusion.trust(other)) or one > other


def test_passages_that_the_model_tells_hardly_apart_are_left_to_words():
    distances, words = np.array([7.1, 7.05, 7.0]), np.array([10.0, 20.0, 40.0])
    assert fuse(distances, words, 0.65, Fusion()).argmax() == 2


def test_words_that_a_foreign_collection_quotes_by_chance_are_hardly_trusted():
    """Each is in one passage of many, and as rare there as the name that is asked for."""
    foreign = [f"เรื่องที่{n}ของเมือง" for n in range(40)]
    texts = [*foreign, "วงดนตรี The Story of the Sea", "เมืองหลวงของประเทศสเปนคือมาดริด"]
    question = "who was the first mayor of the capital"
    with Retriever.from_texts(texts, model="hash") as retriever:
        abroad = retriever.plan(question, mode="hybrid").fusion
        retriever.add(["the first mayor of the town was a smith"])
        at_home = retriever.plan(question, mode="hybrid").fusion
    assert abroad.share > 0.1
    assert abroad.trust < 0.1
    assert at_home.trust > 0.5


class Squeezed(HashEncoder):
    """Every vector lies near one direction, as those of some models do: cosines from .9 to 1."""

    NEAR = 0.9

    def _encode(self, text: str) -> TokenVectors:
        plain = super()._encode(text)
        own = plain.vectors
        shared = np.full((len(own), 1), self.NEAR**0.5, np.float32)
        # The width stays: the shared direction takes the place of the last coordinate.
        kept = own[:, :-1] / np.linalg.norm(own[:, :-1], axis=1, keepdims=True).clip(1e-9)
        vectors = np.concatenate((kept * (1 - self.NEAR) ** 0.5, shared), axis=1)
        return TokenVectors(vectors.astype(np.float32), plain.token_ids, plain.spans)


class Narrow(Squeezed):
    """The same without the direction that all share."""

    NEAR = 0.0


@pytest.mark.parametrize("passages", [12, 60])
def test_words_count_the_same_however_near_to_one_another_a_model_puts_everything(passages):
    """MaxSim is squeezed from 0..1 into .9..1: an affine map, so that the ranking must stay."""
    texts = [f"shelf{n} holds item{n % 9} and tool{n % 7} of maker{n % 5}" for n in range(passages)]
    ids = [f"p{n}" for n in range(passages)]
    found = []
    for encoder in (Narrow(), Squeezed()):
        with Retriever.from_texts(texts, ids=ids, model=encoder) as retriever:
            hits = retriever.search("item3 by maker2 with a tool4", k=10, mode="hybrid")
            found.append(([hit.id for hit in hits], [hit.score for hit in hits]))
    (ranked, scores), (squeezed_ranked, squeezed_scores) = found
    assert ranked == squeezed_ranked
    np.testing.assert_allclose(np.diff(scores), np.diff(squeezed_scores), atol=0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight": -1.0},
        {"weight": np.nan},
        {"minimum": 0.7},
        {"minimum": -0.1},
        {"enough": 0.0},
        {"enough": 1.5},
    ],
)
def test_senseless_fusions_are_refused(wrong):
    with pytest.raises(ConfigError):
        Fusion(**wrong)


def test_a_fusion_comes_back_from_json():
    assert Fusion.from_dict(Fusion(weight=0.5).to_dict()) == Fusion(weight=0.5)
    assert Fusion.from_dict(None) == Fusion()


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


QUERIES = {f"q{n}": f"where is item{n} with tool{n % 7}" for n in range(30)}
QRELS = {f"q{n}": {f"d{n}": 1, "gone": 1} for n in range(30)}


@pytest.fixture
def shelves(folder):
    texts = [f"shelf{n} holds item{n} and tool{n % 7}" for n in range(60)]
    with Retriever.open(folder, model="hash") as opened:
        opened.add(texts, ids=[f"d{n}" for n in range(60)])
        yield opened


def fusion_of(retriever: Retriever) -> Fusion:
    """Return the fusion that the index remembers, or the default."""
    return Fusion.from_dict(store_of(retriever).snapshot().settings.fusion)


def test_what_is_learned_is_kept_with_the_index(shelves, tmp_path):
    report = shelves.tune_fusion(QUERIES, QRELS)
    assert report.queries == 30
    assert report.fusion.weight in weights()
    assert fusion_of(shelves) == report.fusion
    store_of(shelves).change_settings(fusion=Fusion(weight=0.5).to_dict())
    shelves.backup(tmp_path / "copy")
    with Retriever.open(tmp_path / "copy") as copy:
        assert fusion_of(copy) == Fusion(weight=0.5)
        # And it is what searches go by, in whoever had the index open before.
        plans = [one.plan(QUERIES["q3"], mode="hybrid") for one in (copy, shelves)]
        assert [plan.fusion.weight for plan in plans] == [0.5, 0.5]


def test_too_few_judged_queries_are_refused_and_change_nothing(shelves):
    before = shelves.stats()
    with pytest.raises(InputError, match="0 of the 30 queries"):
        shelves.tune_fusion(QUERIES, {"q1": {"gone": 1}, "q2": {"d2": 0}})
    with pytest.raises(ConfigError, match="folds"):
        shelves.tune_fusion(QUERIES, QRELS, folds=1)
    assert fusion_of(shelves) == Fusion()
    assert shelves.stats() == before


def test_the_plan_of_a_hybrid_search_shows_the_legs(shelves):
    plan = shelves.plan(QUERIES["q3"], mode="hybrid")
    assert plan.fusion is not None
    assert plan.fusion.late == 50
    assert 0 < plan.fusion.both <= plan.fusion.lexical <= 60
    assert 0 < plan.fusion.share <= 1
    hits = shelves.search(QUERIES["q3"], mode="hybrid")
    most = plan.fusion.cosine / plan.fusion.spread + plan.fusion.words
    assert hits[0].score <= most + 1e-4
    for drawn in (str(plan), plan._repr_html_()):
        assert "candidates by meaning" in drawn
        assert "candidates by words" in drawn
        assert f"{plan.fusion.share:.3f}" in drawn
    assert shelves.plan(QUERIES["q3"], mode="late").fusion is None
    assert shelves.plan("nothing of this", mode="hybrid").fusion.share == 0
    with pytest.raises(ConfigError, match="'dense'"):
        shelves.plan("item3", mode="dense")
