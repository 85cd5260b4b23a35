"""Maps of query vectors: what they do, and what is taken for one."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save

from lfm2_colbert_rag import maxsim
from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.encoder.query_adapter import FILE, QueryAdapter, weights_of
from lfm2_colbert_rag.errors import ConfigError, ModelFormatError
from lfm2_colbert_rag.evaluation.remembering import RememberingEncoder
from lfm2_colbert_rag.testing import HashEncoder

from .checkpoints import write_checkpoint

NUMBERS = st.floats(-1, 1, width=32)
MATRICES = st.integers(1, 6).flatmap(lambda dim: arrays(np.float32, (dim, dim), elements=NUMBERS))


@given(MATRICES, st.data())
def test_what_is_mapped_has_unit_length_or_is_nothing(matrix, data):
    dim = len(matrix)
    vectors = data.draw(arrays(np.float32, (3, dim), elements=NUMBERS))
    mapped = QueryAdapter(matrix, "").map(vectors)
    lengths = np.linalg.norm(mapped.astype(np.float64), axis=1)
    assert mapped.dtype == np.float32
    assert all(length == 0 or abs(length - 1) < 1e-5 for length in lengths)


def test_a_projection_of_queries_alone_compares_like_one_of_both_sides():
    draw = np.random.default_rng(7)
    query, passage = (draw.standard_normal((5, 8)).astype(np.float32) for _ in range(2))
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    basis = np.linalg.qr(draw.standard_normal((8, 3)))[0]
    projection = (np.eye(8) - basis @ basis.T).astype(np.float32)
    kept = np.linalg.norm(query @ projection, axis=1, keepdims=True)
    found = maxsim([QueryAdapter(projection, "").map(query) * kept], [passage])
    assert found == pytest.approx(maxsim([query @ projection], [passage @ projection]), rel=1e-5)


@given(MATRICES, st.sampled_from(["mixed", "always"]), st.text(max_size=5))
def test_what_is_saved_is_read_again(tmp_path_factory, matrix, use, text):
    path = tmp_path_factory.mktemp("adapter") / "one.safetensors"
    adapter = QueryAdapter(matrix, "abc", use, {"summary": text, "across": [0.1, 0.2]})
    adapter.save(path)
    found = QueryAdapter.read(path)
    assert np.array_equal(found.matrix, matrix)
    assert (found.weights, found.use, found.origin) == ("abc", use, adapter.origin)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("matrix", "use", "message"),
    [
        (np.zeros((2, 3)), "mixed", r"is \(dim, dim\), not \(2, 3\)"),
        (np.zeros(4), "mixed", r"not \(4,\)"),
        (np.zeros((0, 0)), "mixed", r"not \(0, 0\)"),
        (np.full((2, 2), np.nan), "mixed", "NaN or infinity"),
        (np.eye(2), "sometimes", "use must be one of"),
    ],
)
def test_what_maps_nothing_is_refused(matrix, use, message):
    with pytest.raises(ConfigError, match=message):
        QueryAdapter(matrix.astype(np.float32), "", use)


EYE = np.eye(2, dtype=np.float32)
WHOLE = {"weights": "w", "use": "mixed", "origin": "{}"}
FILES = {
    "empty": b"",
    "no header": b"\xff" * 64,
    "another tensor": save({"weight": EYE}, metadata=WHOLE),
    "two tensors": save({"query_adapter": EYE, "more": EYE}, metadata=WHOLE),
    "no metadata": save({"query_adapter": EYE}),
    "half of it": save({"query_adapter": EYE}, metadata={"weights": "w"}),
    "another use": save({"query_adapter": EYE}, metadata=WHOLE | {"use": "never"}),
    "an origin that is no JSON": save({"query_adapter": EYE}, metadata=WHOLE | {"origin": "{"}),
    "an origin that is a list": save({"query_adapter": EYE}, metadata=WHOLE | {"origin": "[]"}),
    "a deep origin": save({"query_adapter": EYE}, metadata=WHOLE | {"origin": "[" * 99_999}),
    "a vector": save({"query_adapter": EYE[0]}, metadata=WHOLE),
    "not square": save({"query_adapter": EYE[:1]}, metadata=WHOLE),
    "NaN": save({"query_adapter": EYE * np.float32("nan")}, metadata=WHOLE),
    "cut": save({"query_adapter": EYE}, metadata=WHOLE)[:-3],
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_adapter_is_not_read_as_one(tmp_path, name):
    path = tmp_path / "odd.safetensors"
    path.write_bytes(FILES[name])
    with pytest.raises(ModelFormatError, match=r"odd\.safetensors"):
        QueryAdapter.read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no FIFOs")
def test_a_fifo_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(ModelFormatError, match="is not a file"):
        QueryAdapter.read(tmp_path / "pipe.safetensors")


def test_an_adapter_is_of_one_model():
    encoder = HashEncoder()
    mine = QueryAdapter(np.eye(32, dtype=np.float32), weights_of(encoder))
    mine.require_model(encoder)
    for other in (HashEncoder(dim=16), HashEncoder(document_length=9)):
        with pytest.raises(ConfigError, match=r"another model than 'hash'.*lfm2-colbert align"):
            mine.require_model(other)


def test_an_adapter_that_lies_with_another_model_is_refused(tmp_path):
    folder = write_checkpoint(tmp_path / "model")
    encoder = load_encoder(folder)
    assert encoder.query_adapter is None
    eye = np.eye(encoder.dim, dtype=np.float32)
    QueryAdapter(eye, "of another").save(folder / FILE)
    with pytest.raises(ModelFormatError, match="does not belong to its model"):
        _ = encoder_of_copy(folder, tmp_path).query_adapter
    QueryAdapter(eye, weights_of(encoder), origin={"summary": "mine"}).save(folder / FILE)
    own = RememberingEncoder(encoder_of_copy(folder, tmp_path)).query_adapter
    assert own.summary == "mine"


def encoder_of_copy(folder, tmp_path):
    """Load a model that nobody in this process has loaded."""
    return load_encoder(shutil.copytree(folder, tmp_path / str(len(list(tmp_path.iterdir())))))


def test_the_bundled_model_brings_its_own():
    adapter = load_encoder("nano").query_adapter
    assert (adapter.dim, adapter.use) == (128, "mixed")
    before, after = adapter.origin["across"]
    assert after > before
    assert json.dumps(adapter.origin["languages"]).count('"') == 2 * 17
    # Symmetric, with no more than unit length: something is taken away, and nothing put in.
    assert np.allclose(adapter.matrix, adapter.matrix.T, atol=1e-6)
    assert np.linalg.eigvalsh(adapter.matrix).max() < 1 + 1e-5
