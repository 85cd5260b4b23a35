"""The page on many processes: each recipe is run by the program that it is for."""

from __future__ import annotations

import os
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
    found = re.findall(r'```python title="(\w+\.py)"\n(.*?)```', PAGE.read_text("utf-8"), re.S)
    assert {name for name, _ in found} == {"app.py", "tasks.py", "pools.py"}
    for name, code in found:
        (tmp_path / name).write_text(code, "utf-8")
    return tmp_path


def test_pools_of_processes_and_threads(place):
    pytest.importorskip("joblib")
    done = subprocess.run(
        [sys.executable, "pools.py"], cwd=place, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip().endswith("True"), done.stderr


CELERY = """
broker_url = "filesystem://"
broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue"}
result_backend = "file://results"
worker_hijack_root_logger = False
"""
CLIENT = """
from tasks import search

print([search.delay("the reset key").get(timeout=120) for _ in range(4)])
"""


def test_a_pool_of_forked_workers(place):
    pytest.importorskip("celery")
    if not hasattr(os, "fork"):
        pytest.skip("its workers are forked")
    for name in ("queue", "results"):
        (place / name).mkdir()
    (place / "celeryconfig.py").write_text(CELERY, "utf-8")
    worker = [sys.executable, "-m", "celery", "--app", "tasks", "worker", "--concurrency", "2"]
    with (place / "log").open("w") as log:
        process = subprocess.Popen(worker, cwd=place, stdout=log, stderr=log)
    try:
        done = subprocess.run(
            [sys.executable, "-c", CLIENT], cwd=place, capture_output=True, text=True, timeout=300
        )
    finally:
        process.terminate()
        process.wait(60)
    assert done.stdout.strip() == str([["reset"]] * 4), done.stderr + (place / "log").read_text()


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
