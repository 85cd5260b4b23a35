"""Maps of files keep no descriptor, and no memory once nothing is made of them any more."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag._support import mapping

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
CONTENT = bytes(range(256)) * 64


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "file"
    made.write_bytes(CONTENT)
    return made


def mapped(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        return mapping.map_bytes(file, path.stat().st_size)


def count(path: Path) -> tuple[int, int]:
    """Return how many descriptors and how many maps of a file this process has."""
    links = Path("/proc/self/fd").iterdir()
    held = sum(os.path.lexists(one) and one.readlink() == path for one in links)
    return held, Path("/proc/self/maps").read_text().count(str(path))


@pytest.mark.parametrize("plain", [False, True])
def test_a_map_is_the_file_and_cannot_be_written(path, plain, monkeypatch):
    if plain:  # as where there is no C library to ask
        monkeypatch.setattr(mapping, "SYSTEM", None)
    array = mapped(path)
    assert bytes(array) == CONTENT
    assert not array.flags.writeable
    part = array[4:].view(np.uint32)
    mapping.release(part)
    assert bytes(array) == CONTENT


def test_an_empty_file(tmp_path):
    (tmp_path / "empty").touch()
    assert mapped(tmp_path / "empty").shape == (0,)


def test_what_is_not_mapped_has_nothing_to_release():
    mapping.release(np.zeros(3))


@linux
def test_a_map_holds_no_descriptor_and_goes_with_the_last_array(path):
    part = mapped(path)[16:].view(np.uint64)[3:]
    assert count(path) == (0, 1)
    assert int(part[0]) == int.from_bytes(CONTENT[40:48], sys.byteorder)
    del part
    gc.collect()
    assert count(path) == (0, 0)


@linux
def test_what_the_system_refuses_is_its_own_error(path):
    with path.open("rb") as file, pytest.raises(OSError, match="allocate memory") as raised:
        mapping.map_bytes(file, 1 << 62)
    assert raised.value.errno
