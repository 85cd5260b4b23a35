"""What the system refuses is blamed on the system."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lfm2_colbert_rag._support.system_errors import named, system_errors
from lfm2_colbert_rag.errors import (
    AccessDeniedError,
    IndexCorruptError,
    IndexUnavailableError,
    StorageFullError,
)


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        (errno.ENOSPC, StorageFullError),
        (errno.EDQUOT, StorageFullError),
        (errno.EACCES, AccessDeniedError),
        (errno.EROFS, AccessDeniedError),
        (errno.EMFILE, IndexUnavailableError),
        (errno.EIO, IndexUnavailableError),
        (errno.ENOMEM, IndexUnavailableError),
    ],
)
def test_each_has_its_name(number: int, meant: type[Exception]) -> None:
    with pytest.raises(meant, match="folder"), system_errors(Path("folder")):
        raise OSError(number, "as the system says")


def test_no_memory_is_named() -> None:
    with pytest.raises(IndexUnavailableError, match="memory"), system_errors(Path("folder")):
        raise MemoryError


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "gone"), IndexCorruptError("bytes are wrong")]
)
def test_what_is_about_the_file_stays(error: OSError) -> None:
    assert named(error, Path("folder")) is None
    with pytest.raises(type(error)), system_errors(Path("folder")):
        raise error
