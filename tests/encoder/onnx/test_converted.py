"""Conversion: once, whole or not at all, by whoever comes first; and exports."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag._support.cache_folder import CACHE_VARIABLE
from lfm2_colbert_rag.encoder import cache as cache_rooms
from lfm2_colbert_rag.encoder import load_encoder, read_fingerprint
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.onnx import converted
from lfm2_colbert_rag.encoder.onnx.converted import find_or_convert, graph_key
from lfm2_colbert_rag.encoder.onnx.model_export import export_model
from lfm2_colbert_rag.encoder.onnx.onnx_engine import OnnxEncoder
from lfm2_colbert_rag.encoder.query_adapter import FILE, QueryAdapter, weights_of
from lfm2_colbert_rag.errors import ConfigError, ModelFormatError

from ..checkpoints import edit_json, write_checkpoint

pytestmark = pytest.mark.long


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "model")


def graphs(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "onnx").iterdir() if path.is_dir())


def test_a_model_is_converted_once(cache: Path, model: Path, monkeypatch) -> None:
    path = find_or_convert(Checkpoint.read(model), "int8")
    assert path.is_relative_to(cache)
    monkeypatch.setattr(converted, "write_graph", None)  # a second conversion would call it
    assert find_or_convert(Checkpoint.read(model), "int8") == path


def test_each_dtype_and_meaning_is_a_graph_of_its_own(cache: Path, model: Path) -> None:
    read = Checkpoint.read
    keys = {
        graph_key(read(model), "int8"),
        graph_key(read(model), "float32"),
        graph_key(read(model, masked_positions="zeroed"), "int8"),
    }
    edit_json(model / "config.json", rope_theta=5_000.0)
    keys.add(graph_key(read(model), "int8"))
    write_checkpoint(model, seed=1)
    keys.add(graph_key(read(model), "int8"))
    assert len(keys) == 5


def test_the_same_model_elsewhere_is_not_converted_again(cache: Path, model: Path) -> None:
    find_or_convert(Checkpoint.read(model), "int8")
    moved = shutil.copytree(model, model.parent / "moved")
    find_or_convert(Checkpoint.read(moved), "int8")
    assert len(graphs(cache)) == 1


CONVERT = """
import sys
from pathlib import Path
from lfm2_colbert_rag.encoder.checkpoint import Checkpoint
from lfm2_colbert_rag.encoder.onnx import converted, lfm2_graph

if len(sys.argv) > 2:  # announce that the graph is half written, and stay there
    import time
    def build(self, report):
        self._layers.embed("embed_tokens")
        self._graph._stream.flush()
        Path(sys.argv[2]).touch()
        time.sleep(60)
    lfm2_graph.Lfm2Graph.build = build
print(converted.find_or_convert(Checkpoint.read(sys.argv[1]), "int8"))
"""


def start(model: Path, *more: str) -> subprocess.Popen[str]:
    code = textwrap.dedent(CONVERT)
    command = [sys.executable, "-c", code, str(model), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_that_start_together_convert_once(cache: Path, model: Path) -> None:
    processes = [start(model) for _ in range(3)]
    found = {process.communicate(timeout=120)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(found) == 1
    assert len(graphs(cache)) == 1


def test_a_killed_conversion_leaves_nothing_that_is_taken_for_a_model(
    cache: Path, model: Path, tmp_path: Path
) -> None:
    process = start(model, str(tmp_path / "halfway"))
    deadline = time.monotonic() + 120
    while not (tmp_path / "halfway").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=10)
    encoder = OnnxEncoder(Checkpoint.read(model))
    assert len(encoder.encode_query(["Where?"])[0]) == 16
    # What the killed process had begun is swept by the next conversion.
    assert graphs(cache) == [graph_key(Checkpoint.read(model), "int8")]


def test_a_failed_conversion_leaves_nothing(cache: Path, model: Path) -> None:
    edit_json(model / "config.json", intermediate_size=50)
    with pytest.raises(ModelFormatError, match="wrong shapes"):
        OnnxEncoder(Checkpoint.read(model))
    assert graphs(cache) == []


def test_a_cache_that_cannot_be_written(tmp_path: Path, model: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(
        ConfigError, match=rf"cannot be converted into .*{CACHE_VARIABLE}"
    ) as caught:
        OnnxEncoder(Checkpoint.read(model))
    assert "lfm2-colbert export-model" in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="the cache is not found by HOME there")
def test_a_user_without_a_cache_gets_one_for_the_process(
    tmp_path: Path, model: Path, monkeypatch, caplog
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    first = find_or_convert(Checkpoint.read(model), "int8")
    assert find_or_convert(Checkpoint.read(model), "int8") == first
    (warning,) = [one for one in caplog.records if one.levelname == "WARNING"]
    assert "lfm2-colbert export-model" in warning.getMessage()
    assert CACHE_VARIABLE in warning.getMessage()
    cache_rooms._cache_of_this_process.cache_clear()
    shutil.rmtree(first.parents[2])


def test_a_damaged_graph_names_its_file(cache: Path, model: Path) -> None:
    path = find_or_convert(Checkpoint.read(model), "int8")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelFormatError, match="cannot be run") as caught:
        OnnxEncoder(Checkpoint.read(model))
    assert str(path) in str(caught.value)


def test_memory_stays_near_the_largest_matrix(cache: Path, tmp_path: Path) -> None:
    """Conversion reads and writes piece by piece: it never holds the whole table."""
    code = """
        import sys, tracemalloc
        from pathlib import Path
        import numpy as np
        from lfm2_colbert_rag.encoder.onnx.graph import Graph
        from lfm2_colbert_rag.encoder.onnx.layers import _blocks
        from lfm2_colbert_rag.encoder.weights import StoredTensor
        from safetensors.numpy import save_file

        file = Path(sys.argv[1]) / "model.safetensors"
        save_file({"table": np.ones((200_000, 64), np.float32)}, file)
        tensor = StoredTensor(file, "table", "F32", (200_000, 64))
        tracemalloc.start()
        with Graph(file.with_name("data")) as graph:
            graph.weight_blocks("table", tensor.shape, np.float32, _blocks(tensor))
        peak = tracemalloc.get_traced_memory()[1]
        assert peak < 4e6, peak  # of 51 MB
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], check=True)


