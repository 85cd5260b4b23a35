"""Dumps that are not what they should be: our own exports, and files as other tools write them."""

from __future__ import annotations

import json
import random
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.testing import HashEncoder

from .crafts import DEEP, HEADERS, JSONS, REMADE, VALUES, npy
from .damages import ANYTHING, ARRAY, CONTENT, Scene

PLAID = Path(__file__).parents[1] / "storage" / "exchange" / "fast_plaid" / "chunks"
TEXTS = {"one": "w1 w2 w3", "two": "w2 会議室 w9", "three": "quagga okapi"}
Change = Callable[[Path, random.Random, Path], None]


def passages(layout: str, path: Path) -> list[Passage] | None:
    """Return the texts of a dump that brings none."""
    if layout == "export":
        return None
    if layout == "plaid":
        sizes = [len(json.loads(one.read_text())) for one in sorted(PLAID.glob("doclens.*.json"))]
        return [Passage(str(number), f"text {number}") for number in range(sum(sizes))]
    return [Passage(id, text) for id, text in TEXTS.items()]


def _matrices() -> dict[str, np.ndarray]:
    encoded = HashEncoder().encode_document(list(TEXTS.values()))
    return {id: one.vectors for id, one in zip(TEXTS, encoded, strict=True)}


def _write_export(path: Path) -> Path:
    with Retriever.from_texts(list(TEXTS.values()), ids=list(TEXTS), model="hash") as retriever:
        retriever.export(path / "dump")
    return path / "dump"


def _write_npz(path: Path) -> Path:
    np.savez(path / "dump.npz", **_matrices())
    return path / "dump.npz"


def _write_safetensors(path: Path) -> Path:
    save_file(_matrices(), path / "dump.safetensors")
    return path / "dump.safetensors"


def _write_flat(path: Path) -> Path:
    folder = path / "dump"
    folder.mkdir()
    np.save(folder / "vectors.npy", np.concatenate(list(_matrices().values())))
    np.save(folder / "token_counts.npy", [len(one) for one in _matrices().values()])
    return folder


def _write_plaid(path: Path) -> Path:
    shutil.copytree(PLAID, path / "dump")
    return path / "dump"


WRITERS = {
    "export": _write_export,
    "npz": _write_npz,
    "safetensors": _write_safetensors,
    "flat": _write_flat,
    "plaid": _write_plaid,
}
_PLAID_FILES = ("metadata.json", "centroids.npy", "bucket_weights.npy", "doclens.0.json")
_PLAID_FILES += ("0.codes.npy", "0.residuals.npy")
FILES = {
    "export": ("export.json", "passages.jsonl", "vectors.npy", "token_ids.npy", "spans.npy",
               "token_counts.npy", "windows.npy"),
    "npz": ("",),
    "safetensors": ("",),
    "flat": ("vectors.npy", "token_counts.npy"),
    "plaid": _PLAID_FILES,
}  # fmt: skip


def changes(layout: str) -> dict[str, dict[str, Change]]:
    """Return how dumps of a layout are changed, in groups from which are chosen alike."""
    groups: dict[str, dict[str, Change]] = {}
    for name in FILES[layout]:
        of_file = {way: _damaged(name, way) for way in (*ANYTHING, *CONTENT) if way in USED}
        if name.endswith(".npy"):
            of_file |= {way: _damaged(name, way) for way in ARRAY}
            of_file |= {way: _array(name, make) for way, make in REMADE.items()}
            of_file |= {way: _bytes(name, npy(head, b"x" * 40)) for way, head in HEADERS.items()}
        if name.endswith((".json", ".jsonl")):
            of_file |= {f"json {n}": _bytes(name, text.encode()) for n, text in enumerate(JSONS)}
            of_file |= {f"value {n}": _json(name, value) for n, value in enumerate(VALUES)}
            of_file["not text"] = _bytes(name, b"\xff\xfe\x00")
            of_file["deep"] = _bytes(name, DEEP.encode())
        groups[f"{layout} {name}"] = {f"{name} {way}": change for way, change in of_file.items()}
    if layout == "export":
        groups["export token ids"] = {"token_ids.npy below -1": _token_ids}
    if layout == "npz":
        groups["npz members"] = {f"members {name}": make for name, make in _MEMBERS.items()}
    if layout == "safetensors":
        groups["safetensors header"] = {
            f"header {number}": _bytes("", safetensors_bytes(text))
            for number, text in enumerate(HEADS)
        }
    return groups


