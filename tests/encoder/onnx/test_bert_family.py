"""BERT, XLM-RoBERTa and ModernBERT without torch: the vectors that transformers gives."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from lfm2_colbert_rag._support.cache_folder import CACHE_VARIABLE
from lfm2_colbert_rag.encoder import load_encoder, read_fingerprint
from lfm2_colbert_rag.encoder.bert_config import BertConfig
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.modernbert_config import ModernBertConfig
from lfm2_colbert_rag.encoder.onnx.model_export import export_model
from lfm2_colbert_rag.encoder.onnx.onnx_engine import OnnxEncoder
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder
from lfm2_colbert_rag.errors import ModelFormatError
from lfm2_colbert_rag.types import TokenVectors

from ..checkpoints import edit_json
from ..foreign import FOREIGN, RICH_HEADS, write_backbone, write_foreign

pytestmark = pytest.mark.long

TEXTS = [
    "What is the capital of France?",
    "",
    "Où est la gare ?",
    "!!!",
    "the lazy dog jumps over the quick brown fox, " * 8,  # longer than a document may be
    "日本語のテキスト",
    "ẞ qwx [MASK] <mask> [PAD] <pad>",
]


def both_kinds(encoder: Any) -> list[TokenVectors]:
    return [*encoder.encode_document(TEXTS), *encoder.encode_query(TEXTS)]


def largest_difference(found: list[TokenVectors], expected: list[TokenVectors]) -> float:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.token_ids, other.token_ids)
        np.testing.assert_array_equal(one.spans, other.spans)
    pairs = zip(found, expected, strict=True)
    return max(np.abs(a.vectors - b.vectors).max(initial=0) for a, b in pairs)


def changed_backbone(**changes: Any) -> Any:
    return lambda folder, kind, **options: write_backbone(folder, kind, **options, **changes)


CHECKPOINTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{kind: (kind, {}) for kind in FOREIGN},
    "multi-vector": ("modernbert", {"layout": "multi_vector"}),
    **{f"{kind}, rich heads": (kind, {"heads": RICH_HEADS}) for kind in FOREIGN},
    **{f"{kind}, attended": (kind, {"attend_to_expansion_tokens": True}) for kind in FOREIGN},
    "no expansion": ("bert", {"do_query_expansion": False}),
    "as long as can be": ("bert", {"document_length": 130, "query_length": 130}),
    "as long as can be after padding": (
        "xlm-roberta",
        {"document_length": 128, "query_length": 128},
    ),
    # Reads 16 positions on either side, so that some of a query's 128 see nothing at all.
    "sliding": (
        "modernbert",
        {
            "document_length": 300,
            "query_length": 128,
            "backbone": changed_backbone(local_attention=32, num_hidden_layers=4),
        },
    ),
    "biases everywhere": (
        "modernbert",
        {"backbone": changed_backbone(attention_bias=True, mlp_bias=True, norm_bias=True)},
    ),
    "gelu_new": ("bert", {"backbone": changed_backbone(hidden_act="gelu_new")}),
    "relu": ("xlm-roberta", {"backbone": changed_backbone(hidden_act="relu")}),
    "silu": ("modernbert", {"backbone": changed_backbone(hidden_activation="silu")}),
    "one token type": ("bert", {"backbone": changed_backbone(type_vocab_size=1)}),
}


@pytest.mark.parametrize(("kind", "options"), CHECKPOINTS.values(), ids=CHECKPOINTS.keys())
def test_float32_equals_torch(tmp_path: Path, kind: str, options: dict[str, Any]) -> None:
    checkpoint = Checkpoint.read(write_foreign(tmp_path, kind, **options))
    found = both_kinds(OnnxEncoder(checkpoint, dtype="float32"))
    assert largest_difference(found, both_kinds(TorchEncoder(checkpoint))) <= 1e-4


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One PyLate checkpoint of each kind; not to be changed."""
    place = tmp_path_factory.mktemp("family")
    return {kind: write_foreign(place / kind, kind) for kind in FOREIGN}


@pytest.fixture(scope="session")
def exact(folders: dict[str, Path]) -> dict[str, OnnxEncoder]:
    read = Checkpoint.read
    return {kind: OnnxEncoder(read(folder), dtype="float32") for kind, folder in folders.items()}


