"""Checkpoint folders: both layouts, every way weights are stored, and what tells them apart."""

from __future__ import annotations

import json
import string
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file as save_arrays

from lfm2_colbert_rag.encoder import load_encoder, read_fingerprint
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint, SpecialTokens
from lfm2_colbert_rag.encoder.config import FramingConfig, Lfm2Config
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder
from lfm2_colbert_rag.encoder.weights import read_array, read_rows, stored_tensors
from lfm2_colbert_rag.errors import ModelFormatError

from .checkpoints import EOS, SPECIAL, edit_json, hf_config, small_config, write_checkpoint
from .checkpoints import write_json as write

TEXTS = ["What is the capital of France?", "la gare", "", "日本語, 東京!"]
OPTIONS = "config_sentence_transformers.json"


def vectors(folder: Path) -> list[Any]:
    encoder = TorchEncoder(Checkpoint.read(folder))
    encoded = [*encoder.encode_query(TEXTS), *encoder.encode_document(TEXTS)]
    return [text.vectors for text in encoded]


def largest_difference(one: Path, other: Path) -> float:
    pairs = list(zip(vectors(one), vectors(other), strict=True))
    assert all(a.shape == b.shape for a, b in pairs)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


@pytest.mark.parametrize("both_ways", [False, True], ids=["causal", "bidirectional"])
def test_both_layouts_give_the_same_vectors(tmp_path: Path, both_ways: bool) -> None:
    pylate = write_checkpoint(tmp_path / "a", bidirectional=both_ways)
    other = write_checkpoint(tmp_path / "b", bidirectional=both_ways, layout="multi_vector")
    assert Checkpoint.read(pylate).layout == "pylate"
    assert Checkpoint.read(other).layout == "sentence-transformers"
    assert Checkpoint.read(pylate).framing == Checkpoint.read(other).framing
    assert Checkpoint.read(pylate).fingerprint == Checkpoint.read(other).fingerprint
    assert largest_difference(pylate, other) == 0


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"shards": 3}, 0),
        ({"prefix": "model."}, 0),
        ({"shards": 2, "prefix": "model."}, 0),
        ({"dtype": "bfloat16"}, 0.1),
        ({"dtype": "float16"}, 0.02),
        ({"int8": True}, 0.15),
    ],
)
def test_every_storage_gives_the_same_vectors(
    tmp_path: Path, folder: Path, options: dict[str, Any], tolerance: float
) -> None:
    stored = write_checkpoint(tmp_path, **options)
    assert largest_difference(folder, stored) <= tolerance


def test_int8_matrices_are_multiplied_by_their_row_scales(tmp_path: Path) -> None:
    """To within half a step of the quantisation."""
    checkpoint = Checkpoint.read(write_checkpoint(tmp_path, int8=True))
    plain = Checkpoint.read(write_checkpoint(tmp_path / "plain"))
    stored = TorchEncoder(checkpoint)._model.state_dict()
    for name, exact in TorchEncoder(plain)._model.state_dict().items():
        step = exact.abs().amax(dim=-1, keepdim=True) / 127 if exact.ndim == 2 else exact * 0
        assert ((stored[name] - exact).abs() <= 0.5 * step + 1e-6).all()


