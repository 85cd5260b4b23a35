"""The house: imports point downward only, and never at the package's own root."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lfm2_colbert_rag

ROOT = Path(lfm2_colbert_rag.__file__).parent

# Rank of each module or package; the longest matching prefix counts. A module may import what
# ranks lower, and its siblings inside one package. docs/architecture.md draws the same picture.
LAYERS = {
    "errors": 0,
    "types": 1,
    "filters": 1,
    "_extras": 1,
    "textfiles": 1,
    "characters": 1,
    "filter_sql": 2,
    "inputs": 2,
    "scoring": 2,
    "pooling": 2,
    "pooler": 3,
    "progress": 2,
    "recent": 2,
    "intervals": 2,
    "connections": 2,
    "index.arrays": 2,
    "index.codebook": 2,
    "index.codec": 2,
    "index.segment": 2,
    "encoder.base": 2,
    "fusion": 2,
    "lexical": 2,
    "lexical.catalog": 3,
    "legs": 6,
    "diversity": 3,
    "evidence": 3,
    "explanation": 3,
    "encoder": 3,
    "testing": 3,
    "index": 3,
    "windows": 3,
    "commits": 3,
    "folders": 3,
    "locks": 4,
    "given_vectors": 3,
    "schema": 3,
    "catalog": 4,
    "dumps": 4,
    "upsert": 4,
    "hits": 4,
    "passage_encoder": 4,
    "segments": 4,
    "measurement": 4,
    "background": 4,
    "store": 5,
    "verification": 5,
    "opening": 6,
    "compaction": 6,
    "reencoding": 6,
    "backups": 6,
    "exports": 6,
    "adding": 7,
    "searching": 7,
    "fusing": 7,
    "operations": 7,
    "tuning": 7,
    "retriever": 8,
    "evaluation": 9,
    "mcp_server": 9,
    "cli": 10,
    "": 11,
}
# The registry of encoders names the test double, and the command line prints the version.
EXCEPTIONS = {("encoder", "testing"), ("cli", "")}


def modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = path
    return found


def layer(name: str) -> tuple[str, int]:
    while name and name not in LAYERS:
        name = name.rpartition(".")[0]
    return name, LAYERS[name]


def imported(name: str, path: Path) -> set[str]:
    """Return the package's own modules that a module imports anywhere in its code."""
    known = modules()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("lfm2_colbert_rag")}
        if not isinstance(node, ast.ImportFrom) or not node.level:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lfm2_colbert"):
                found.add(node.module)
            continue
        parts = package.split(".") if package else []
        base = ".".join(parts[: len(parts) - node.level + 1])
        target = ".".join(filter(None, [base, node.module or ""]))
        for alias in node.names:
            longer = ".".join(filter(None, [target, alias.name]))
            found.add(longer if longer in known else target)
    return found


@pytest.mark.parametrize("name", sorted(set(modules()) - {""}))
def test_imports_point_downward(name):
    home, rank = layer(name)
    for target in imported(name, modules()[name]):
        assert not target.startswith("lfm2_colbert_rag"), f"{name} imports by absolute name"
        other, other_rank = layer(target)
        if other == home or (home, other) in EXCEPTIONS:
            continue
        same_package = home.split(".")[0] == other.split(".")[0]
        assert other_rank < rank or (same_package and other_rank <= rank), (
            f"{name} (layer {rank}) imports {target} (layer {other_rank})"
        )


def test_only_the_catalog_and_its_filters_speak_sql():
    speakers = {
        name for name, path in modules().items() if "import sqlite3" in path.read_text("utf-8")
    }
    assert speakers == {"catalog", "connections", "filter_sql", "lexical.tables", "schema"}


def test_every_module_has_a_layer():
    assert all(layer(name)[0] for name in modules() if name)
