"""Checkpoint folders that cannot be run: each is refused with what is wrong with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.errors import ModelFormatError

from .checkpoints import edit_json, write_checkpoint
from .checkpoints import write_json as write

OPTIONS = "config_sentence_transformers.json"


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def replace(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content, encoding="utf-8")


def edit(name: str, **changes: Any) -> Callable[[Path], None]:
    return lambda folder: edit_json(folder / name, **changes)


def modules(*types: str) -> Callable[[Path], None]:
    entries = [{"path": "" if i == 0 else "1_Dense", "type": t} for i, t in enumerate(types)]
    return lambda folder: write(folder / "modules.json", entries)


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def shard_outside(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")
    index = {"weight_map": {"a": "../outside.safetensors"}}
    write(folder / "model.safetensors.index.json", index)


TRANSFORMER, DENSE = "sentence_transformers.models.Transformer", "pylate.models.Dense.Dense"

BROKEN_PYLATE = {
    "no modules": (remove("modules.json"), "not a late-interaction checkpoint"),
    "modules no list": (replace("modules.json", "{}"), "JSON array of objects"),
    "modules no json": (replace("modules.json", "nonsense"), "cannot be read"),
    "modules empty": (replace("modules.json", "[]"), "one Dense or more"),
    "no dense": (modules(TRANSFORMER), "one Dense or more"),
    "two dense of other widths": (
        modules(TRANSFORMER, DENSE, DENSE),
        "1_Dense takes 32 features, but the Dense of .* gives 8",
    ),
    "two transformers": (modules(TRANSFORMER, DENSE, TRANSFORMER, DENSE), "one Dense or more"),
    "own code": (modules(TRANSFORMER, "modeling_x.Dense"), "never run"),
    "pooling": (
        modules(TRANSFORMER, DENSE, "sentence_transformers.models.Pooling"),
        "'sentence_transformers.models.Pooling'",
    ),
    "module outside": (
        lambda f: write(
            f / "modules.json",
            [{"path": "", "type": TRANSFORMER}, {"path": "../x", "type": DENSE}],
        ),
        "out of its folder",
    ),
    "dense bias": (edit("1_Dense/config.json", bias=True), r"missing tensors: linear\.bias"),
    "dense residual": (
        edit("1_Dense/config.json", use_residual=True),
        r"missing tensors: residual\.weight",
    ),
    "dense activation": (
        edit("1_Dense/config.json", activation_function="torch.nn.modules.activation.RReLU"),
        "RReLU.*supported are Identity, Tanh",
    ),
    "dense own activation": (
        edit("1_Dense/config.json", activation_function="modeling_x.Tanh"),
        "modeling_x.Tanh",
    ),
    "dense output": (
        edit("1_Dense/config.json", module_output_name="sentence_embedding"),
        "sentence_embedding",
    ),
    "dense input": (
        edit("1_Dense/config.json", module_input_name="sentence_embedding"),
        "sentence_embedding",
    ),
    "dense no size": (edit("1_Dense/config.json", out_features=None), "'out_features'"),
    "dense wrong size": (edit("1_Dense/config.json", in_features=31), "the backbone gives 32"),
    "dense no config": (remove("1_Dense/config.json"), "'in_features'"),
    "dense no weights": (remove("1_Dense/model.safetensors"), "holds no weights"),
    "no config": (remove("config.json"), r"no config\.json"),
    "config no object": (replace("config.json", "[1]"), "JSON object, not list"),
    "config not text": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe"), "cannot be read"),
    "config no size": (edit("config.json", hidden_size=None), "no 'hidden_size'"),
    "config wrong type": (edit("config.json", hidden_size="big"), "wrong type"),
    "config wrong shape": (edit("config.json", num_attention_heads=5), "not a multiple"),
    "other architecture": (edit("config.json", architectures=["BertModel"]), "BertModel"),
    "no architecture": (edit("config.json", architectures=None), "architectures"),
    "other rope": (
        edit("config.json", rope_parameters={"rope_type": "yarn"}),
        "rope_type 'yarn'",
    ),
    "no tokenizer": (remove("tokenizer.json"), r"no tokenizer\.json"),
    "bad tokenizer": (replace("tokenizer.json", "{}"), r"tokenizer\.json cannot be read"),
    "left padding": (edit("tokenizer_config.json", padding_side="left"), "padding_side='left'"),
    "tokenizer too large": (edit("config.json", vocab_size=400), "embedding table has 400 rows"),
    "no weights": (remove("model.safetensors"), "holds no weights"),
    "pickled weights": (pickled, "is a pickle.*safe_serialization=True"),
    "damaged weights": (replace("model.safetensors", "nonsense"), "Download the model again"),
    "shard outside": (shard_outside, "not in the folder"),
    "wrong type of option": (edit(OPTIONS, query_length="32"), "'query_length'.*'32'"),
    "bool for a number": (edit(OPTIONS, query_length=True), "'query_length'.*True"),
    "wrong skiplist": (edit(OPTIONS, skiplist_words="!?"), "'skiplist_words'"),
    "too short": (edit(OPTIONS, document_length=3), "at least 4"),
    "unknown masking": (edit(OPTIONS, masked_positions="x"), "'kept' or 'zeroed'"),
    "default prompt": (edit(OPTIONS, default_prompt_name="query"), "default_prompt_name"),
}


def break_expansion(**changes: Any) -> Callable[[Path], None]:
    expansion = {"strategy": "fixed", "attend": False, "token": None, "length": 16, **changes}
    return edit("sentence_bert_config.json", query_expansion=expansion)


MASK = "2_MultiVectorMask/config.json"
BROKEN_MULTI_VECTOR = {
    "other strategy": (break_expansion(strategy="min"), "strategy 'fixed'"),
    "unknown token": (break_expansion(token="<|nowhere|>"), "does not know '<|nowhere|>'"),
    "text prompt": (edit(OPTIONS, prompts={"query": "question: "}), "not one token"),
    "processing": (
        edit("sentence_bert_config.json", processing_kwargs={"text": {"padding": True}}),
        "processing_kwargs",
    ),
    "query skiplist": (edit(MASK, skiplist_tasks=["query", "document"]), "skiplist_tasks"),
    "image tokens": (edit(MASK, keep_only_token_ids=[3]), "keep_only_token_ids"),
    "sentence norm": (
        edit("3_Normalize/config.json", module_input_name="sentence_embedding"),
        "'token_embeddings'",
    ),
    "no mask": (modules(TRANSFORMER, DENSE), "ends in MultiVectorMask and Normalize"),
}


@pytest.mark.parametrize("case", BROKEN_PYLATE)
def test_a_broken_pylate_folder_is_a_format_error(tmp_path: Path, case: str) -> None:
    """Whose message names the file or the value."""
    folder = write_checkpoint(tmp_path / "model")
    change, message = BROKEN_PYLATE[case]
    change(folder)
    with pytest.raises(ModelFormatError, match=f"(?s){message}"):
        load_encoder(folder)


@pytest.mark.parametrize("case", BROKEN_MULTI_VECTOR)
def test_a_broken_multi_vector_folder_is_a_format_error(tmp_path: Path, case: str) -> None:
    folder = write_checkpoint(tmp_path / "model", layout="multi_vector")
    change, message = BROKEN_MULTI_VECTOR[case]
    change(folder)
    with pytest.raises(ModelFormatError, match=message):
        load_encoder(folder)


def break_tensors(**changes: Any) -> Callable[[dict[str, torch.Tensor]], None]:
    def change(state: dict[str, torch.Tensor]) -> None:
        for name, tensor in changes.items():
            if tensor is None:
                del state[name]
            else:
                state[name] = tensor

    return change


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedding_norm.weight": None}, "missing tensors: embedding_norm.weight"),
        ({"layers.9.more.weight": torch.ones(2)}, "unexpected tensors: layers.9.more.weight"),
        (
            {"embedding_norm.weight": torch.ones(3)},
            r"wrong shapes: embedding_norm.weight has \(3,\)",
        ),
        ({f"x{i}": torch.ones(1) for i in range(9)}, "and 4 more"),
    ],
)
def test_tensors_that_do_not_fit_are_a_format_error(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = write_checkpoint(tmp_path, tensors=break_tensors(**changes))
    with pytest.raises(ModelFormatError, match=message):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("scale", "message"),
    [(None, "'embed_tokens.weight_scale'"), (torch.ones(2, 1), "must lie in")],
)
def test_int8_without_its_scale_is_a_format_error(
    tmp_path: Path, scale: torch.Tensor | None, message: str
) -> None:
    from safetensors.torch import load_file, save_file

    folder = write_checkpoint(tmp_path, int8=True)
    state = load_file(folder / "model.safetensors")
    break_tensors(**{"embed_tokens.weight_scale": scale})(state)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(ModelFormatError, match=message):
        load_encoder(folder)


def test_the_same_tensor_in_two_shards_is_a_format_error(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, shards=2)
    shutil.copy(
        folder / "model-00001-of-00002.safetensors", folder / "model-00002-of-00002.safetensors"
    )
    with pytest.raises(ModelFormatError, match="is both in"):
        load_encoder(folder)
