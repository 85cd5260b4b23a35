"""Model folders that somebody else made are read within limits, and only within themselves."""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.weights import read_array, stored_tensors
from lfm2_colbert_rag.errors import ModelFormatError

from ..windows import makes_links
from .checkpoints import write_checkpoint

WEIGHTS = "model.safetensors"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "model")


def as_in_the_hubs_cache(model: Path, root: Path) -> Path:
    """Lay a model out as the hub's cache does: links to blobs."""
    snapshot, blobs = root / "snapshots" / "abc", root / "blobs"
    blobs.mkdir(parents=True)
    for number, path in enumerate(sorted(model.rglob("*"))):
        if path.is_file():
            shutil.copy(path, blobs / str(number))
            link = snapshot / path.relative_to(model)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blobs / str(number), link.parent))
    return snapshot


@makes_links
def test_links_of_the_hubs_cache_are_followed(model, tmp_path):
    snapshot = as_in_the_hubs_cache(model, tmp_path / "models--a--b")
    wanted, found = Checkpoint.read(model), Checkpoint.read(snapshot)
    assert found.fingerprint == wanted.fingerprint
    assert found.backbone_tensors().keys() == wanted.backbone_tensors().keys()
    (tmp_path / "short").symlink_to(snapshot)
    assert Checkpoint.read(tmp_path / "short").fingerprint == wanted.fingerprint


@makes_links
@pytest.mark.parametrize("name", ["config.json", "1_Dense/config.json", WEIGHTS, "tokenizer.json"])
def test_links_out_of_the_model_are_refused(model, tmp_path, name):
    snapshot = as_in_the_hubs_cache(model, tmp_path / "models--a--b")
    secret = tmp_path / "models--c--d" / "blobs" / "1"
    secret.parent.mkdir(parents=True)
    shutil.copy(model / name, secret)
    for folder in (model, snapshot):
        (folder / name).unlink()
        (folder / name).symlink_to(secret)
        with pytest.raises(ModelFormatError, match="outside of the model"):
            Checkpoint.read(folder)


@makes_links
def test_links_within_the_model_are_followed(model):
    (model / "config.json").rename(model / "other.json")
    (model / "config.json").symlink_to("other.json")
    assert Checkpoint.read(model).dim == 8


@pytest.mark.parametrize("name", ["modules.json", "config.json", WEIGHTS, "tokenizer.json"])
def test_what_is_no_file_is_refused_at_once(model, name):
    (model / name).unlink()
    os.mkfifo(model / name)
    with pytest.raises(ModelFormatError):
        load_encoder(model)


@pytest.mark.parametrize("content", ['{"a":' * 100_000, b"\xff"], ids=["deep", "bytes"])
@pytest.mark.parametrize(
    "name",
    ["modules.json", "config.json", "tokenizer.json", "tokenizer_config.json",
     "config_sentence_transformers.json", "1_Dense/config.json"],
)  # fmt: skip
def test_json_that_is_not_to_be_read_is_refused(model, name, content):
    data = content.encode() if isinstance(content, str) else content
    (model / name).write_bytes(data)
    with pytest.raises(ModelFormatError):
        load_encoder(model)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("config.json", "architectures", 5),
        ("config.json", "auto_map", [1]),
        ("config.json", "num_attention_heads", 0),
        ("config.json", "hidden_size", 2**62),
        ("config.json", "vocab_size", "x"),
        ("config.json", "layer_types", None),
        ("config_sentence_transformers.json", "skiplist_words", [1]),
        ("config_sentence_transformers.json", "query_length", 2**62),
        ("1_Dense/config.json", "in_features", 2**62),
        ("tokenizer.json", "added_tokens", 7),
    ],
)
def test_values_of_any_kind_are_refused_by_name(model, name, key, value):
    content = json.loads((model / name).read_text())
    content[key] = value
    if key == "layer_types":
        content.update(num_hidden_layers=10**12)
    (model / name).write_text(json.dumps(content))
    with pytest.raises(ModelFormatError):
        load_encoder(model)


def header_of(entries: object, data: bytes = b"", size: int | None = None) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        header_of({}, size=2**63),
        header_of({}, size=10**7),
        header_of([]),
        header_of({"a": 5}),
        header_of({"a": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 2**62]}}),
        header_of({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}, bytes(4)),
        header_of({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}}, bytes(4)),
        header_of({"a": {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 4]}}, bytes(4)),
        header_of({"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}, bytes(4)),
        header_of({"a": {"dtype": "Q9", "shape": [4], "data_offsets": [0, 4]}}, bytes(4)),
        struct.pack("<Q", 10**6) + b"[" * 10**6,
    ],
    ids=range(13),
)
def test_weights_that_promise_what_is_not_there(model, content):
    (model / WEIGHTS).write_bytes(content)
    with pytest.raises(ModelFormatError):
        Checkpoint.read(model).backbone_tensors()
    with pytest.raises(ModelFormatError):
        load_encoder(model)


@pytest.mark.parametrize(
    ("value", "place", "engine"),
    [
        (np.nan, WEIGHTS, "onnx"),
        (np.inf, WEIGHTS, "torch"),
        (np.inf, f"1_Dense/{WEIGHTS}", "onnx"),
        (np.nan, f"1_Dense/{WEIGHTS}", "torch"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(model, value, place, engine):
    tensors = load_file(model / place)
    name = sorted(tensors)[-1]
    tensors[name] = tensors[name].copy()
    tensors[name].reshape(-1)[3] = value
    save_file(tensors, model / place)
    with pytest.raises(ModelFormatError, match=rf"'{name}'.*NaN or infinity"):
        load_encoder(model, engine=engine).encode_query(["a"])
    stored = stored_tensors([model / place])[name.removeprefix("model.")]
    with pytest.raises(ModelFormatError, match="NaN or infinity"):
        read_array(stored)
