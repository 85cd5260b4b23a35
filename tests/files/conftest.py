"""Files made for a test, and what their readers give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lfm2_colbert_rag.files.kinds import readers
from lfm2_colbert_rag.files.options import DEFAULTS, ReadOptions
from lfm2_colbert_rag.files.records import Odd, Section, SourceFile

Read = Callable[..., list[Section | Odd]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that writes bytes to a file and reads them as its kind."""

    def read_file(
        name: str, content: bytes, options: ReadOptions = DEFAULTS
    ) -> list[Section | Odd]:
        path = tmp_path / name
        path.write_bytes(content)
        file = SourceFile(path, name)
        return list(readers(options)[file.suffix](file))

    return read_file
