"""The page about clients does what it says, asked of a real server."""

from __future__ import annotations

import re
from pathlib import Path

from ..project.markdown import is_there, run

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


def test_the_page_runs(server, key, empty, monkeypatch, capsys):
    monkeypatch.setenv("LFM2_COLBERT_API_KEY", key)
    text = PAGE.read_text("utf-8").replace("http://127.0.0.1:7707", server.url)
    text = text.replace('index="support"', f'index="{empty.index}"')
    blocks = re.findall(r'^```python title="(\w+)\.py"\n(.*?)^```', text, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in blocks][-2:] == ["langchain", "llama_index"]
    adapters = {
        "langchain": "langchain_lfm2_colbert",
        "llama_index": "llama_index.retrievers.lfm2_colbert",
    }
    names: dict[str, object] = {"__name__": "docs"}
    for name, block in blocks:
        if is_there(adapters.get(name, "lfm2_colbert_rag")):
            run(block, PAGE, names, capsys)
    for name in {"client", "reranker", "retriever"} & names.keys():
        getattr(names[name], "retriever", names[name]).close()
