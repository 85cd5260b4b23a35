"""The Python of the README and of the pages beside it runs as pasted, in a fresh folder."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = re.compile(r"^ *print\(.*# ?> (.*)$", re.MULTILINE)


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


ALL = [
    pytest.param(page, block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page), 1)
]


def needs(block: str) -> list[str]:
    names = re.findall(r"^(?:from|import) ([\w.]+)", block, re.MULTILINE)
    if "lfm2_colbert_rag.evaluation" in names:
        names.append("ir_measures")
    return [name for name in names if not is_there(name)]


def is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


@pytest.mark.parametrize(("page", "block"), ALL)
def test_block_runs(page, block, tmp_path, monkeypatch, capsys):
    missing = needs(block)
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    exec(compile(block, str(page), "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out.splitlines()
    for shown in SHOWN.findall(block):
        assert shown in printed


def test_there_are_blocks_for_each_way_in():
    text = "\n".join(blocks(ROOT / "README.md"))
    for name in ("from lfm2_colbert_rag import", "langchain_lfm2_colbert", "llama_index"):
        assert name in text


def test_what_blocks_print_is_compared():
    assert any(SHOWN.search(param.values[1]) for param in ALL)
