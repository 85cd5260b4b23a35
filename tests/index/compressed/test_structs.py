"""Kernels outlive an upgrade: what another release compiled is dropped, whatever it named."""

from __future__ import annotations

import importlib.util
from collections import namedtuple
from pathlib import Path

import pytest

from lfm2_colbert_rag.index.compressed import structs

KERNEL = """
from numba import njit

@njit(cache=True)
def first(struct):
    return struct[0] {more}
"""


def load(path: Path, more: str = ""):
    """Write a kernel's file, and import it anew."""
    path.write_text(KERNEL.format(more=more), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("kernel_of_a_release", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.first


def test_a_cache_that_names_a_struct_of_another_release_is_dropped(tmp_path, monkeypatch):
    gone = namedtuple("Gone", ["lanes"])
    gone.__module__ = structs.__name__
    monkeypatch.setattr(structs, "Gone", gone, raising=False)
    path = tmp_path / "kernel.py"
    assert load(path)(gone(7)) == 7
    assert list(tmp_path.rglob("*.nbi"))
    monkeypatch.undo()
    assert load(path, "+ 100")((7,)) == 107


def test_a_name_that_is_no_struct_is_missing():
    with pytest.raises(AttributeError, match="_nothing"):
        structs._nothing  # noqa: B018