@pytest.mark.parametrize("groups", [1, 2])
def test_four_bits_are_unpacked_with_the_scales_of_their_groups(
    tmp_path: Path, groups: int
) -> None:
    """Against numbers written out one by one, the lower half of a byte first."""
    generator = np.random.default_rng(0)
    numbers = generator.integers(-7, 8, (5, 8))
    scales = generator.uniform(0.5, 2, (5, groups)).astype(np.float16)
    packed = np.array(
        [[(row[i] + 8) + 16 * (row[i + 1] + 8) for i in range(0, 8, 2)] for row in numbers]
    )
    arrays = {"x": packed.astype(np.uint8), "x_scale": scales, "y": np.ones((2, 2), np.float32)}
    save_arrays(arrays, tmp_path / "model.safetensors")
    stored = stored_tensors([tmp_path / "model.safetensors"])
    assert sorted(stored) == ["x", "y"]
    assert stored["x"].shape == (5, 8)
    expected = numbers * np.repeat(scales.astype(np.float32), 8 // groups, axis=1)
    np.testing.assert_array_equal(read_array(stored["x"]), expected)
    np.testing.assert_array_equal(read_rows(stored["x"], 1, 3), expected[1:3])


def test_scales_that_do_not_fit_four_bits_are_a_format_error(tmp_path: Path) -> None:
    arrays = {"x": np.zeros((5, 4), np.uint8), "x_scale": np.ones((5, 3), np.float16)}
    save_arrays(arrays, tmp_path / "model.safetensors")
    with pytest.raises(ModelFormatError, match=r"\(5, a divisor of 8\).*has \(5, 3\)"):
        stored_tensors([tmp_path / "model.safetensors"])


def test_an_output_layer_that_is_not_needed_is_ignored(tmp_path: Path) -> None:
    def add(state: dict[str, torch.Tensor]) -> None:
        state["lm_head.weight"] = torch.zeros(3, 3)

    vectors(write_checkpoint(tmp_path, tensors=add))


@pytest.mark.parametrize(
    ("changes", "both_ways"),
    [
        ({"architectures": ["Lfm2Model"]}, False),
        ({"architectures": ["Lfm2ForCausalLM"]}, False),
        ({"architectures": ["Lfm2BidirectionalModel"]}, True),
        ({"architectures": None, "auto_map": {"AutoModel": "m.Lfm2BidirectionalModel"}}, True),
        (
            {"architectures": ["Lfm2Model"], "auto_map": {"AutoModel": "m.Lfm2BidirectionalModel"}},
            True,
        ),
    ],
)
def test_the_architecture_decides_the_direction(
    tmp_path: Path, changes: dict[str, Any], both_ways: bool
) -> None:
    """``model_type`` says "lfm2" in all of them."""
    checkpoint = Checkpoint.read(write_checkpoint(tmp_path, backbone=changes))
    assert checkpoint.backbone.bidirectional is both_ways
    direction = "bidirectional" if both_ways else "causal"
    assert checkpoint.fingerprint["architecture"] == direction


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"intermediate_size": 6656, "block_auto_adjust_ff_dim": True}, 4608),
        ({"intermediate_size": 1, "block_ff_dim": 6656, "block_auto_adjust_ff_dim": True}, 4608),
        (
            {
                "intermediate_size": 96,
                "block_auto_adjust_ff_dim": True,
                "block_multiple_of": 10,
                "block_ffn_dim_multiplier": 0.5,
            },
            40,
        ),
        ({"intermediate_size": 77}, 77),
    ],
)
def test_feed_forward_size_follows_the_published_rule(changes: dict[str, Any], size: int) -> None:
    assert Lfm2Config.from_dict(hf_config(small_config(), **changes)).feed_forward_size == size


def test_rope_theta_is_read_from_old_and_new_configurations() -> None:
    old = hf_config(small_config(), rope_theta=5.0)
    new = {**old, "rope_parameters": {"rope_theta": 7.0, "rope_type": "default"}}
    assert Lfm2Config.from_dict(old).rope_theta == 5.0
    assert Lfm2Config.from_dict(new).rope_theta == 7.0


def test_layer_kinds_are_read_from_indices_of_old_configurations() -> None:
    config = hf_config(small_config(), layer_types=None, full_attn_idxs=[1, 3])
    assert Lfm2Config.from_dict(config).layer_types == small_config().layer_types


