"""The one call, for a model's own weights: what changes, what does not, and who is refused."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import deserialize
from safetensors.numpy import load_file, save_file

from lfm2_colbert_rag import load_encoder
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.onnx.model_export import export_model
from lfm2_colbert_rag.encoder.onnx.onnx_engine import OnnxEncoder
from lfm2_colbert_rag.encoder.query_adapter import FILE, QueryAdapter, weights_of
from lfm2_colbert_rag.encoder.torch_engine import TorchEncoder
from lfm2_colbert_rag.errors import ConfigError, ModelFormatError, StorageFullError
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.training import TrainingSettings, train
from lfm2_colbert_rag.training.task import Task
from lfm2_colbert_rag.training.weights_training import trained_model

from ..encoder.checkpoints import write_checkpoint
from ..encoder.foreign import write_foreign
from .conftest import CANARY, EXAMPLES, TEXTS

QUESTIONS = [example.question for example in EXAMPLES]
FAST = {"steps": 4, "learning_rate": 0.01}


def tensors(folder: Path) -> dict[str, bytes]:
    """Return what each tensor of a model is, with its dtype and shape."""
    found = {}
    for file in sorted(folder.rglob("*.safetensors")):
        if file.name != FILE:
            for name, one in deserialize(file.read_bytes()):
                said = f"{one['dtype']} {one['shape']} ".encode()
                found[f"{file.relative_to(folder)}: {name}"] = said + bytes(one["data"])
    return found


def changed(before: Path, after: Path) -> set[str]:
    one, other = tensors(before), tensors(after)
    assert one.keys() == other.keys()
    return {name.rpartition(" ")[2] for name in one if one[name] != other[name]}


def cosines(one, other) -> np.ndarray:
    """Return the cosines of all vectors that two encoders give."""
    found = []
    for kind in ("encode_query", "encode_document"):
        for mine, theirs in zip(
            getattr(one, kind)(QUESTIONS), getattr(other, kind)(QUESTIONS), strict=True
        ):
            found.extend(np.sum(mine.vectors * theirs.vectors, axis=1))
    return np.array(found)


@pytest.mark.parametrize("method", ["head", "lora", "layers"])
def test_what_was_not_trained_stays_byte_for_byte(encoder, checkpoint, method, tmp_path: Path):
    settings = TrainingSettings(method=method, **FAST)
    done = []
    trained = train(encoder, EXAMPLES, TEXTS, tmp_path / "new", settings, progress=done.append)
    assert (trained.steps, sum(done), trained.method) == (4, 4, method)
    names = changed(checkpoint.folder, trained.folder)
    if method == "head":
        assert names == {"linear.weight"}
    else:
        assert "embed_tokens.weight" not in names
        assert "layers.1.self_attn.q_proj.weight" in names
        assert ("layers.0.operator_norm.weight" in names) == (method == "layers")
    assert trained.base == weights_of(encoder)
    assert trained.weights == weights_of(load_encoder(trained.folder)) != trained.base


def test_both_engines_give_the_trained_models_vectors(encoder, tmp_path: Path):
    settings = TrainingSettings(method="layers", **FAST)
    task = Task.checked(EXAMPLES, TEXTS, tmp_path, settings)
    model = trained_model(encoder, task, lambda steps: None)
    folder = train(encoder, EXAMPLES, TEXTS, tmp_path / "new", settings).folder
    new = Checkpoint.read(folder)
    by_torch, by_onnx = TorchEncoder(new), OnnxEncoder(new, dtype="float32")
    by_torch_before = TorchEncoder(new)
    by_torch_before._model = model.runner.model
    assert cosines(by_torch, by_torch_before).min() > 0.99999
    assert cosines(by_torch, by_onnx).min() > 0.999
    assert cosines(by_torch, encoder).mean() < 0.999


@pytest.mark.parametrize(
    "stored",
    [
        {"int8": True},
        {"dtype": "bfloat16", "shards": 2, "prefix": "model."},
        {"dtype": "float16", "layout": "multi_vector"},
    ],
)
def test_weights_keep_the_form_in_which_they_were_stored(stored, tmp_path: Path):
    base = write_checkpoint(tmp_path / "base", **stored)
    encoder = TorchEncoder(Checkpoint.read(base))
    settings = TrainingSettings(method="layers", **FAST)
    folder = train(encoder, EXAMPLES, TEXTS, tmp_path / "new", settings).folder
    assert not {name for name in changed(base, folder) if "embed_tokens" in name}
    kept = {name: one.split(b" ")[0] for name, one in tensors(base).items()}
    assert kept == {name: one.split(b" ")[0] for name, one in tensors(folder).items()}
    model = trained_model(
        encoder, Task.checked(EXAMPLES, TEXTS, tmp_path, settings), lambda _: None
    )
    exact = TorchEncoder(Checkpoint.read(folder))
    exact._model = model.runner.model
    # With 32 numbers a row, rounding to 8 bits is felt more than in any real model.
    least = 0.999 if stored.get("dtype") == "float16" else 0.998
    assert cosines(TorchEncoder(Checkpoint.read(folder)), exact).min() > least


def test_the_same_seed_gives_the_same_bytes(encoder, tmp_path: Path):
    made = [
        train(
            encoder,
            EXAMPLES,
            TEXTS,
            tmp_path / name,
            TrainingSettings(method="lora", seed=s, **FAST),
        )
        for name, s in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert tensors(made[0].folder) == tensors(made[1].folder)
    assert made[0].weights == made[1].weights != made[2].weights
    assert made[0].losses == made[1].losses


def test_without_a_step_it_is_the_original(encoder, checkpoint, tmp_path: Path):
    settings = TrainingSettings(method="layers", steps=0)
    trained = train(encoder, EXAMPLES, TEXTS, tmp_path / "new", settings)
    assert changed(checkpoint.folder, trained.folder) == set()
    assert trained.first_loss is None
    assert trained.right_before == trained.right_after


def test_the_folder_says_nothing_of_the_texts_nor_of_the_original(tmp_path: Path):
    base = write_checkpoint(tmp_path / "base")
    (base / "README.md").write_text("of the original", encoding="utf-8")
    (base / "verdict.json").write_text('{"adopted": true}', encoding="utf-8")
    plain = TorchEncoder(Checkpoint.read(base))
    QueryAdapter(np.eye(8, dtype=np.float32) * 2, weights_of(plain)).save(base / FILE)
    folder = train(
        plain, EXAMPLES, TEXTS, tmp_path / "new", TrainingSettings(method="head", **FAST)
    ).folder
    assert not (folder / "verdict.json").exists()
    for path in (one for one in folder.rglob("*") if one.is_file()):
        content = path.read_bytes()
        for secret in (CANARY, "doc-reset", "restart", str(tmp_path), "of the original.\n"):
            assert secret.encode() not in content, path
        if sys.platform != "win32":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # What takes languages out of questions goes with the model, and is known as its own.
    assert load_encoder(folder).query_adapter.matrix[0, 0] == 2
    # The graph is there, so that none is left in the user's cache.
    assert load_encoder(folder).graph.is_relative_to(folder)


def test_training_ends_when_the_minutes_do(encoder, tmp_path: Path):
    settings = TrainingSettings(method="head", steps=2000, minutes=0.003)
    assert 0 < train(encoder, EXAMPLES, TEXTS, tmp_path / "new", settings).steps < 1000


def exported(tmp_path: Path):
    write_checkpoint(tmp_path / "base")
    return load_encoder(export_model(tmp_path / "base", tmp_path / "exported"))


def bert(tmp_path: Path):
    return load_encoder(write_foreign(tmp_path / "bert", "bert"))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda tmp_path: HashEncoder(), "'hash' has none"),
        (exported, "was exported for ONNX Runtime"),
        pytest.param(bert, "backbone of .* is 'bert'", marks=pytest.mark.slow),
    ],
)
def test_who_cannot_be_trained_is_named_with_a_way_out(make, told, tmp_path: Path):
    encoder = make(tmp_path)
    with pytest.raises(ConfigError, match=f"{told}.*method='query' works with any"):
        train(encoder, EXAMPLES, TEXTS, tmp_path / "new", TrainingSettings(method="layers"))
    assert not list(tmp_path.glob("*new*"))


def test_weights_of_4_bits_cannot_be_trained(tmp_path: Path):
    base = write_checkpoint(tmp_path / "base")
    state = load_file(base / "model.safetensors")
    name = "layers.0.conv.in_proj.weight"
    rows, columns = state[name].shape
    state[name] = np.zeros((rows, columns // 2), np.uint8)
    save_file(
        {**state, f"{name}_scale": np.ones((rows, 1), np.float32)}, base / "model.safetensors"
    )
    packed = TorchEncoder(Checkpoint.read(base))
    with pytest.raises(ConfigError, match="stored in 4 bits"):
        train(packed, EXAMPLES, TEXTS, tmp_path / "new", TrainingSettings(method="layers"))


def test_too_little_memory_is_told_with_what_it_takes(encoder, tmp_path: Path):
    settings = TrainingSettings(method="layers", memory=10_000_000)
    with pytest.raises(ConfigError, match=r"memory=10,000,000 bytes are too few.*it takes 7\d\d,"):
        train(encoder, EXAMPLES, TEXTS, tmp_path / "new", settings)
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_no_number_ends_it(encoder, tmp_path: Path):
    settings = TrainingSettings(method="layers", steps=9, learning_rate=1e30)
    with pytest.raises((ConfigError, ModelFormatError), match="training went wrong at step"):
        train(encoder, EXAMPLES, TEXTS, tmp_path / "new", settings)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_broken_off_leaves_nothing(encoder, tmp_path: Path):
    def stop(steps: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            encoder,
            EXAMPLES,
            TEXTS,
            tmp_path / "new",
            TrainingSettings(method="head"),
            progress=stop,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_file_that_cannot_be_written_leaves_nothing(encoder, tmp_path: Path):
    import resource

    settings = TrainingSettings(method="head", **FAST)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))  # the system's EFBIG
    try:
        with pytest.raises(StorageFullError, match="nothing was changed"):
            train(encoder, EXAMPLES, TEXTS, tmp_path / "new", settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_the_card_tells_the_figures(encoder, tmp_path: Path):
    trained = train(
        encoder, EXAMPLES, TEXTS, tmp_path / "new", TrainingSettings(method="lora", **FAST)
    )
    card = (trained.folder / "README.md").read_text(encoding="utf-8")
    for name, value in trained.to_dict().items():
        assert f"| {name.replace('_', ' ')} | {value} |" in card
    assert json.loads(json.dumps(trained.to_dict())) == trained.to_dict()
