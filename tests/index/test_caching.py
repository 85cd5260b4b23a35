"""Compiled kernels are known by all that they are made of."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from lfm2_colbert_rag.index.compressed import kernels as compressed
from lfm2_colbert_rag.index.exact import kernels as exact
from lfm2_colbert_rag.index.jit.caching import sources


def imported(file: Path) -> set[Path]:
    """Return the modules of the library that a file imports from."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            home = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            names = [home / f"{alias.name}.py" for alias in node.names]
            found |= {home.with_suffix(".py"), home / "__init__.py", *names}
    return {path.resolve() for path in found if path.is_file()}


@pytest.mark.parametrize("kernels", [exact, compressed])
def test_a_change_of_any_part_is_seen(kernels):
    folder = Path(kernels.__file__).parent
    known = {file.resolve() for file in sources(folder)}
    used = set().union(*(imported(file) for file in folder.glob("*.py")))
    assert used - known == set()