def test_pylate_options_have_pylates_defaults(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    write(folder / OPTIONS, {"model_type": "ColBERT", "query_length": None})
    framing = Checkpoint.read(folder).framing
    assert framing == FramingConfig(document_length=180)
    assert framing.skiplist == tuple(string.punctuation)
    (folder / OPTIONS).unlink()
    assert Checkpoint.read(folder).framing == framing


def test_pylate_options_are_read(tmp_path: Path) -> None:
    options = {
        "query_prefix": "",
        "document_prefix": "[D] ",
        "query_length": 12,
        "document_length": 99,
        "attend_to_expansion_tokens": True,
        "skiplist_words": ["a"],
        "masked_positions": "zeroed",
    }
    framing = Checkpoint.read(write_checkpoint(tmp_path, framing=options)).framing
    expected = FramingConfig(
        query_prefix="",
        query_length=12,
        document_length=99,
        attend_to_expansion_tokens=True,
        skiplist=("a",),
        masked_positions="zeroed",
    )
    assert framing == expected


def test_without_expansion_nothing_attends_to_it(tmp_path: Path) -> None:
    options = {"do_query_expansion": False, "attend_to_expansion_tokens": True}
    framing = Checkpoint.read(write_checkpoint(tmp_path, framing=options)).framing
    assert not framing.query_expansion
    assert not framing.attend_to_expansion_tokens


def test_multi_vector_options_are_read(tmp_path: Path) -> None:
    expansion = {"strategy": "fixed", "attend": True, "token": SPECIAL[0], "length": 9}
    options = {"document_length": ..., "query_expansion": expansion}
    folder = write_checkpoint(tmp_path, layout="multi_vector", framing=options)
    write(folder / OPTIONS, {"prompts": {"query": "", "passage": "[D] "}})
    write(folder / "2_MultiVectorMask" / "config.json", {})
    assert Checkpoint.read(folder).framing == FramingConfig(
        query_prefix="",
        document_prefix="[D] ",
        query_length=9,
        document_length=512,  # the backbone's own limit
        attend_to_expansion_tokens=True,
        expansion_token=SPECIAL[0],
        skiplist=(),
    )


def test_multi_vector_queries_need_no_expansion(tmp_path: Path) -> None:
    options = {"query_length": 20, "query_expansion": ...}
    folder = write_checkpoint(tmp_path, layout="multi_vector", framing=options)
    framing = Checkpoint.read(folder).framing
    assert (framing.query_length, framing.query_expansion) == (20, False)
    edit_json(folder / "sentence_bert_config.json", query_length=None)
    edit_json(folder / "tokenizer_config.json", model_max_length=200)
    assert Checkpoint.read(folder).framing.query_length == 200


def test_special_tokens_are_read_as_text_or_object(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    edit_json(folder / "tokenizer_config.json", mask_token={"content": "<m>"}, pad_token=None)
    assert Checkpoint.read(folder).special_tokens == SpecialTokens(mask="<m>", eos=SPECIAL[EOS])
    (folder / "tokenizer_config.json").unlink()
    assert Checkpoint.read(folder).special_tokens == SpecialTokens(eos=EOS)


def test_code_in_the_folder_is_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when the configuration points at it and the folder is the working directory."""
    changes = {"auto_map": {"AutoModel": "modeling_evil.Lfm2BidirectionalModel"}}
    folder = write_checkpoint(tmp_path / "model", backbone=changes)
    evil = "import pathlib; pathlib.Path(__file__).with_name('ran').touch()"
    for name in ("modeling_evil", "pylate", "sentence_transformers", "config", "__init__"):
        (folder / f"{name}.py").write_text(evil, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    load_encoder(folder).encode_query(["hello"])
    assert not (folder / "ran").exists()
    assert "modeling_evil" not in sys.modules


def test_the_fingerprint_is_a_flat_json_object_without_paths(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "somewhere")
    fingerprint = Checkpoint.read(folder).fingerprint
    assert json.loads(json.dumps(fingerprint)) == fingerprint
    assert not any(isinstance(value, dict | list) for value in fingerprint.values())
    assert "somewhere" not in str(fingerprint)
    moved = folder.rename(tmp_path / "elsewhere")
    assert Checkpoint.read(moved).fingerprint == fingerprint


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1},
        {"bidirectional": True},
        {"dtype": "bfloat16"},
        {"framing": {"query_length": 17}},
        {"framing": {"document_length": 65}},
        {"framing": {"document_prefix": "[Q] "}},
        {"framing": {"do_query_expansion": False}},
        {"framing": {"attend_to_expansion_tokens": True}},
        {"framing": {"skiplist_words": ["!"]}},
        {"framing": {"masked_positions": "zeroed"}},
        {"markers_in_tokenizer": False},
    ],
    ids=str,
)
def test_whatever_decides_the_vectors_changes_the_fingerprint(
    tmp_path: Path, folder: Path, options: dict[str, Any]
) -> None:
    assert read_fingerprint(write_checkpoint(tmp_path, **options)) != read_fingerprint(folder)


def test_the_fingerprint_is_had_without_loading_and_notices_new_weights(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    before = read_fingerprint(folder)
    assert before == load_encoder(folder).fingerprint
    assert before == read_fingerprint(folder)
    write_checkpoint(tmp_path, seed=5)
    assert read_fingerprint(folder)["weights"] != before["weights"]
