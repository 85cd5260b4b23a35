"""Asking for an encoder by name: bundled, local, from the hub, or an object of one's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lfm2_colbert_rag._support.extras import require
from lfm2_colbert_rag.encoder import DEFAULT_MODEL, Encoder, hub, load_encoder, read_fingerprint
from lfm2_colbert_rag.encoder.hub import resolve_model
from lfm2_colbert_rag.errors import ConfigError, MissingExtraError, ModelNotFoundError
from lfm2_colbert_rag.testing import HashEncoder

from .checkpoints import write_checkpoint

pytestmark = pytest.mark.long


def run(code: str, **environment: str) -> str:
    """Run Python in a fresh process; return what it prints."""
    import lfm2_colbert_rag

    root = str(Path(lfm2_colbert_rag.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": root, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No name resolves, no connection opens, the cache is empty."""
    from huggingface_hub import constants

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


def test_importing_the_encoders_loads_nothing_heavy() -> None:
    code = (
        "import sys, lfm2_colbert_rag.encoder as e; "
        "print([m for m in ('torch', 'transformers', 'tokenizers', 'safetensors', "
        "'huggingface_hub') if m in sys.modules])"
    )
    assert run(code) == "[]"


def test_a_fingerprint_is_read_without_torch(folder: Path) -> None:
    code = (
        "import sys; from lfm2_colbert_rag.encoder import read_fingerprint; "
        f"read_fingerprint({str(folder)!r}); print('torch' in sys.modules)"
    )
    assert run(code) == "False"


def test_without_torch_the_error_holds_the_command(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r'pip install "lfm2-colbert-rag\[torch\]"'):
        load_encoder(folder, engine="torch")


def test_a_broken_dependency_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_dependency.py").write_text("import not_there_at_all", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all") as caught:
        require("broken_dependency", extra="torch")
    assert not isinstance(caught.value, MissingExtraError)


def test_an_installed_extra_is_returned() -> None:
    assert require("json", extra="torch").loads("1") == 1


def test_an_encoder_passes_through() -> None:
    encoder = HashEncoder()
    assert load_encoder(encoder) is encoder
    assert read_fingerprint(encoder) == encoder.fingerprint


@pytest.mark.parametrize("model", [None, 3, object()])
def test_what_is_no_encoder_is_a_config_error(model: Any) -> None:
    with pytest.raises(ConfigError, match="a name, a folder or an encoder"):
        load_encoder(model)


def test_hash_is_the_test_double() -> None:
    assert isinstance(load_encoder("hash"), HashEncoder)
    assert read_fingerprint("hash") == HashEncoder().fingerprint


def test_a_folder_is_named_by_its_absolute_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    encoder = load_encoder(f"./{folder.name}")
    assert isinstance(encoder, Encoder)
    assert encoder.name == str(folder.resolve())
    assert load_encoder(encoder.name).fingerprint == encoder.fingerprint


def test_masked_positions_can_be_overridden(folder: Path) -> None:
    encoder = load_encoder(folder, masked_positions="zeroed")
    assert encoder.fingerprint["masked_positions"] == "zeroed"
    assert encoder.fingerprint == read_fingerprint(folder, masked_positions="zeroed")
    assert encoder.fingerprint != read_fingerprint(folder)


@pytest.mark.skipif(not hub.NANO_FOLDER.is_dir(), reason="the bundled model is not built yet")
def test_the_bundled_model_runs() -> None:
    encoder = load_encoder("nano")
    query, document = encoder.encode_query(["Paris"])[0], encoder.encode_document(["Paris"])[0]
    assert query.vectors.shape[1] == document.vectors.shape[1] == encoder.dim
    assert encoder.fingerprint == read_fingerprint("nano")


def test_nano_is_the_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "NANO_FOLDER", write_checkpoint(tmp_path / "nano"))
    assert load_encoder("nano").name == "nano"


def test_a_missing_bundled_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "NANO_FOLDER", tmp_path / "none")
    with pytest.raises(ModelNotFoundError, match="not in this installation"):
        load_encoder("nano")


@pytest.mark.parametrize(
    "name", ["./nowhere", "/no/where/at/all", "~/nowhere/x", "a/b/c", "", "a\\b"]
)
def test_a_path_that_does_not_exist_is_not_looked_for_on_the_hub(
    unreachable: None, name: str
) -> None:
    with pytest.raises(ModelNotFoundError, match="There is no model folder"):
        resolve_model(name)


@pytest.mark.parametrize("name", [DEFAULT_MODEL, "gpt2", "bad name/with spaces"])
def test_an_unreachable_hub_fails_fast_and_names_the_ways_out(unreachable: None, name: str) -> None:
    started = time.perf_counter()
    with pytest.raises(ModelNotFoundError) as caught:
        load_encoder(name)
    assert time.perf_counter() - started < 10
    for way in ("model='nano'", "local folder", "HF_HUB_OFFLINE", repr(name)):
        assert way in str(caught.value)


def test_only_data_is_asked_of_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    asked: dict[str, Any] = {}

    def download(name: str, **options: Any) -> str:
        asked.update(options, name=name)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert resolve_model("org/model", revision="v1") == tmp_path
    assert asked["name"] == "org/model"
    assert asked["revision"] == "v1"
    patterns = asked["allow_patterns"]
    assert not {"*", "*.py", "*.bin", "*.pt", "*.pkl"} & set(patterns)


OFFLINE = (
    "from lfm2_colbert_rag.encoder import read_fingerprint\n"
    "from lfm2_colbert_rag.errors import ModelNotFoundError\n"
    "try: print(read_fingerprint('org/model')['dim'])\n"
    "except ModelNotFoundError as error: print('HF_HUB_OFFLINE' in str(error))\n"
)


def test_offline_without_a_cache_is_a_model_not_found_error(tmp_path: Path) -> None:
    assert run(OFFLINE, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path)) == "True"


def test_offline_takes_a_model_from_the_cache(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--org--model"
    write_checkpoint(repository / "snapshots" / ("a" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40, encoding="utf-8")
    assert run(OFFLINE, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path)) == "8"
