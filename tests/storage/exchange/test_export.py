"""An export is plain files, and comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, IndexExistsError, InputError, StorageFullError
from lfm2_colbert_rag.storage.catalog import Catalog
from lfm2_colbert_rag.storage.exchange import export as exports
from lfm2_colbert_rag.testing import HashEncoder

from ...conftest import CORPUS, METADATA

LONG = "A sentence about trains. " * 40 + "And one about zebras."


@pytest.fixture
def filled(tmp_path: Path):
    """A retriever with a text of several windows, and one that was replaced."""
    with Retriever.open(tmp_path / "from.index", model=HashEncoder(document_length=32)) as opened:
        opened.add(
            [*CORPUS.values(), LONG], ids=[*CORPUS, "long"], metadata=[*METADATA.values(), None]
        )
        opened.add(["ünï ⊂ \u2028 codé"], ids=["reset"], metadata=[{"deep": {"er": [1, None]}}])
        opened.delete(["linge"])
        yield opened


def test_an_export_is_read_with_json_and_numpy_alone(filled, tmp_path):
    target = tmp_path / "out"
    told: list[int] = []
    assert filled.export(target, dtype="float32", progress=told.append) == 5
    assert sum(told) == 5
    lines = (target / "passages.jsonl").read_bytes().split(b"\n")
    passages = [json.loads(line) for line in lines if line]
    assert [one["id"] for one in passages] == ["reinicio", "kaffee", "library", "long", "reset"]
    assert passages[-1]["metadata"] == {"deep": {"er": [1, None]}}
    assert passages[3]["text"] == LONG
    arrays = {path.stem: np.load(path) for path in target.glob("*.npy")}
    counts, windows = arrays["token_counts"], arrays["windows"]
    assert arrays["vectors"].dtype == np.float32
    assert arrays["vectors"].shape == (counts.sum(), 32)
    assert arrays["spans"].shape == (counts.sum(), 2)
    assert len(windows) == filled.stats().windows > 5
    starts = np.concatenate(([0], np.cumsum(counts)))
    encoder = HashEncoder(document_length=32)
    for place in (0, 1, 2, 4):
        expected = encoder.encode_document([passages[place]["text"]])[0]
        part = slice(starts[place], starts[place + 1])
        np.testing.assert_allclose(arrays["vectors"][part], expected.vectors, atol=1e-3)
        np.testing.assert_array_equal(arrays["token_ids"][part], expected.token_ids)
        np.testing.assert_array_equal(arrays["spans"][part], expected.spans)
    assert np.bincount(windows[:, 0], windows[:, 3]).tolist() == counts.tolist()
    assert windows[windows[:, 0] == 3][-1, 2] == len(LONG)
    described = json.loads((target / "export.json").read_text())
    assert described["model"] == "hash"
    assert (described["passages"], described["vectors"]) == (5, counts.sum())


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_an_export_comes_back(filled, tmp_path, dtype):
    filled.export(tmp_path / "out", dtype=dtype)
    with Retriever.open(tmp_path / "to.index", model=HashEncoder(document_length=32)) as other:
        ids = other.import_dump(tmp_path / "out")
        assert sorted(ids) == sorted(passage.id for passage in other.get(ids))
        for question in ("router", "zebras and trains", "codé"):
            before, after = (r.search(question, k=9) for r in (filled, other))
            assert after == before
            assert [hit.evidence for hit in after] == [hit.evidence for hit in before]
            assert [hit.window for hit in after] == [hit.window for hit in before]
        assert other.verify() == []
        assert other.stats().generation == 1


def test_an_empty_index_has_an_empty_export(folder, tmp_path):
    with Retriever.open(folder, model="hash") as retriever:
        assert retriever.export(tmp_path / "out") == 0
        assert np.load(tmp_path / "out" / "vectors.npy").shape == (0, 32)
        assert retriever.import_dump(tmp_path / "out") == []


def test_an_export_holds_few_passages_at_a_time(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "_BLOCK", 3)
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add([f"text number {i}" for i in range(10)])
        asked: list[int] = []
        passages = Catalog.passages

        def watch(self, rows):
            asked.append(len(rows))
            return passages(self, rows)

        monkeypatch.setattr(Catalog, "passages", watch)
        assert retriever.export(tmp_path / "out") == 10
        assert asked == [3, 3, 3, 1]


def test_one_generation_is_exported_whatever_is_written_meanwhile(retriever, tmp_path):
    def write(_finished: int) -> None:
        retriever.delete(all=True)
        retriever.add(["later"], ids=["later"])

    assert retriever.export(tmp_path / "out", progress=write) == len(CORPUS)
    lines = (tmp_path / "out" / "passages.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(CORPUS)


def test_bad_input_writes_nothing(retriever, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(IndexExistsError, match="not empty"):
        retriever.export(tmp_path / "taken")
    with pytest.raises(ConfigError, match="'float16' or 'float32', not 'int8'"):
        retriever.export(tmp_path / "out", dtype="int8")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_nothing(retriever, tmp_path, monkeypatch):
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exports.ExportFiles, "add", full)
    with pytest.raises(StorageFullError, match="No space left"):
        retriever.export(tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


def put(name: str, position, value):
    def change(folder: Path) -> None:
        array = np.load(folder / f"{name}.npy")
        array[position] = value
        np.save(folder / f"{name}.npy", array)

    return change


def cut(name: str, size: int):
    def change(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:size])

    return change


def describe(**values: object):
    def change(folder: Path) -> None:
        described = json.loads((folder / "export.json").read_text())
        (folder / "export.json").write_text(json.dumps(described | values))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "spans.npy").unlink(), "spans.npy is missing"),
        (lambda folder: (folder / "passages.jsonl").unlink(), "passages.jsonl is missing"),
        (cut("vectors.npy", -7), "vectors.npy cannot be read"),
        (cut("vectors.npy", 50), "vectors.npy cannot be read"),
        (cut("passages.jsonl", -10), "passages.jsonl cannot be read"),
        (cut("export.json", 20), "export.json cannot be read"),
        (cut("passages.jsonl", 0), "holds 0 passages, but export.json says 5"),
        (put("windows", (0, 3), 1), "does not cover"),
        (put("windows", (0, 0), 4), "does not cover"),
        (put("windows", (0, 2), 10_000), "lies outside of its text"),
        (put("spans", (0, 1), 10_000), "lies outside of its text"),
        (put("vectors", (3, 3), np.nan), "not finite"),
        (describe(version=2), "of version 2"),
        (describe(format="other"), "does not describe an export"),
        (describe(dim=16), "expected floats"),
        (describe(vectors="x"), "export.json cannot be read"),
        (describe(windows=None), "export.json cannot be read"),
    ],
)
def test_a_broken_export_is_refused_and_changes_nothing(retriever, state, tmp_path, change, said):
    retriever.export(tmp_path / "out")
    change(tmp_path / "out")
    before = state(retriever)
    with pytest.raises(InputError, match=said) as caught:
        retriever.import_dump(tmp_path / "out")
    assert "out" in str(caught.value) or "'" in str(caught.value)
    assert state(retriever) == before


def test_an_export_brings_its_own_texts(retriever, tmp_path):
    retriever.export(tmp_path / "out")
    with pytest.raises(InputError, match="brings its own texts"):
        retriever.import_dump(tmp_path / "out", retriever.get(["reset"]))
