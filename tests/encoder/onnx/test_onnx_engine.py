"""The ONNX engine: the same vectors as torch, whatever the batch, the order and the threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.onnx.onnx_engine import OnnxEncoder
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder
from lfm2_colbert_rag.errors import ConfigError, ModelFormatError
from lfm2_colbert_rag.types import TokenVectors

from ..checkpoints import DIM, edit_json, write_checkpoint, write_json

pytestmark = pytest.mark.long

TEXTS = [
    "what is the capital of france ?",
    "",
    "Die Hauptstadt von Deutschland ist Berlin! " * 6,
    "الكتاب على الطاولة ، أين هو؟",
    "ภาษาไทย 日本語のテキスト、東京。",
    "x",
    "la capitale de la France est Paris, n'est-ce pas ?",
]


def largest_difference(found: list[TokenVectors], expected: list[TokenVectors]) -> float:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.token_ids, other.token_ids)
        np.testing.assert_array_equal(one.spans, other.spans)
    pairs = zip(found, expected, strict=True)
    return max(np.abs(a.vectors - b.vectors).max(initial=0) for a, b in pairs)


def both_kinds(encoder: Any) -> list[TokenVectors]:
    return [*encoder.encode_document(TEXTS), *encoder.encode_query(TEXTS)]


def add_biases(state: dict[str, Tensor]) -> None:
    generator = torch.Generator().manual_seed(5)
    for name in [name for name in state if ".conv." in name and name.endswith("weight")]:
        size = state[name].shape[0]
        bias = name.removesuffix("weight") + "bias"
        state[bias] = 0.1 * torch.randn(size, generator=generator)


def widen_kernels(state: dict[str, Tensor]) -> None:
    generator = torch.Generator().manual_seed(6)
    for name in [name for name in state if name.endswith("conv.conv.weight")]:
        state[name] = torch.randn(state[name].shape[0], 1, 5, generator=generator)


CHECKPOINTS: dict[str, dict[str, Any]] = {
    "causal": {},
    "bidirectional": {"bidirectional": True},
    "zeroed": {"framing": {"masked_positions": "zeroed"}},
    "zeroed, bidirectional": {"framing": {"masked_positions": "zeroed"}, "bidirectional": True},
    "expansion attended to": {"framing": {"attend_to_expansion_tokens": True}},
    "no expansion": {"framing": {"do_query_expansion": False}},
    "multi-vector": {"layout": "multi_vector"},
    "bfloat16": {"dtype": "bfloat16", "prefix": "model."},
    "float16": {"dtype": "float16", "shards": 3},
    "int8": {"int8": True},
    "biases": {"backbone": {"conv_bias": True}, "tensors": add_biases},
    "kernel of 5": {"backbone": {"conv_L_cache": 5}, "tensors": widen_kernels},
    "kernel of 5, bidirectional": {
        "backbone": {"conv_L_cache": 5},
        "tensors": widen_kernels,
        "bidirectional": True,
    },
}


@pytest.mark.parametrize("options", CHECKPOINTS.values(), ids=CHECKPOINTS.keys())
def test_float32_equals_torch(tmp_path: Path, options: dict[str, Any]) -> None:
    checkpoint = Checkpoint.read(write_checkpoint(tmp_path / "model", **options))
    found = both_kinds(OnnxEncoder(checkpoint, dtype="float32"))
    assert largest_difference(found, both_kinds(TorchEncoder(checkpoint))) <= 1e-5


ACTIVATIONS = [
    "Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid", "LeakyReLU", "ELU", "Mish", "Softplus",
]  # fmt: skip


def write_heads(folder: Path, activation: str) -> None:
    """Three heads: with a bias and a residual of another width, with a square residual, plain."""
    generator = torch.Generator().manual_seed(3)
    shapes: list[dict[str, tuple[int, ...]]] = [
        {"linear.weight": (24, 32), "linear.bias": (24,), "residual.weight": (24, 32)},
        {"linear.weight": (24, 24)},
        {"linear.weight": (DIM, 24)},
    ]
    modules = [{"path": "", "type": "sentence_transformers.models.Transformer"}]
    for number, tensors in enumerate(shapes, start=1):
        part = folder / f"{number}_Dense"
        modules.append({"path": part.name, "type": "pylate.models.Dense.Dense"})
        module = "linear" if activation == "Identity" else "activation"
        config = {
            "in_features": tensors["linear.weight"][1],
            "out_features": tensors["linear.weight"][0],
            "bias": "linear.bias" in tensors,
            "use_residual": number < 3,
            "activation_function": f"torch.nn.modules.{module}.{activation}",
        }
        write_json(part / "config.json", config)
        values = {
            name: torch.randn(shape, generator=generator) / 5 for name, shape in tensors.items()
        }
        save_file(values, part / "model.safetensors")
    write_json(folder / "modules.json", modules)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_heads_equal_torch(tmp_path: Path, activation: str) -> None:
    folder = write_checkpoint(tmp_path / "model")
    write_heads(folder, activation)
    checkpoint = Checkpoint.read(folder)
    assert len(checkpoint.heads) == 3
    found = both_kinds(OnnxEncoder(checkpoint, dtype="float32"))
    assert largest_difference(found, both_kinds(TorchEncoder(checkpoint))) <= 1e-5


@pytest.mark.parametrize(
    ("dtype", "least"), [("int8", 0.99), ("float16", 0.99999), ("bfloat16", 0.999)]
)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_small_types_stay_close(
    tmp_path: Path, dtype: Any, least: float, bidirectional: bool
) -> None:
    checkpoint = Checkpoint.read(write_checkpoint(tmp_path / "model", bidirectional=bidirectional))
    exact = both_kinds(OnnxEncoder(checkpoint, dtype="float32"))
    small = both_kinds(OnnxEncoder(checkpoint, dtype=dtype))
    cosines = [(a.vectors * b.vectors).sum(axis=1) for a, b in zip(exact, small, strict=True)]
    assert np.concatenate(cosines).mean() >= least


@pytest.fixture(scope="module", params=["float32", "int8"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = write_checkpoint(tmp_path_factory.mktemp("models") / "model", bidirectional=True)
    return OnnxEncoder(Checkpoint.read(folder), dtype=request.param, query_cache=0)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_vector_does_not_depend_on_its_batch(encoder: OnnxEncoder, data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.sampled_from(TEXTS) | st.text(max_size=30), max_size=6))
    alone = [encoder.encode_document([text])[0] for text in texts]
    if texts:
        assert largest_difference(encoder.encode_document(texts), alone) <= 1e-5
        asked = [encoder.encode_query([text])[0] for text in texts]
        assert largest_difference(encoder.encode_query(texts), asked) <= 1e-5


@pytest.mark.parametrize("options", [{"threads": 1}, {"threads": 2}, {"batch_tokens": 1}])
def test_threads_and_batches_change_nothing(encoder: OnnxEncoder, options: dict[str, Any]) -> None:
    texts = TEXTS * 3
    dtype = "int8" if "int8" in str(encoder._session._model_path) else "float32"
    other = OnnxEncoder(encoder._checkpoint, dtype=dtype, **options)
    found = largest_difference(other.encode_document(texts), encoder.encode_document(texts))
    assert found <= 1e-5


def test_threads_share_an_encoder(encoder: OnnxEncoder) -> None:
    expected = [encoder.encode_document([text])[0] for text in TEXTS]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: encoder.encode_document([text])[0], TEXTS * 4))
    assert largest_difference(found, expected * 4) <= 1e-5


def test_one_large_activation_spoils_nothing_but_itself(tmp_path: Path) -> None:
    """Language models put huge values on the first position; others must keep their precision."""

    def enlarge(state: dict[str, Tensor]) -> None:
        state["embed_tokens.weight"][1] *= 1000  # the token every text begins with

    folder = write_checkpoint(tmp_path / "model", tensors=enlarge, bidirectional=True)
    checkpoint = Checkpoint.read(folder)
    exact = OnnxEncoder(checkpoint, dtype="float32").encode_document(TEXTS)
    small = OnnxEncoder(checkpoint, dtype="int8").encode_document(TEXTS)
    cosines = [(a.vectors * b.vectors).sum(axis=1) for a, b in zip(exact, small, strict=True)]
    assert np.concatenate(cosines).mean() >= 0.99


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "threads must be 1 or more, not 0"),
        ({"batch_tokens": 0}, "batch_tokens must be positive, not 0"),
        ({"query_cache": -1}, "query_cache must be 0 or more, not -1"),
        ({"dtype": "int3"}, "dtype must be one of"),
    ],
)
def test_bad_options(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OnnxEncoder(Checkpoint.read(folder), **options)


def test_weights_that_do_not_fit_the_configuration(tmp_path: Path) -> None:
    def drop(state: dict[str, Tensor]) -> None:
        del state["layers.0.ffn_norm.weight"]

    folder = write_checkpoint(tmp_path / "model", tensors=drop)
    with pytest.raises(ModelFormatError, match=r"missing tensors: layers.0.ffn_norm.weight"):
        OnnxEncoder(Checkpoint.read(folder))
    wide = write_checkpoint(tmp_path / "wide")
    edit_json(wide / "config.json", intermediate_size=50)
    with pytest.raises(ModelFormatError, match="wrong shapes"):
        OnnxEncoder(Checkpoint.read(wide))
