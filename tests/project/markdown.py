"""Runs the Python of a page of Markdown, and compares what it prints with what it says."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest


def blocks(page: Path) -> list[str]:
    """Return the Python blocks of a page, in order."""
    text = page.read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def require(parts: Sequence[str]) -> None:
    """Skip the test if something that the blocks import is not installed."""
    names = set(re.findall(r"^(?:from|import) ([\w.]+)", "\n".join(parts), re.MULTILINE))
    if "lfm2_colbert_rag.evaluation" in names:
        names.add("ir_measures")
    missing = sorted(name for name in names if not is_there(name))
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def is_there(name: str) -> bool:
    """Tell whether a module can be found."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


def run(block: str, page: Path, names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Run a block; each line that ends in ``# > text`` must print that text."""
    exec(compile(block, str(page), "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    for shown in re.findall(r"print\(.*# ?> (.*)$", block, re.MULTILINE):
        assert shown in printed
