"""Framing equals what PyLate gave for the published model."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from lfm2_colbert_rag.encoder.checkpoint import SpecialTokens
from lfm2_colbert_rag.encoder.config import FramingConfig, Lfm2Config
from lfm2_colbert_rag.encoder.framing import FramedText, Framing
from lfm2_colbert_rag.encoder.jsonfiles import read_json

TEXTS = [("query", 0), ("query", 1), ("document", 0), ("document", 1), ("document", 2)]


@pytest.fixture(scope="module")
def tokenizer_json(reference_folder: Path) -> str:
    return (reference_folder / "tokenizer.json").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def published(tokenizer_json: str) -> Framing:
    return Framing(tokenizer_json, FramingConfig(), SpecialTokens(eos="<|im_end|>"))


@pytest.fixture(scope="module")
def reference(reference_folder: Path) -> dict[str, Any]:
    return load_file(reference_folder / "colbert_reference.safetensors")


def frame(framing: Framing, kind: str, text: str) -> FramedText:
    return (framing.query if kind == "query" else framing.document)([text])[0]


@pytest.mark.parametrize(("kind", "number"), TEXTS)
def test_ids_masks_and_kept_positions_equal_pylate(
    kind: str, number: int, published: Framing, reference: dict[str, Any], tokenizer_json: str
) -> None:
    """For all reference texts, which are read back from their ids."""
    ids = reference[f"{kind}.{number}.input_ids"]
    mask = reference[f"{kind}.{number}.attention_mask"].astype(bool)
    text = Tokenizer.from_str(tokenizer_json).decode(ids[mask][2:].tolist())
    framed = frame(published, kind, text)
    np.testing.assert_array_equal(framed.input_ids, ids)
    np.testing.assert_array_equal(framed.attention_mask, mask)
    assert framed.keep.sum() == len(reference[f"{kind}.{number}.vectors"])


def test_skiplist_ids_are_those_of_the_published_tokenizer(published: Framing) -> None:
    """Printable ASCII ``c`` has the id 510 + (ord(c) - 33); the skiplist is its punctuation."""
    expected = [510 + ord(c) - 33 for c in string.punctuation]
    assert published.skiplist_ids.tolist() == expected


def test_bare_punctuation_is_dropped_and_joined_punctuation_is_kept(published: Framing) -> None:
    framed = frame(published, "document", "Yes! Well... that is 100%.")
    kept = framed.input_ids[framed.keep].tolist()
    dropped = framed.input_ids[~framed.keep].tolist()
    assert kept[:2] == [1, 64401]
    assert set(dropped) <= set(published.skiplist_ids.tolist())
    assert dropped


def test_markers_are_appended_with_the_published_ids(published: Framing) -> None:
    assert frame(published, "query", "x").input_ids[1] == 64400
    assert frame(published, "document", "x").input_ids[1] == 64401


def test_published_configuration_is_bidirectional(reference_folder: Path) -> None:
    """Although its ``model_type`` is that of the causal model."""
    config = Lfm2Config.from_dict(read_json(reference_folder / "LFM2.5-ColBERT-350M.config.json"))
    assert config.bidirectional
    assert (config.feed_forward_size, config.vocab_size, config.head_dim) == (4608, 64402, 64)
