"""Only files are opened as files."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lfm2_colbert_rag._support.regular import IrregularFileError, open_regular


def test_a_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"content"


def test_what_is_missing_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "file")


@pytest.mark.skipif(os.name == "nt", reason="made with calls of POSIX")
@pytest.mark.parametrize("kind", ["link", "FIFO", "device", "folder", "socket"])
def test_nothing_else_is(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "odd"
    if kind == "link":
        (tmp_path / "target").write_text("secret")
        path.symlink_to(tmp_path / "target")
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            monkeypatch.chdir(tmp_path)  # names of sockets must be short
            bound.bind("odd")
    with pytest.raises(IrregularFileError, match=f"is a {kind}, not a file"):
        open_regular(path)
