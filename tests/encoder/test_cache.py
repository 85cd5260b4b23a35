"""What is remembered of large files, and until when."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lfm2_colbert_rag._support.cache_folder import CACHE_VARIABLE, cache_folder
from lfm2_colbert_rag.encoder import cache
from lfm2_colbert_rag.encoder.cache import kept, remembered


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "_LARGE", 4)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    path = tmp_path / "weights"
    path.write_bytes(b"12345")
    return path


def test_a_large_file_is_read_once(file: Path) -> None:
    assert remembered(file, file.read_bytes) == b"12345"
    assert remembered(file, lambda: b"not asked") == b"12345"


def test_a_changed_file_is_read_again(file: Path) -> None:
    remembered(file, file.read_bytes)
    stat = file.stat()
    file.write_bytes(b"54321")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as an unpacking tool would
    assert remembered(file, file.read_bytes) == b"54321"


def test_a_small_file_leaves_no_trace(file: Path) -> None:
    file.write_bytes(b"123")
    assert remembered(file, file.read_bytes) == b"123"
    assert not cache_folder().exists()


def test_a_note_that_is_damaged_or_cannot_be_written(file: Path) -> None:
    remembered(file, file.read_bytes)
    [note] = (cache_folder() / "digests").iterdir()
    note.write_text("not hexadecimal")
    assert remembered(file, file.read_bytes) == b"12345"
    for path in (note, note.parent):
        path.unlink() if path.is_file() else path.rmdir()
    note.parent.write_text("in the way")
    assert remembered(file, file.read_bytes) == b"12345"


def test_what_is_kept_is_computed_once_and_again_where_it_is_damaged(file: Path) -> None:
    computed: list[int] = []

    def number() -> int:
        return kept(
            Path("numbers") / "one",
            lambda: computed.append(1) or 7,
            write=lambda value: str(value).encode(),
            read=lambda content: int(content),
        )

    assert [number(), number(), len(computed)] == [7, 7, 1]
    (cache_folder() / "numbers" / "one").write_bytes(b"seven")
    assert [number(), number(), len(computed)] == [7, 7, 2]
