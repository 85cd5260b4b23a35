"""Dumps that somebody else made: whatever they promise, only what is there is read."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.storage.exchange.formats import open_dump

from ...conftest import fill

PASSAGES = [Passage("a", "one"), Passage("b", "two")]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    with Retriever.open(tmp_path / "index", model="hash") as retriever:
        fill(retriever)
        retriever.export(tmp_path / "export")
    return tmp_path / "export"


def read(path: Path) -> None:
    dump = open_dump(path)
    dump.match(None if dump.passages is not None else PASSAGES)
    list(dump.vectors())


def header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


BOMBS = {
    "terabytes": header(f"({2**40}, 8)"),
    "beyond 64 bits": header(f"({2**62}, {2**62})"),
    "negative": header("(-4, 8)"),
    "objects": header("(1, 8)", "'|O'"),
    "deep": header("(" * 5000 + ")" * 5000),
    "unbalanced": header("(1, 8"),
    "code": header("(__import__('os').getpid(), 8)"),
    "no end": b"\x93NUMPY\x01\x00\xff\xff",
    "version": b"\x93NUMPY\x09\x00" + bytes(20),
    "empty": b"",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_headers_that_promise_too_much(export, tmp_path, bomb):
    for name in ("vectors", "token_ids", "spans", "windows", "token_counts"):
        folder = tmp_path / name
        shutil.copytree(export, folder)
        (folder / f"{name}.npy").write_bytes(bomb)
        with pytest.raises(InputError, match=name):
            read(folder)
    with zipfile.ZipFile(tmp_path / "dump.npz", "w") as archive:
        archive.writestr("a.npy", bomb)
        archive.writestr("b.npy", bomb)
    with pytest.raises(InputError, match="dump"):
        read(tmp_path / "dump.npz")


def test_archives_that_swell(tmp_path):
    zeros = io.BytesIO()
    np.save(zeros, np.zeros((1 << 20, 8), np.float32))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "ab":
            archive.writestr(f"{name}.npy", zeros.getvalue())
    with pytest.raises(InputError, match="bytes, of"):
        read(tmp_path / "bomb.npz")


def test_two_arrays_under_one_id(tmp_path):
    one = io.BytesIO()
    np.save(one, np.ones((1, 8), np.float32))
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as archive:
        archive.writestr("a.npy", one.getvalue())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", one.getvalue())
    with pytest.raises(InputError, match="two arrays under one id"):
        read(tmp_path / "twice.npz")


def test_archives_with_damage_of_every_byte(tmp_path):
    np.savez_compressed(tmp_path / "good.npz", a=np.eye(8, dtype=np.float32), b=np.eye(8)[:1])
    data = (tmp_path / "good.npz").read_bytes()
    for place in range(0, len(data), 3):
        spoilt = bytearray(data)
        spoilt[place] ^= 0xFF
        (tmp_path / "bad.npz").write_bytes(spoilt)
        try:
            read(tmp_path / "bad.npz")
        except InputError:
            continue


def test_safetensors_of_a_dtype_that_numpy_lacks(tmp_path):
    text = json.dumps({"a": {"dtype": "F8_E4M3", "shape": [1, 8], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))
    with pytest.raises(InputError, match="safetensors"):
        read(tmp_path / "a.safetensors")


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_only_files_are_read(export, tmp_path, kind):
    names = ["export.json", "passages.jsonl", "vectors.npy", "windows.npy"]
    np.savez(tmp_path / "a.npz", a=np.eye(8))
    shutil.copy(tmp_path / "a.npz", export / "a.npz")
    shutil.copy(tmp_path / "a.npz", export / "a.safetensors")
    for name in [*names, "a.npz", "a.safetensors"]:
        folder = tmp_path / f"of {name}"
        shutil.copytree(export, folder)
        (folder / name).rename(tmp_path / "theirs")
        if kind == "link":
            (folder / name).symlink_to(tmp_path / "theirs")
        else:
            os.mkfifo(folder / name)
        with pytest.raises(InputError):
            read(folder if name in names else folder / name)


@pytest.mark.parametrize("content", ["[" * 200_000, '{"a": 1, "a": 2}', "NaN", b"\xff", "9" * 5000])
def test_json_that_is_not_to_be_read(export, tmp_path, content):
    data = content.encode() if isinstance(content, str) else content
    for name in ("export.json", "passages.jsonl"):
        folder = tmp_path / name
        shutil.copytree(export, folder)
        (folder / name).write_bytes(data + b"\n")
        with pytest.raises(InputError, match=name):
            read(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [("dim", 10**30), ("dim", "x"), ("vectors", -1), ("windows", None), ("passages", 2**62)],
)
def test_descriptions_that_cannot_be(export, key, value):
    described = json.loads((export / "export.json").read_text())
    (export / "export.json").write_text(json.dumps({**described, key: value}))
    with pytest.raises(InputError):
        read(export)


def change(path: Path, function) -> None:
    array = np.load(path)
    changed = function(array)
    np.save(path, array if changed is None else changed)


def put(place: tuple[int, ...], value: float):
    def change(array: np.ndarray) -> None:
        array[place] = value

    return change


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("token_ids", put((0,), -5)),
        ("token_ids", lambda a: a.astype(np.int64) + 2**40),
        ("spans", lambda a: a.astype(np.int64) + 2**32),
        ("spans", put((0, 0), -1)),
        ("vectors", put((0, 0), np.nan)),
        ("vectors", lambda a: a.astype(np.float64) * 1e300),
        ("windows", put((0, 0), 3)),
        ("windows", put((-1, 0), 99)),
        ("windows", put((0, 0), -1)),
        ("windows", put((0, 3), -1)),
        ("windows", lambda a: a.astype(np.uint64)[::-1].copy()),
        ("token_counts", put((0,), 1)),
    ],
)
def test_what_is_imported_passes_the_checks_of_adding(export, tmp_path, name, function):
    change(export / f"{name}.npy", function)
    with (
        Retriever.open(tmp_path / "other", model="hash") as other,
        pytest.raises(InputError),
    ):
        other.import_dump(export)
    with Retriever.open(tmp_path / "other") as other:
        assert len(other) == 0
