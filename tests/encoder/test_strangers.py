"""Agreement with sentence-transformers 6 itself, where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint

from .checkpoints import write_checkpoint

TEXTS = [
    "What is the capital of France?",
    "la gare, où ?",
    "!!!",
    "日本語, 東京!",
    "the quick brown fox " * 20,
    "a",
    "",
]

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def strangers() -> Any:
    library = pytest.importorskip("sentence_transformers", minversion="6.0")
    return library.MultiVectorEncoder


@pytest.mark.parametrize("layout", ["pylate", "multi_vector"])
def test_vectors_equal_those_of_a_multi_vector_encoder(
    tmp_path: Path, strangers: Any, layout: Any
) -> None:
    """Of queries and documents, from either layout; and again from what it saves."""
    folder = write_checkpoint(tmp_path / "ours", layout=layout)
    theirs = strangers(str(folder), device="cpu")
    theirs.save_pretrained(str(tmp_path / "theirs"))
    for path in (folder, tmp_path / "theirs"):
        # Recent transformers blank masked positions at the convolutions.
        ours = load_encoder(path, masked_positions="zeroed")
        for kind in ("encode_query", "encode_document"):
            expected = getattr(theirs, kind)(TEXTS)
            for found, vectors in zip(getattr(ours, kind)(TEXTS), expected, strict=True):
                np.testing.assert_allclose(found.vectors, np.asarray(vectors), atol=1e-5)
    assert Checkpoint.read(tmp_path / "theirs").layout == "sentence-transformers"
