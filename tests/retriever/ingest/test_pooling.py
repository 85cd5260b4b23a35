"""Token pooling: the clusters, what a pooled vector stands for, and an index of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever, maxsim
from lfm2_colbert_rag.errors import ConfigError, InputError, MissingExtraError
from lfm2_colbert_rag.retriever.ingest.pooling import (
    RULE,
    PoolingRule,
    find_common,
    pool_vectors,
)
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.types import TokenVectors

# Every cosine counts as it is, and every mean is as long as any vector.
UNIFORM = PoolingRule(same_token=1, shrinking=0, common_from=0)
hierarchy = pytest.importorskip("scipy.cluster.hierarchy")


def random_text(
    seed: int, length: int, *, repeats: bool = False, dim: int = 8, tokens: int | None = None
) -> TokenVectors:
    """Return random unit vectors, each of a token of its own, or of so many tokens."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((length, dim)).astype(np.float32)
    if repeats and length:
        vectors = vectors[random.integers(0, max(1, length // 2), length)]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places = np.arange(length, dtype=np.int32)
    ids = 100 + places if tokens is None else random.integers(0, tokens, length).astype(np.int32)
    return TokenVectors(vectors, ids, np.stack((places, places + 1), axis=1))


def apart(encoded: TokenVectors, rule: PoolingRule) -> np.ndarray:
    """Return how far any two vectors count as being apart, by the definition."""
    rows = list(zip(encoded.vectors, encoded.token_ids.tolist(), strict=True))
    return np.array(
        [
            [
                max(0.0, float(1 - a @ b)) * (rule.same_token if one == other else 1)
                for b, other in rows
            ]
            for a, one in rows
        ]
    ).reshape(len(rows), len(rows))


def plain(
    encoded: TokenVectors, pool_factor: int, protected_tokens: int, rule: PoolingRule
) -> np.ndarray:
    """Merge the two nearest clusters until few enough are left, distances by their definition."""
    protected, to_pool = np.split(encoded.vectors, [protected_tokens])
    far = apart(encoded, rule)[protected_tokens:, protected_tokens:]
    clusters = [[place] for place in range(len(to_pool))]
    while len(clusters) > max(len(to_pool) // pool_factor, 1):
        _, one, other = min(
            (max(far[a, b] for a in clusters[i] for b in clusters[j]), i, j)
            for i in range(len(clusters))
            for j in range(i + 1, len(clusters))
        )
        clusters[one] += clusters.pop(other)
    means = np.array([to_pool[members].mean(axis=0) for members in clusters])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return np.concatenate((protected, means / lengths * lengths**rule.shrinking))


texts = st.builds(random_text, st.integers(0, 10_000), st.integers(0, 40))
repetitive = st.builds(
    random_text, st.integers(0, 10_000), st.integers(0, 40), repeats=st.just(True)
)
factors = st.integers(1, 6)
protections = st.integers(0, 3)
rules = st.builds(PoolingRule, same_token=st.floats(0, 1), shrinking=st.floats(0, 1))


@settings(deadline=None)
@given(
    encoded=st.builds(
        random_text,
        st.integers(0, 10_000),
        st.integers(2, 20),
        tokens=st.none() | st.integers(1, 9),
    ),
    factor=factors,
    protected=st.integers(0, 1),
    rule=st.sampled_from((RULE, UNIFORM)) | rules,
)
def test_agrees_with_a_plain_implementation(encoded, factor, protected, rule):
    # Where two mergers are as near, either may come first.
    far = apart(encoded, rule)
    gaps = np.diff(np.sort(far[np.triu_indices(len(far), k=1)]))
    assume((gaps > 1e-5).all())
    found = pool_vectors(encoded, factor, protected, rule=rule).vectors
    expected = plain(encoded, factor, protected, rule)
    assert found.shape == expected.shape
    apart_from = np.abs(found[:, None] - expected[None]).max(axis=2)
    assert (apart_from.min(axis=0) < 1e-4).all()
    assert (apart_from.min(axis=1) < 1e-4).all()


@settings(deadline=None)
@given(encoded=texts | repetitive, factor=factors, protected=protections)
def test_laws(encoded, factor, protected):
    pooled = pool_vectors(encoded, factor, protected)
    free = max(0, len(encoded) - protected)
    assert len(pooled) <= min(len(encoded), protected + max(1, free // factor))
    assert pooled.vectors.dtype == np.float32
    np.testing.assert_array_equal(pooled.vectors[:protected], encoded.vectors[:protected])
    assert (np.linalg.norm(pooled.vectors, axis=1) < 1 + 1e-5).all()
    uniform = pool_vectors(encoded, factor, protected, rule=UNIFORM)
    np.testing.assert_allclose(np.linalg.norm(uniform.vectors, axis=1), 1, atol=1e-5)
    # Ids and spans are those of members, together.
    members = dict(zip(encoded.token_ids.tolist(), encoded.spans.tolist(), strict=True))
    for token_id, span in zip(pooled.token_ids.tolist(), pooled.spans.tolist(), strict=True):
        assert members[token_id] == span
    assert len(set(pooled.token_ids.tolist())) == len(pooled)
    if factor == 1 or free <= 1:
        assert pooled is encoded


@settings(deadline=None)
@given(
    encoded=st.builds(random_text, st.integers(0, 10_000), st.integers(3, 20)),
    distance=st.floats(0, 2),
    factor=st.integers(2, 4),
)
def test_a_distance_bounds_every_cluster(encoded, distance, factor):
    """It decides how many are left, within a factor of two of the share; more never leaves more."""
    pooled = pool_vectors(encoded, factor, 0, distance=distance)
    far = np.maximum(1 - encoded.vectors @ encoded.vectors.T, 0)
    tree = hierarchy.linkage(far[np.triu_indices(len(far), k=1)], method="complete")
    cut = hierarchy.fcluster(tree, t=distance, criterion="distance").max()
    share = len(encoded) // factor
    assert len(pooled) == max(1, share // 2, min(cut, 2 * len(encoded) // factor))
    fewer = pool_vectors(encoded, factor, 0, distance=min(2.0, 2 * distance))
    assert len(fewer) <= len(pooled)


def angled(degrees: list[float], token_ids: list[int]) -> TokenVectors:
    turned = np.radians(degrees)
    vectors = np.stack((np.cos(turned), np.sin(turned)), axis=1).astype(np.float32)
    spans = np.array([(n, n + 1) for n in range(len(degrees))], dtype=np.int32)
    return TokenVectors(vectors, np.array(token_ids, dtype=np.int32), spans)


def test_vectors_of_one_token_pool_before_nearer_ones_of_others():
    # 20 degrees apart count for .024 where the token is the same, 15 degrees for .034.
    encoded = angled([0, 20, 90, 105], [1, 1, 2, 3])
    found = pool_vectors(encoded, 2, 0, distance=0.03)
    assert sorted(found.token_ids.tolist()) == [1, 2, 3]
    other = pool_vectors(encoded, 2, 0, distance=0.035, rule=UNIFORM)
    assert sorted(other.token_ids.tolist()) == [1, 1, 2]
    unknown = angled([0, 20, 90, 105], [-1, -1, -1, -1])
    assert len(pool_vectors(unknown, 2, 0, distance=0.03)) == 4


def of_tokens(*token_ids: int) -> TokenVectors:
    return angled([float(n) for n in range(len(token_ids))], list(token_ids))


def test_common_tokens_are_those_of_many_texts():
    texts = [of_tokens(1, 2, 3, -1), of_tokens(1, 2, 4, -1), of_tokens(1, 5, 5, 5)]
    found = find_common(texts, PoolingRule(common_from=0.5))
    assert set(found) == {1, 2}
    assert found[2] == pytest.approx((np.log(2 / 3) / np.log(0.5)) ** 0.25, abs=1e-4)
    assert found[1] < found[2] < 1
    for rule in (UNIFORM, PoolingRule(common_from=0)):
        assert find_common(texts, rule) == {}
    assert find_common([]) == {}


def test_vectors_of_common_tokens_pool_before_nearer_ones_of_others():
    # 20 degrees apart count for .015 between two tokens of a half each, 15 degrees for .034.
    encoded = angled([0, 20, 90, 105], [1, 2, 3, 4])
    found = pool_vectors(encoded, 2, 0, distance=0.03, common={1: 0.5, 2: 0.5})
    assert len(found) == 3
    assert {3, 4} < set(found.token_ids.tolist())
    assert len(pool_vectors(encoded, 2, 0, distance=0.03)) == 4
    assert len(pool_vectors(encoded, 2, 0, distance=0.03, common={1: 0.5})) == 4


@pytest.mark.parametrize(("shrinking", "length"), [(0, 1), (0.5, 0.5**0.25), (1, 0.5**0.5)])
def test_a_mean_is_as_long_as_the_rule_says(shrinking, length):
    """The mean of two vectors at a right angle has the length of half a diagonal."""
    encoded = angled([0, 90], [1, 2])
    pooled = pool_vectors(encoded, 2, 0, rule=PoolingRule(shrinking=shrinking))
    np.testing.assert_allclose(pooled.vectors, [[length * 0.5**0.5] * 2], rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"same_token": 1.1}, {"shrinking": -0.1}, {"shrinking": np.nan}, {"common_from": 2}],
)
def test_a_bad_rule_is_refused(options):
    with pytest.raises(ConfigError, match=r"must be between 0 and 1, not"):
        PoolingRule(**options)


def test_a_pooled_vector_bears_the_name_of_its_nearest_member():
    angles = np.array([2.0, 0.0, 0.1, 0.3, 1.5, 1.6])
    vectors = np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)
    spans = np.array([(0, 0), (0, 2), (3, 5), (6, 8), (9, 11), (12, 14)], dtype=np.int32)
    encoded = TokenVectors(vectors, np.arange(6, dtype=np.int32), spans)
    pooled = pool_vectors(encoded, 2)
    assert sorted(pooled.token_ids.tolist()) == [0, 2, 4]
    assert pooled.spans.tolist()[0] == [0, 0]


def test_vectors_that_cancel_out_pool_to_one_of_them():
    vectors = np.array([[1, 0], [1, 0], [-1, 0]], dtype=np.float32)
    encoded = TokenVectors(vectors, np.arange(3, dtype=np.int32), np.zeros((3, 2), np.int32))
    np.testing.assert_allclose(pool_vectors(encoded, 2).vectors, [[1, 0], [1, 0]])


def test_equal_vectors_pool_to_themselves():
    """Rounding puts their distance below 0, at which scipy by itself takes offence."""
    vectors = np.tile(random_text(3, 1).vectors, (9, 1))
    spans = np.zeros((9, 2), dtype=np.int32)
    pooled = pool_vectors(TokenVectors(vectors, np.arange(9, dtype=np.int32), spans), 2)
    assert len(pooled) == 2
    np.testing.assert_allclose(pooled.vectors, vectors[:2], atol=1e-6)


@pytest.mark.parametrize("factor", [0, -1, True, 1.5, "2", None])
def test_a_bad_factor_is_refused(factor, tmp_path):
    with pytest.raises(ConfigError, match=r"pool_factor must be a whole number from 1 .*not"):
        pool_vectors(random_text(1, 4), factor)
    if factor is None:
        return
    with pytest.raises(ConfigError, match="pool_factor"):
        Retriever.open(tmp_path / "i", model="hash", pool_factor=factor)
    with pytest.raises(ConfigError, match="pool_factor"):
        Retriever.from_texts(["a"], model="hash", pool_factor=factor)
    assert not (tmp_path / "i").exists()


def test_other_bad_input_is_refused():
    with pytest.raises(ConfigError, match="protected_tokens must be 0 or more, not -1"):
        pool_vectors(random_text(1, 4), 2, -1)
    for distance in (-0.1, float("nan")):
        with pytest.raises(ConfigError, match="distance must be 0 or more, or None, not"):
            pool_vectors(random_text(1, 4), 2, distance=distance)
    vectors = random_text(1, 4)
    vectors.vectors[2, 0] = np.nan
    with pytest.raises(InputError, match="NaN or infinity"):
        pool_vectors(vectors, 2)


def test_without_scipy_the_command_is_told(monkeypatch, tmp_path):
    def missing(name: str, *arguments: object, **options: object) -> object:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("lfm2_colbert_rag._support.extras.import_module", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "lfm2-colbert-rag\[pooling\]"'):
        Retriever.open(tmp_path / "i", model="hash", pool_factor=2)
    assert not (tmp_path / "i").exists()
    assert len(pool_vectors(random_text(1, 4), 1)) == 4


TEXTS = [
    "Hold the reset key of the router for ten seconds until the lamp blinks.",
    "The coffee machine needs a new filter every month, and clean water.",
    "The library opens at nine and closes at six, but not on Sundays.",
]


def test_an_index_of_pooled_vectors(folder):
    encoder = HashEncoder(dim=64, document_length=12)
    with Retriever.open(folder, model=encoder, pool_factor=2, window_overlap=2) as retriever:
        texts = [*TEXTS, " ".join(TEXTS)]
        retriever.add(texts, ids=["r", "c", "l", "all"])
        stats = retriever.stats()
        whole = Retriever.from_texts(texts, model=encoder, window_overlap=2).stats()
        assert (stats.pool_factor, stats.windows) == (2, whole.windows)
        assert stats.vectors < 0.7 * whole.vectors
        asked = encoder.encode_query(["coffee filter water"])[0].vectors
        for hit in retriever.search("coffee filter water", k=4, mode="late"):
            start, end = hit.window or (0, len(hit.text))
            whole = encoder.encode_document([hit.text[start:end]])[0]
            pooled = pool_vectors(whole, 2).vectors.astype(np.float16)
            assert hit.score == pytest.approx(maxsim([asked], [pooled])[0, 0], abs=1e-4)
            for match in hit.evidence:
                assert start <= match.passage_span[0] < match.passage_span[1] <= end
        assert {hit.id for hit in retriever.search("coffee filter water", k=2)} == {"c", "all"}
        words = retriever.search("coffee", k=1)[0]
        assert words.evidence[0].strength > 0.5
    with Retriever.open(folder, model=encoder) as again:
        assert again.stats().pool_factor == 2
        again.add(["coffee beans and coffee mills and more"], ids=["beans"])
        assert again.stats().passages == 5
        assert again.verify() == []


def test_rerank_keeps_every_vector(folder):
    with Retriever.open(folder, model="hash", pool_factor=3) as retriever:
        assert retriever.rerank("reset key", TEXTS)[0].score == pytest.approx(2.0)  # of two words


class Bools(HashEncoder):
    """An encoder that compares its numbers with zero instead of giving them."""

    def encode_document(self, texts, **options):
        return [
            TokenVectors(one.vectors > 0, one.token_ids, one.spans)
            for one in super().encode_document(texts, **options)
        ]


def test_what_cannot_be_pooled_is_named_with_its_encoder():
    with pytest.raises(InputError, match=r"the encoder .* gave .* of type bool, not numbers"):
        Retriever.from_texts(["one two three four"], model=Bools(), pool_factor=2)
