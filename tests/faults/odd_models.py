"""Model folders that are not what they should be."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .crafts import DEEP, JSONS, VALUES
from .damages import ANYTHING, CONTENT, Scene
from .odd_dumps import HEADS, USED, safetensors_bytes

Change = Callable[[Path, random.Random, Path], None]

_JSON = (
    "config.json", "modules.json", "tokenizer.json", "tokenizer_config.json",
    "config_sentence_transformers.json", "1_Dense/config.json",
)  # fmt: skip
_WEIGHTS = ("model.safetensors", "1_Dense/model.safetensors")


def changes() -> dict[str, dict[str, Change]]:
    """Return how a folder is changed, in groups from which are chosen alike."""
    groups: dict[str, dict[str, Change]] = {}
    for name in (*_JSON, *_WEIGHTS):
        ways = {way: _damaged(name, way) for way in USED if way != "link-same"}
        if name in _JSON:
            ways |= {f"json {n}": _text(name, text) for n, text in enumerate(JSONS)}
            ways |= {f"value {n}": _value(name, value) for n, value in enumerate(VALUES)}
            ways["deep"] = _text(name, DEEP)
        else:
            ways |= {f"header {n}": _header(name, text) for n, text in enumerate(HEADS)}
            ways["header huge"] = _header(name, "{}", 2**60)
            ways["nan"] = _nan(name)
        groups[name] = {f"{name} {way}": change for way, change in ways.items()}
    return groups


def _damaged(name: str, way: str) -> Change:
    def change(folder: Path, chance: random.Random, outside: Path) -> None:
        path = folder / name
        (ANYTHING | CONTENT)[way](path, Scene(chance, path, path, outside))

    return change


def _text(name: str, text: str) -> Change:
    return lambda folder, chance, outside: _write(folder / name, text)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _header(name: str, text: str, claimed: int | None = None) -> Change:
    def change(folder: Path, chance: random.Random, outside: Path) -> None:
        (folder / name).write_bytes(safetensors_bytes(text, claimed))

    return change


def _nan(name: str) -> Change:
    """Return a change that makes weights NaN, so that every vector is."""

    def change(folder: Path, chance: random.Random, outside: Path) -> None:
        import numpy as np
        from safetensors.numpy import load_file, save_file

        tensors = load_file(folder / name)
        save_file({key: np.full_like(one, np.nan) for key, one in tensors.items()}, folder / name)

    return change


def _value(name: str, value: Any) -> Change:
    """Return a change of one value, wherever it is."""

    def change(folder: Path, chance: random.Random, outside: Path) -> None:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        places = list(_places(content))
        holder, key = chance.choice(places)
        holder[key] = value
        _write(folder / name, json.dumps(content))

    return change


def _places(content: Any) -> Any:
    """Yield where values are: the first of long lists only, and not every piece of a vocabulary."""
    if not isinstance(content, dict | list):
        return
    keys = list(content)[:30] if isinstance(content, dict) else range(min(3, len(content)))
    for key in keys:
        yield content, key
        yield from _places(content[key])