# What is told of links, FIFOs and devices: who names a file himself may name a link.
USED = (
    "remove", "link-secret", "link-same", "link-self", "link-zero", "fifo", "folder", "flip",
    "flip-header", "run-zeros", "run-ones", "run-random", "truncate", "grow", "empty",
)  # fmt: skip


def must_refuse(layout: str, change: str) -> str | None:
    """Say why a changed dump must be refused; None where it may be taken."""
    if "below -1" in change:
        return "no token has the number -5"
    if layout in ("npz", "safetensors"):
        return None
    return (
        "a link, FIFO or device inside of a dump" if "link" in change or "fifo" in change else None
    )


def _damaged(name: str, way: str) -> Change:
    def change(dump: Path, chance: random.Random, outside: Path) -> None:
        path = dump / name if name else dump
        (ANYTHING | CONTENT | ARRAY)[way](path, Scene(chance, path, path, outside))

    return change


def _bytes(name: str, content: bytes) -> Change:
    def change(dump: Path, chance: random.Random, outside: Path) -> None:
        (dump / name if name else dump).write_bytes(content)

    return change


def _array(name: str, make: Callable[[np.ndarray], np.ndarray]) -> Change:
    def change(dump: Path, chance: random.Random, outside: Path) -> None:
        np.save(dump / name, make(np.load(dump / name)), allow_pickle=False)

    return change


def _token_ids(dump: Path, chance: random.Random, outside: Path) -> None:
    ids = np.load(dump / "token_ids.npy")
    ids[0] = -5
    np.save(dump / "token_ids.npy", ids)


def _json(name: str, value: Any) -> Change:
    """Return a change of one key of an object, or of one entry of a list."""

    def change(dump: Path, chance: random.Random, outside: Path) -> None:
        lines = (dump / name).read_text(encoding="utf-8").splitlines()
        if name.endswith(".json"):
            lines = [" ".join(lines)]
        content = json.loads(lines[0])
        where = range(len(content)) if isinstance(content, list) else sorted(content)
        content[chance.choice(where)] = value
        lines[0] = json.dumps(content)
        (dump / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    return change


def _members(*members: tuple[str, bytes], zeros: int = 0) -> Change:
    def change(dump: Path, chance: random.Random, outside: Path) -> None:
        with zipfile.ZipFile(dump, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(name, content + b"\x00" * zeros)

    return change


def _array_bytes(shape: str, content: bytes) -> bytes:
    return npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}", content)


_GOOD = _array_bytes("(1, 32)", b"\x00\x00\x80\x3f" * 32)
_MEMBERS: dict[str, Change] = {
    "none": _members(),
    "no arrays": _members(("one", b"text"), ("two", b"text")),
    "huge header": _members(("one.npy", _array_bytes(f"({2**50}, 32)", b""))),
    "large": _members(("one.npy", _array_bytes("(70000000, 32)", b"\x00" * 1000))),
    "bomb": _members(("one.npy", _array_bytes("(3000000, 32)", b"")), zeros=3 << 27),
    "pickle": _members(("one.npy", npy(HEADERS["objects"], b"cos\nsystem\n(S'true'\ntR."))),
    "deep header": _members(("one.npy", npy(HEADERS["deep"], b""))),
    "climbing": _members(("../../outside/one.npy", _GOOD)),
    "doubled": _members(("one.npy", _GOOD), ("one", b"text")),
    "odd name": _members(("\udcff".encode("utf-8", "surrogatepass").decode("latin1"), _GOOD)),
}
HEADS = (
    "", "{}", "[]", "7", DEEP, "{" * 200_000, '{"one": 7}', '{"one": {}}', '{"__metadata__": 7}',
    '{"one": {"dtype": "F8_E4M3", "shape": [1, 4], "data_offsets": [0, 4]}}',
    '{"one": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [0, 4]}}',
    '{"one": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 4]}}',
    '{"one": {"dtype": "F32", "shape": [1, 1], "data_offsets": [4, 0]}}',
    '{"one": {"dtype": "F32", "shape": [1, 1e999], "data_offsets": [0, 4]}}',
    '{"one": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}',
    '{"one": {"dtype": "X", "shape": [1, 1], "data_offsets": [0, 4]}}',
    '{"one": {"dtype": "BOOL", "shape": [1, 4], "data_offsets": [0, 4]}}',
    '{"one": {"dtype": "F32", "shape": [0, 32], "data_offsets": [0, 0]}}',
)  # fmt: skip


def safetensors_bytes(header: str, claimed: int | None = None) -> bytes:
    text = header.encode()
    return struct.pack("<Q", len(text) if claimed is None else claimed) + text + b"\x00" * 4