@pytest.mark.parametrize("dtype", ["int8", "float32", "bfloat16"])
def test_an_export_is_the_model(tmp_path: Path, cache: Path, model: Path, dtype) -> None:
    export = export_model(model, tmp_path / "export", dtype=dtype)
    assert not list(export.rglob("*.safetensors"))
    shutil.rmtree(cache, ignore_errors=True)
    expected = load_encoder(model, dtype=dtype).encode_query(["Where is it?"])[0]
    cache_before = sorted(cache.rglob("*"))
    model.rename(tmp_path / "gone")
    encoder = load_encoder(export)
    np.testing.assert_array_equal(
        encoder.encode_query(["Where is it?"])[0].vectors, expected.vectors
    )
    assert sorted(cache.rglob("*")) == cache_before
    assert read_fingerprint(export) == read_fingerprint(tmp_path / "gone")


def test_an_export_brings_the_query_adapter_of_the_model(
    tmp_path: Path, cache: Path, model: Path
) -> None:
    encoder = load_encoder(model)
    matrix = np.eye(encoder.dim, dtype=np.float32)[::-1].copy()
    QueryAdapter(matrix, weights_of(encoder)).save(model / FILE)
    exported = load_encoder(export_model(model, tmp_path / "export"))
    np.testing.assert_array_equal(exported.query_adapter.matrix, matrix)


def test_an_export_of_the_other_layout(tmp_path: Path, cache: Path) -> None:
    model = write_checkpoint(tmp_path / "model", layout="multi_vector", shards=2)
    export = export_model(model, tmp_path / "export")
    found = load_encoder(export).encode_document(["Where is it?"])[0]
    expected = load_encoder(model).encode_document(["Where is it?"])[0]
    np.testing.assert_array_equal(found.vectors, expected.vectors)


def test_an_export_cannot_be_what_it_is_not(tmp_path: Path, cache: Path, model: Path) -> None:
    export = export_model(model, tmp_path / "export")
    with pytest.raises(ConfigError, match="was exported in int8"):
        load_encoder(export, dtype="float32")
    with pytest.raises(ConfigError, match="holds no weights for torch"):
        load_encoder(export, engine="torch")
    with pytest.raises(ModelFormatError, match="is an export itself"):
        export_model(export, tmp_path / "again")


def test_where_an_export_cannot_go(tmp_path: Path, model: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists and is not empty"):
        export_model(model, tmp_path / "taken")
    with pytest.raises(ConfigError, match="cannot be exported"):
        export_model(model, tmp_path / "taken" / "notes.txt" / "below")
    with pytest.raises(ConfigError, match="dtype must be one of"):
        export_model(model, tmp_path / "new", dtype="int3")  # type: ignore[arg-type]
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["notes.txt"]
    assert not (tmp_path / "new").exists()


def test_an_export_says_what_it_is(tmp_path: Path, cache: Path, model: Path) -> None:
    export = export_model(model, tmp_path / "export")
    said = json.loads((export / "onnx" / "export.json").read_text())
    assert said == {"weights": read_fingerprint(model)["weights"], "dtype": "int8"}
