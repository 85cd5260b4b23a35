"""The torch encoder: shapes, order, independence of the batch, threads, precision."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.encoder import Encoder
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.engine import batches
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder
from lfm2_colbert_rag.errors import ConfigError, InputError
from lfm2_colbert_rag.types import TokenVectors

from .checkpoints import DIM, edit_json, random_backbone, small_config, write_checkpoint
from .plain import plain_hidden_states

pytestmark = pytest.mark.long

TEXTS = [
    "the quick brown fox",
    "",
    "où est la gare ?",
    "!!!",
    "the lazy dog jumps over the quick brown fox " * 8,
    "日本語のテキスト",
]


def assert_equal(found: Sequence[TokenVectors], expected: Sequence[TokenVectors]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.token_ids, other.token_ids)
        np.testing.assert_array_equal(one.spans, other.spans)
        np.testing.assert_allclose(one.vectors, other.vectors, atol=1e-5)


def test_it_is_an_encoder(encoder: TorchEncoder) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder.dim == DIM


def test_results_have_the_promised_shapes(encoder: TorchEncoder) -> None:
    for encoded in (encoder.encode_query(TEXTS), encoder.encode_document(TEXTS)):
        for text in encoded:
            count = len(text)
            assert text.vectors.shape == (count, DIM)
            assert (text.token_ids.shape, text.spans.shape) == ((count,), (count, 2))
            assert [a.dtype for a in (text.vectors, text.token_ids, text.spans)] == [
                np.float32,
                np.int32,
                np.int32,
            ]
            np.testing.assert_allclose(np.linalg.norm(text.vectors, axis=1), 1, atol=1e-5)


def test_queries_have_all_their_positions_and_documents_those_not_skipped(
    encoder: TorchEncoder,
) -> None:
    assert {len(text) for text in encoder.encode_query(TEXTS)} == {16}
    lengths = [len(text) for text in encoder.encode_document(TEXTS)]
    assert lengths[1] == 2  # the empty text: start and marker
    assert lengths[3] < 5  # nothing but punctuation, as far as it is split into bare tokens
    assert lengths[4] <= 64


@pytest.mark.parametrize("kind", ["query", "document"])
@pytest.mark.parametrize("masked", ["kept", "zeroed"])
@pytest.mark.parametrize("both_ways", [False, True], ids=["causal", "bidirectional"])
def test_vectors_equal_a_second_implementation(
    tmp_path: Path, both_ways: bool, masked: Any, kind: str
) -> None:
    """From the text to the unit vector: framing, backbone, projection, selection, norm."""
    folder = write_checkpoint(tmp_path, bidirectional=both_ways)
    encoder = TorchEncoder(Checkpoint.read(folder, masked_positions=masked))
    config = small_config(bidirectional=both_ways)
    weights = {n: t.double().numpy() for n, t in random_backbone(config).state_dict().items()}
    head = encoder._model.heads[0].linear.weight.double().numpy()
    frame = getattr(encoder._framing, kind)
    for text, found in zip(TEXTS, getattr(encoder, f"encode_{kind}")(TEXTS), strict=True):
        framed = frame([text])[0]
        hidden = plain_hidden_states(
            weights, config, framed.input_ids, framed.attention_mask, zeroed=masked == "zeroed"
        )
        projected = hidden[framed.keep] @ head.T
        unit = projected / np.linalg.norm(projected, axis=1, keepdims=True)
        np.testing.assert_allclose(found.vectors, unit, atol=5e-5)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_vector_does_not_depend_on_its_batch(encoder: TorchEncoder, data: st.DataObject) -> None:
    """Any selection of texts, in any order, gives each the vectors it has alone."""
    texts = data.draw(st.lists(st.sampled_from(TEXTS) | st.text(max_size=30), max_size=6))
    assert_equal(
        encoder.encode_document(texts), [encoder.encode_document([text])[0] for text in texts]
    )
    assert_equal(encoder.encode_query(texts), [encoder.encode_query([t])[0] for t in texts])


@pytest.mark.parametrize("budget", [1, 7, 64, 130, 100_000])
def test_the_token_budget_changes_nothing(folder: Path, causal: TorchEncoder, budget: int) -> None:
    encoder = TorchEncoder(Checkpoint.read(folder), batch_tokens=budget)
    assert_equal(encoder.encode_document(TEXTS), causal.encode_document(TEXTS))
    assert_equal(encoder.encode_query(TEXTS), causal.encode_query(TEXTS))


@settings(deadline=None)
@given(lengths=st.lists(st.integers(0, 50), max_size=30), budget=st.integers(1, 200))
def test_batches_hold_every_text_once_and_keep_to_the_budget(
    lengths: list[int], budget: int
) -> None:
    groups = list(batches(lengths, budget))
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[place] for place in group)
        assert len(group) == 1 or longest * len(group) <= budget or longest == 0
    ordered = [lengths[place] for group in groups for place in group]
    assert ordered == sorted(lengths, reverse=True)


def test_threads_share_an_encoder(encoder: TorchEncoder) -> None:
    texts = [f"{text} {number}" for number in range(4) for text in TEXTS]
    expected_queries = [encoder.encode_query([text])[0] for text in texts]
    expected_documents = [encoder.encode_document([text])[0] for text in texts]
    with ThreadPoolExecutor(8) as pool:
        queries = list(pool.map(lambda text: encoder.encode_query([text])[0], texts))
        documents = list(pool.map(lambda text: encoder.encode_document([text])[0], texts))
    assert_equal(queries, expected_queries)
    assert_equal(documents, expected_documents)


def test_progress_counts_every_text_once(folder: Path) -> None:
    encoder = TorchEncoder(Checkpoint.read(folder), batch_tokens=40)
    seen: list[int] = []
    encoder.encode_document(TEXTS, progress=seen.append)
    assert sum(seen) == len(TEXTS)
    assert len(seen) > 1


def test_more_texts_than_are_framed_at_once(
    causal: TorchEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = causal.encode_document(TEXTS)
    monkeypatch.setattr("lfm2_colbert_rag.encoder.engine._BLOCK", 2)
    assert_equal(causal.encode_document(TEXTS), expected)


def test_spans_of_vectors_are_among_those_of_tokens(encoder: TorchEncoder) -> None:
    """The rest are tokens of the skiplist, and what lies beyond the document's length."""
    for found, text in zip(encoder.token_spans(TEXTS), encoder.encode_document(TEXTS), strict=True):
        assert {(0, 0), *map(tuple, found.tolist())} >= set(map(tuple, text.spans.tolist()))


