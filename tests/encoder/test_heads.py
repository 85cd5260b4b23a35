"""Heads of one Dense or more: each activation, biases, residuals, and their place on the disk."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from lfm2_colbert_rag.encoder import read_fingerprint
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint, DenseHead
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder

from .checkpoints import DIM, edit_json, write_checkpoint, write_json
from .foreign import RICH_HEADS, dense, write_heads

pytestmark = pytest.mark.long

TEXTS = ["What is the capital of France?", "", "日本語, 東京!"]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softplus(x: Any) -> Any:
    return np.log1p(np.exp(x))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "linear.Identity": lambda x: x,
    "activation.Tanh": np.tanh,
    "activation.ReLU": lambda x: np.maximum(x, 0),
    "activation.GELU": lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "activation.SiLU": lambda x: x * sigmoid(x),
    "activation.Sigmoid": sigmoid,
    "activation.LeakyReLU": lambda x: np.where(x > 0, x, 0.01 * x),
    "activation.ELU": lambda x: np.where(x > 0, x, np.expm1(x)),
    "activation.Mish": lambda x: x * np.tanh(softplus(x)),
    "activation.Softplus": softplus,
}


def give_heads(folder: Path, *heads: Any) -> Path:
    """Replace the Dense of a PyLate checkpoint."""
    types = ["pylate.models.Dense.Dense"] * len(heads)
    entries = [("", "sentence_transformers.models.Transformer")]
    entries += zip(write_heads(folder, heads), types, strict=True)
    write_json(folder / "modules.json", [{"path": path, "type": name} for path, name in entries])
    return folder


def plainly(folder: Path, config: Any, x: Any) -> Any:
    """One Dense as numpy computes it from the files."""
    tensors = {
        name: tensor.astype(np.float64)
        for name, tensor in load_file(folder / "model.safetensors").items()
    }
    out = x @ tensors["linear.weight"].T
    if config["bias"]:
        out = out + tensors["linear.bias"]
    out = FUNCTIONS[config["activation_function"].removeprefix("torch.nn.modules.")](out)
    if config.get("use_residual"):
        same = config["in_features"] == config["out_features"]
        out = out + (x if same else x @ tensors["residual.weight"].T)
    return out


def assert_heads_give(folder: Path, *heads: Any) -> None:
    encoder = TorchEncoder(Checkpoint.read(give_heads(folder, *heads)))
    x = torch.randn(7, 32, generator=torch.Generator().manual_seed(2))
    expected = x.double().numpy()
    for place, head in enumerate(heads, start=1):
        expected = plainly(folder / f"{place}_Dense", head, expected)
    found = encoder._model.heads(x).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for text in encoder.encode_document(TEXTS):
        assert text.vectors.shape[1] == encoder.dim == heads[-1]["out_features"]
        np.testing.assert_allclose(np.linalg.norm(text.vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_every_activation_is_computed(tmp_path: Path, activation: str, residual: bool) -> None:
    folder = write_checkpoint(tmp_path)
    assert_heads_give(folder, dense(32, DIM, activation, bias=True, use_residual=residual))


def test_heads_come_one_after_another(tmp_path: Path) -> None:
    """With a residual of equal and one of unequal widths."""
    assert_heads_give(write_checkpoint(tmp_path), *RICH_HEADS)


def test_heads_are_described_by_the_checkpoint(tmp_path: Path) -> None:
    folder = give_heads(write_checkpoint(tmp_path), *RICH_HEADS)
    checkpoint = Checkpoint.read(folder)
    assert checkpoint.heads[:3] == (
        DenseHead(folder / "1_Dense", 32, 64, bias=True, activation="gelu"),
        DenseHead(folder / "2_Dense", 64, 32, activation="tanh", residual=True),
        DenseHead(folder / "3_Dense", 32, 32, bias=True, residual=True),
    )
    assert checkpoint.heads[3].is_plain
    assert [sorted(tensors) for tensors in checkpoint.head_tensors()] == [
        ["linear.bias", "linear.weight"],
        ["linear.weight", "residual.weight"],
        ["linear.bias", "linear.weight"],
        ["linear.weight"],
    ]


def test_the_fingerprint_speaks_of_unusual_heads_only(tmp_path: Path, folder: Path) -> None:
    """An index made before such heads could be run must still open."""
    usual = set(read_fingerprint(folder))
    assert usual == {
        "kind",
        "weights",
        "architecture",
        "dim",
        "query_prefix",
        "document_prefix",
        "query_length",
        "document_length",
        "query_expansion",
        "attend_to_expansion_tokens",
        "expansion_token",
        "skiplist",
        "masked_positions",
        "normal_form",
        "vectors",
    }
    other = write_checkpoint(tmp_path)
    assert read_fingerprint(other) == read_fingerprint(folder)
    edit_json(other / "1_Dense" / "config.json", activation_function="torch.nn.Tanh")
    assert set(read_fingerprint(other)) == usual | {"heads"}


@pytest.mark.parametrize("change", [{"activation_function": "torch.nn.ReLU"}, {"bias": True}])
def test_heads_decide_the_fingerprint(tmp_path: Path, change: dict[str, Any]) -> None:
    folder = give_heads(write_checkpoint(tmp_path), dense(32, DIM, "activation.Tanh", bias=False))
    before = read_fingerprint(folder)
    edit_json(folder / "1_Dense" / "config.json", **change)
    assert read_fingerprint(folder) != before
