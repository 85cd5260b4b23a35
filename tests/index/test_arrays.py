"""Mapped arrays take no more memory than what is being read of them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag.index.arrays import describe_arrays, open_arrays, release_pages, write_arrays


def file_pages() -> int:
    """Resident pages of files, of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[2])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_pages_that_were_read_are_released_and_can_be_read_again(tmp_path):
    values = np.arange(5_000_000, dtype=np.int64)
    write_arrays(tmp_path, {"values": values}, durable=False)
    mapped = open_arrays(tmp_path, describe_arrays(tmp_path), ["values"])["values"]
    before = file_pages()
    assert int(mapped.sum()) == int(values.sum())
    read = file_pages()
    assert read - before > 8_000  # of 4 KB: the 40 MB are held
    release_pages([mapped[10:], np.arange(3)])
    assert file_pages() - before < 1_000
    np.testing.assert_array_equal(mapped, values)
