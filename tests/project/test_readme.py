"""The README's Python runs as pasted, in a fresh folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from .markdown import blocks, require, run

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize("block", blocks(README))
def test_block_runs(block, tmp_path, monkeypatch, capsys):
    require([block])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    run(block, README, {"__name__": "readme"}, capsys)


def test_there_are_blocks_for_each_way_in():
    text = "\n".join(blocks(README))
    for name in ("from lfm2_colbert_rag import", "langchain_lfm2_colbert", "llama_index"):
        assert name in text
