"""The README's Python runs as pasted, in a fresh folder."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def needs(block: str) -> list[str]:
    roots = re.findall(r"^(?:from|import) (\w+)", block, re.MULTILINE)
    return [name for name in roots if importlib.util.find_spec(name) is None]


@pytest.mark.parametrize("block", blocks())
def test_block_runs(block, tmp_path, monkeypatch, capsys):
    missing = needs(block)
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    exec(compile(block, str(README), "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out.splitlines()
    for shown in re.findall(r"^print\(.*#> (.*)$", block, re.MULTILINE):
        assert shown in printed


def test_there_are_blocks_for_each_way_in():
    text = "\n".join(blocks())
    for name in ("from lfm2_colbert_rag import", "langchain_lfm2_colbert", "llama_index"):
        assert name in text
