"""A server in a process of its own, as its users start it."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lfm2_colbert_rag.server.access.callers import SCOPES
from lfm2_colbert_rag.server.access.keys import KeyFile


@dataclass(frozen=True)
class Served:
    """A server that is ready.

    Attributes:
        port: where it listens.
        key: opens everything, as often as one likes.
        pid: of its process.
    """

    port: int
    key: str
    pid: int

    def memory_mb(self) -> float:
        """Return the resident memory of its process."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines()
        found = next(line for line in lines if line.startswith("VmRSS"))
        return int(found.split()[1]) / 1e3

    def files(self) -> int:
        """Return how many file descriptors it has."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


@contextmanager
def serving(scratch: Path, folder: Path, *options: str) -> Iterator[Served]:
    """Serve an index, with keys and an audit log, until the block ends."""
    keys = scratch / "keys.json"
    keys.unlink(missing_ok=True)
    key = KeyFile(keys).create("load", sorted(SCOPES), rate=1e6)[1]
    command = [sys.executable, "-m", "lfm2_colbert_rag.cli", "serve", str(folder), "--port", "0"]
    own = ["--keys", str(keys), "--audit-log", str(scratch / "audit"), *options]
    process = subprocess.Popen([*command, *own], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        while not is_ready(port):
            time.sleep(0.05)
        yield Served(port, key, process.pid)
    finally:
        process.terminate()
        process.wait(60)


def is_ready(port: int) -> bool:
    """Tell whether a search would be accepted."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
