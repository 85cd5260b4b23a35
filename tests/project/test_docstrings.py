"""The examples of the docstrings run, and give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import lfm2_colbert_rag

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(lfm2_colbert_rag.__path__, "lfm2_colbert_rag.")
    if not module.name.endswith("__main__")
)


@pytest.mark.long
def test_examples_run_and_give_what_they_say(tmp_path, monkeypatch, capsys):
    """All of them, before any failure is told; what went wrong is printed by doctest."""
    monkeypatch.chdir(tmp_path)
    failed, examples = {}, 0
    for name in MODULES:
        found = doctest.testmod(importlib.import_module(name))
        examples += found.attempted
        if found.failed:
            failed[name] = found.failed
    assert not failed, f"{failed}\n{capsys.readouterr().out}"
    assert examples > 50
