"""The texts that stand for chance: the same for all models, encoded once by each."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from lfm2_colbert_rag import load_encoder
from lfm2_colbert_rag.encoder import background
from lfm2_colbert_rag.encoder.background import encode_background
from lfm2_colbert_rag.errors import ModelError
from lfm2_colbert_rag.testing import HashEncoder

TEXTS = json.loads(background._FILE.read_text(encoding="utf-8"))


def test_every_language_has_the_same_things_to_say():
    assert len(TEXTS) == 17
    assert {len(texts) for texts in TEXTS.values()} == {8}
    assert len({text for texts in TEXTS.values() for text in texts}) == 17 * 8


def test_languages_come_one_after_another():
    encoder = HashEncoder()
    found = encode_background(encoder)
    for vectors, texts in zip(found.languages, TEXTS.values(), strict=True):
        expected = [one.vectors for one in encoder.encode_document(texts)]
        np.testing.assert_array_equal(vectors, np.concatenate(expected))
    assert found.texts == 17 * 8
    assert encode_background(HashEncoder()) is found
    assert encode_background(HashEncoder(dim=8)).vectors.shape[1] == 8


def test_vectors_that_are_no_numbers_are_left_out():
    class Odd(HashEncoder):
        def encode_document(self, texts, *, progress=None):
            encoded = super().encode_document(texts, progress=progress)
            for one in encoded:
                one.vectors[1:] = np.nan
            return encoded

    found = encode_background(Odd())
    assert len(found.vectors) == 17 * 8
    assert np.isfinite(found.vectors).all()


def test_an_encoder_that_gives_too_few_results_is_named():
    class Short(HashEncoder):
        def encode_document(self, texts, *, progress=None):
            return super().encode_document(texts[1:], progress=progress)

    with pytest.raises(ModelError, match=r"'hash' \(Short\).*135 results for 136 texts"):
        encode_background(Short())


def test_it_is_read_back_in_half_precision_and_nothing_else_is():
    found = encode_background(HashEncoder())
    content = background._to_bytes(found)
    again = background._from_bytes(content, 32)
    np.testing.assert_array_equal(again.bounds, found.bounds)
    np.testing.assert_allclose(again.vectors, found.vectors, atol=1e-3)
    odd = dataclasses.replace(found, vectors=np.full_like(found.vectors, np.nan))
    for other in (b"", content[:-64], content[:-1], content[8:], background._to_bytes(odd)):
        with pytest.raises(ValueError, match=r"."):
            background._from_bytes(other, 32)


def test_a_checkpoint_encodes_it_once_on_a_machine(monkeypatch):
    encoder = load_encoder("nano")
    found = encode_background(encoder)
    monkeypatch.setattr(background, "_known", {})
    monkeypatch.setattr(type(encoder), "encode_document", None)
    np.testing.assert_allclose(encode_background(encoder).vectors, found.vectors, atol=1e-3)
