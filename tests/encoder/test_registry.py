"""Which engine runs a model, and that one encoder serves a whole process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lfm2_colbert_rag import load_encoder
from lfm2_colbert_rag.encoder.onnx.onnx_engine import OnnxEncoder
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder
from lfm2_colbert_rag.errors import ConfigError

from .checkpoints import write_checkpoint


def test_onnx_is_taken_where_it_can_be(folder: Path) -> None:
    assert isinstance(load_encoder(folder), OnnxEncoder)
    assert isinstance(load_encoder(folder, dtype="float32"), OnnxEncoder)
    assert isinstance(load_encoder(folder, engine="torch"), TorchEncoder)


def test_one_encoder_serves_a_process(folder: Path) -> None:
    encoder = load_encoder(folder)
    assert load_encoder(str(folder)) is encoder
    assert load_encoder(folder, threads=1) is not encoder
    assert load_encoder(folder, masked_positions="zeroed") is not encoder


def test_a_folder_written_anew_is_another_model(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    before = load_encoder(folder)
    write_checkpoint(folder, seed=1)
    after = load_encoder(folder)
    assert after is not before
    assert after.fingerprint != before.fingerprint


def test_an_encoder_nobody_holds_is_let_go(folder: Path) -> None:
    from lfm2_colbert_rag.encoder.registry import _loaded

    encoder = load_encoder(folder, batch_tokens=77)
    held = len(_loaded)
    del encoder
    assert len(_loaded) == held - 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "jax"}, r"engine must be one of \['auto', 'onnx', 'torch'\], not 'jax'"),
        ({"dtype": "int4"}, "dtype must be one of"),
        ({"engine": "onnx", "device": "cuda"}, "runs on the CPU only, not on 'cuda'"),
        ({"engine": "torch", "dtype": "int8"}, "dtype='int8' needs engine='onnx'"),
        ({"threads": 0}, "threads must be 1 or more, not 0"),
        ({"engine": "torch", "threads": -1}, "threads must be 1 or more, not -1"),
        ({"batch_tokens": 0}, "batch_tokens must be positive"),
        ({"query_cache": -1}, "query_cache must be 0 or more"),
    ],
)
def test_options_that_no_engine_has(folder: Path, options, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_encoder(folder, **options)


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # any import of it fails
import lfm2_colbert_rag
assert "onnxruntime" not in sys.modules and "onnx" not in sys.modules
from lfm2_colbert_rag import Retriever, load_encoder
from lfm2_colbert_rag.errors import MissingExtraError

retriever = Retriever.from_texts(["Paris est la capitale de la France."], model="nano")
[hit] = retriever.search("What is the capital of France?")
assert hit.evidence
try:
    load_encoder("nano", engine="torch")
except MissingExtraError as error:
    assert "lfm2-colbert-rag[torch]" in str(error)
else:
    raise AssertionError("torch was not asked for")
"""


def test_everything_works_without_torch() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", WITHOUT_TORCH], check=True)