def test_no_texts_give_no_results(encoder: TorchEncoder) -> None:
    assert encoder.encode_query([]) == []
    assert encoder.encode_document([]) == []
    assert encoder.token_spans([]) == []


def test_a_bad_text_stops_everything_before_any_is_encoded(encoder: TorchEncoder) -> None:
    seen: list[int] = []
    with pytest.raises(InputError, match="Text 1 "):
        encoder.encode_document(["fine", "\ud800"], progress=seen.append)
    assert not seen


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_float32_unit_vectors_close_to_full(
    folder: Path, causal: TorchEncoder, dtype: Any
) -> None:
    encoder = TorchEncoder(Checkpoint.read(folder), dtype=dtype)
    assert encoder.fingerprint == causal.fingerprint
    for half, full in zip(
        encoder.encode_document(TEXTS), causal.encode_document(TEXTS), strict=True
    ):
        assert half.vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(half.vectors, axis=1), 1, atol=1e-5)
        assert (half.vectors * full.vectors).sum(1).mean() > 0.98


def test_results_do_not_share_memory_with_their_batch(causal: TorchEncoder) -> None:
    """One text kept must not keep a whole batch alive."""
    for text in causal.encode_document(TEXTS):
        assert text.vectors.base is None


def test_a_document_may_be_longer_than_a_batch_and_the_trained_length(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    edit_json(folder / "config_sentence_transformers.json", document_length=300)
    encoder = TorchEncoder(Checkpoint.read(folder), batch_tokens=16)
    assert len(encoder.encode_document(["the lazy dog " * 200])[0]) == 300


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float8"}, "dtype must be one of"),
        ({"device": "nonsense"}, "device 'nonsense'"),
        ({"device": "cuda:99"}, "device 'cuda:99'"),
        ({"batch_tokens": 0}, "batch_tokens must be positive"),
    ],
)
def test_impossible_options_are_config_errors(
    folder: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        TorchEncoder(Checkpoint.read(folder), **options)


def test_weights_are_frozen(causal: TorchEncoder) -> None:
    assert not any(parameter.requires_grad for parameter in causal._model.parameters())
    assert not causal._model.training
    assert {parameter.dtype for parameter in causal._model.parameters()} == {torch.float32}
