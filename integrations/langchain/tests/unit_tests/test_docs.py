"""The examples of the docstrings and of the guide run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import langchain_lfm2_colbert
import pytest
from langchain_lfm2_colbert import (
    _batching,
    _questions,
    document_compressors,
    query_constructors,
    retrievers,
    tools,
    vectorstores,
)

README = Path(__file__).parents[2] / "README.md"


MODULES = [
    *(langchain_lfm2_colbert, retrievers, vectorstores, document_compressors, tools),
    *(query_constructors, _batching, _questions),
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
    names["retriever"].retriever.close()
