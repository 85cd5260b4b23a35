"""The examples of the docstrings and of the guide run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import llama_index.retrievers.lfm2_colbert
import pytest
from llama_index.retrievers.lfm2_colbert import (
    base,
    documents,
    facts,
    filters,
    index,
    nodes,
    options,
    postprocessor,
    tools,
    vector_stores,
)

README = Path(__file__).parents[1] / "README.md"


MODULES = [
    *(llama_index.retrievers.lfm2_colbert, base, index, vector_stores, postprocessor, tools),
    *(documents, facts, filters, nodes, options),
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_docstrings(module):
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed


def test_readme(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        exec(block.replace('"nano"', '"hash"'), names)
    assert "reset" in capsys.readouterr().out
    for name in ("retriever", "index"):
        names[name].retriever.close()
    names["store"].client.close()