@pytest.mark.parametrize("kind", FOREIGN)
def test_no_torch_is_needed_and_the_fingerprint_stays(kind: str, folders: dict[str, Path]) -> None:
    encoder = load_encoder(folders[kind])
    assert isinstance(encoder, OnnxEncoder)
    assert encoder.fingerprint == load_encoder(folders[kind], engine="torch").fingerprint
    assert encoder.fingerprint["architecture"] == kind


@pytest.mark.parametrize(
    ("dtype", "least"), [("int8", 0.99), ("float16", 0.99999), ("bfloat16", 0.999)]
)
@pytest.mark.parametrize("kind", FOREIGN)
def test_small_types_stay_close(
    kind: str, dtype: Any, least: float, folders: dict[str, Path], exact: dict[str, OnnxEncoder]
) -> None:
    small = both_kinds(OnnxEncoder(Checkpoint.read(folders[kind]), dtype=dtype))
    pairs = zip(both_kinds(exact[kind]), small, strict=True)
    cosines = [(a.vectors * b.vectors).sum(axis=1) for a, b in pairs]
    assert np.concatenate(cosines).mean() >= least


@pytest.mark.parametrize("kind", FOREIGN)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_vector_does_not_depend_on_its_batch(
    kind: str, exact: dict[str, OnnxEncoder], data: st.DataObject
) -> None:
    texts = data.draw(
        st.lists(st.sampled_from(TEXTS) | st.text(max_size=30), min_size=1, max_size=6)
    )
    for encode in (exact[kind].encode_document, exact[kind].encode_query):
        alone = [encode([text])[0] for text in texts]
        assert largest_difference(encode(texts), alone) <= 1e-5


