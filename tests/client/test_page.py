"""The page about clients does what it says, asked of a real server."""

from __future__ import annotations

import re
from pathlib import Path

from ..project.markdown import run

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


def test_the_page_runs(server, key, empty, monkeypatch, capsys):
    """What it has of LangChain and LlamaIndex is run with the tests of the adapters."""
    monkeypatch.setenv("LFM2_COLBERT_API_KEY", key)
    text = PAGE.read_text("utf-8").partition("## LangChain")[0]
    text = text.replace("http://127.0.0.1:7707", server.url)
    text = text.replace('index="support"', f'index="{empty.index}"')
    blocks = re.findall(r"^```python title=.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {"__name__": "docs"}
    for block in blocks:
        run(block, PAGE, names, capsys)
    assert len(blocks) == 4
    names["client"].close()
