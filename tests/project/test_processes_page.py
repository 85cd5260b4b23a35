"""The page on many processes: each recipe is run by the program that it is for."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever

pytestmark = pytest.mark.subprocess

PAGE = Path(__file__).parents[2] / "docs" / "processes.md"
SERVERS = {
    "gunicorn": ["--workers", "2", "--bind", "127.0.0.1:{port}", "app:app"],
    "gunicorn --preload": ["--preload", "--workers", "2", "--bind", "127.0.0.1:{port}", "app:app"],
    "uvicorn": ["--workers", "2", "--port", "{port}", "app:asgi"],
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with the page's files and the index that they open."""
    if not PAGE.is_file():
        pytest.skip("the documentation is not here")
    with Retriever.open(tmp_path / "support.index", model="hash") as retriever:
        texts = ["Hold the reset key.", "The opening hours are nine to six."]
        retriever.add(texts, ids=["reset", "hours"])
    for name, code in re.findall(
        r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text("utf-8"), re.S
    ):
        (tmp_path / name).write_text(code, "utf-8")
    return tmp_path


def test_pools_of_processes_and_threads(place):
    pytest.importorskip("joblib")
    done = subprocess.run(
        [sys.executable, "pools.py"], cwd=place, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip().endswith("True"), done.stderr


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_of_several_workers(place, server):
    program = server.split()[0]
    pytest.importorskip(program)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [one.format(port=port) for one in SERVERS[server]]
    command = [sys.executable, "-m", program, *arguments]
    with (place / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=place, stdout=log, stderr=log)
    try:
        answers = [ask(port) for _ in range(6)]
    finally:
        process.terminate()
        process.wait(60)
    assert answers == [b'["reset"]'] * 6, (place / "log").read_text()


def ask(port: int) -> bytes:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/?q=the+reset+key") as answer:
                return answer.read()
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server never answered")