@pytest.mark.parametrize("kind", FOREIGN)
def test_an_export_needs_nothing_else(
    kind: str, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    export = export_model(folders[kind], tmp_path / "export")
    found = both_kinds(load_encoder(export))
    assert not (tmp_path / "cache").exists()
    assert read_fingerprint(export) == read_fingerprint(folders[kind])
    expected = both_kinds(load_encoder(folders[kind]))
    assert largest_difference(found, expected) == 0


def change_tensors(folder: Path, change: Any) -> None:
    file = folder / "model.safetensors"
    tensors = dict(change(name, tensor) for name, tensor in load_file(file).items())
    save_file(tensors, file, metadata={"format": "pt"})


@pytest.mark.parametrize(("kind", "prefix"), [("bert", "bert."), ("xlm-roberta", "roberta.")])
def test_what_was_saved_with_its_training_is_read(
    kind: str, prefix: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    """Names have a prefix then, and other tensors lie beside."""
    folder = shutil.copytree(folders[kind], tmp_path / "model")
    change_tensors(folder, lambda name, tensor: (prefix + name, tensor.clone()))
    tensors = load_file(folder / "model.safetensors")
    tensors["cls.predictions.bias"] = torch.zeros(3)
    tensors["cls.scale"] = torch.tensor(1.0)
    tensors[f"{prefix}embeddings.position_ids"] = torch.arange(130)[None]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    checkpoint = Checkpoint.read(folder)
    found = both_kinds(OnnxEncoder(checkpoint, dtype="float32"))
    assert largest_difference(found, both_kinds(TorchEncoder(checkpoint))) <= 1e-4


def test_norms_may_have_their_old_names(
    folders: dict[str, Path], exact: dict[str, OnnxEncoder], tmp_path: Path
) -> None:
    """As some versions of transformers save them."""
    folder = shutil.copytree(folders["bert"], tmp_path / "model")
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def rename(name: str, tensor: torch.Tensor) -> tuple[str, torch.Tensor]:
        for new, old in names.items():
            name = name.replace(new, old)
        return name, tensor

    change_tensors(folder, rename)
    found = both_kinds(OnnxEncoder(Checkpoint.read(folder), dtype="float32"))
    assert largest_difference(found, both_kinds(exact["bert"])) == 0


def test_roberta_is_xlm_roberta_by_another_name(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["xlm-roberta"], tmp_path / "model")
    edit_json(folder / "config.json", model_type="roberta", architectures=["RobertaModel"])
    checkpoint = Checkpoint.read(folder)
    found = both_kinds(OnnxEncoder(checkpoint, dtype="float32"))
    assert largest_difference(found, both_kinds(TorchEncoder(checkpoint))) <= 1e-4


UNKNOWN = {
    "activation": ("bert", {"hidden_act": "gelu_fast"}),
    "decoder": ("bert", {"is_decoder": True}),
    "positions": ("bert", {"position_embedding_type": "relative_key"}),
    "gate": ("modernbert", {"hidden_activation": "gelu_fast"}),
    "scaled positions": (
        "modernbert",
        {"rope_scaling": {"rope_type": "linear", "factor": 2.0}},
    ),
    "type": ("bert", {"model_type": "electra"}),
}


@pytest.mark.parametrize(("kind", "changes"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_the_graphs_do_not_know_is_left_to_torch(
    kind: str, changes: dict[str, Any], folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(folders[kind], tmp_path / "model")
    edit_json(folder / "config.json", **changes)
    checkpoint = Checkpoint.read(folder)
    assert not checkpoint.has_graph
    with pytest.raises(ModelFormatError, match=r"cannot run without torch.*engine='torch'"):
        load_encoder(folder, engine="onnx")
    with pytest.raises(ModelFormatError, match="cannot run without torch"):
        export_model(folder, tmp_path / "export")


def test_an_unknown_activation_runs_with_torch(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["bert"], tmp_path / "model")
    edit_json(folder / "config.json", hidden_act="gelu_fast")
    assert isinstance(load_encoder(folder), TorchEncoder)


def test_rotary_positions_of_others_code_are_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """transformers would read it as a plain XLM-RoBERTa, whose tensors are missing."""
    folder = shutil.copytree(folders["xlm-roberta"], tmp_path / "model")
    edit_json(folder / "config.json", position_embedding_type="rotary")
    with pytest.raises(ModelFormatError, match=r"rotary.*jina-colbert-v2.*never run"):
        load_encoder(folder)


SIZES = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48, "vocab_size": 9}


def test_configurations_of_both_versions_of_transformers() -> None:
    """A ModernBERT of version 4 has one theta each, of version 5 a table."""
    usual = {"model_type": "modernbert", "num_hidden_layers": 4, **SIZES}
    old = usual | {"global_rope_theta": 5.0, "local_rope_theta": 7.0, "local_attention": 10}
    new = usual | {
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 5.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 7.0},
        },
        "layer_types": ["full_attention", *["sliding_attention"] * 2, "full_attention"],
        "local_attention": 10,
    }
    read = ModernBertConfig.from_dict(old)
    assert read == ModernBertConfig.from_dict(new)
    assert read is not None
    assert (read.global_theta, read.local_theta, read.reach) == (5.0, 7.0, 5)
    shared = ModernBertConfig.from_dict({**old, "local_rope_theta": None})
    assert shared is not None
    assert shared.local_theta == 5.0


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_attention_heads": 5}, "not a multiple of num_attention_heads 5"),
        ({"num_attention_heads": 0}, "num_attention_heads must be positive"),
        ({"intermediate_size": -4}, "whole number 'intermediate_size', not -4"),
        ({"intermediate_size": "wide"}, "not 'wide'"),
        ({"num_hidden_layers": 10**9}, "1 to 1000"),
        ({"num_hidden_layers": 0}, "must be"),
    ],
)
def test_impossible_shapes(kind: str, changes: dict[str, Any], message: str) -> None:
    read = BertConfig.from_dict if kind == "bert" else ModernBertConfig.from_dict
    with pytest.raises(ModelFormatError, match=message):
        read({"model_type": kind, **SIZES, **changes})


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("modernbert", {"num_attention_heads": 32}, "even width"),
        ("modernbert", {"layer_types": ["conv"]}, "layer_types must be.*conv"),
        ("modernbert", {"local_attention": 0}, "reach must be positive"),
        ("xlm-roberta", {"max_position_embeddings": 2}, "leaves no position"),
    ],
)
def test_impossible_shapes_of_one_kind(kind: str, changes: dict[str, Any], message: str) -> None:
    read = ModernBertConfig.from_dict if kind == "modernbert" else BertConfig.from_dict
    with pytest.raises(ModelFormatError, match=message):
        read({"model_type": kind, **SIZES, **changes})
