"""Programs of other people's clients, each run by the environment that has its library."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CLIENTS = Path(__file__).parent / "clients"
PATIENCE = 120  # seconds; some libraries take many to be imported

# Nothing is looked up, counted or reported elsewhere: each library's own switch.
QUIET = {
    "ANONYMIZED_TELEMETRY": "false",
    "DO_NOT_TRACK": "1",
    "FASTMCP_CHECK_FOR_UPDATES": "off",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NO_PROXY": "127.0.0.1,localhost",
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONIOENCODING": "utf-8",
    "PYTHONWARNINGS": "ignore",
}


def python_of(environment: str) -> Path:
    """Return the interpreter of an environment; skip the test where there is none."""
    python = ROOT / f".venv-foreign-{environment}" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no environment {python.parents[1].name}: make test-clients")
    return python


class Program:
    """A client that runs, and does what it is told; see ``clients/harness.py``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def connect(self, url: str, key: str, seconds: float = 30.0) -> None:
        """Make a client anew."""
        self._tell({"connect": {"url": url, "key": key, "seconds": seconds}})

    def ask(self, **asked: Any) -> dict[str, Any]:
        """Ask, and return what came back: ``found``, or ``error`` and what else is known of it."""
        return self._tell({"ask": asked})

    def ask_together(self, times: int, **asked: Any) -> list[dict[str, Any]]:
        """Ask the same so many times at once."""
        found: list[dict[str, Any]] = self._tell({"together": times, "ask": asked})["each"]
        return found

    def _tell(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._lines.get(timeout=PATIENCE)
        assert line, "the client's program ended; its stderr says why"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")


@contextmanager
def started(name: str, environment: str) -> Iterator[Program]:
    """Start a client's program, and end it with the block."""
    python = python_of(environment)
    process = subprocess.Popen(
        [python, CLIENTS / "harness.py", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | QUIET,
    )
    try:
        yield Program(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def patiently() -> Iterator[None]:
    """Yield now and then, until the patience is over.

    Raises:
        AssertionError: it is.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        yield
        time.sleep(0.2)
    raise AssertionError("it took too long")
