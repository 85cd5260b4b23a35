"""The page on many processes: each recipe is run by the program that it is for."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever

pytestmark = pytest.mark.subprocess

PAGE = Path(__file__).parents[2] / "docs" / "processes.md"
# So many requests or tasks, each by a worker that is forked for it, while the index is written.
FORKS = int(os.environ.get("LFM2_COLBERT_FORKS", "0"))
ONE_EACH = {
    "gunicorn": ["--max-requests", "1"],
    "uvicorn": ["--limit-max-requests", "1"],
    "celery": ["--max-tasks-per-child", "1"],
}
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


@pytest.mark.slow
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
import sys
from tasks import search

print([search.delay("the reset key").get(timeout=120) for _ in range(int(sys.argv[1]))])
"""


@pytest.mark.slow
def test_a_pool_of_forked_workers(place):
    pytest.importorskip("celery")
    if not hasattr(os, "fork"):
        pytest.skip("its workers are forked")
    for name in ("queue", "results"):
        (place / name).mkdir()
    (place / "celeryconfig.py").write_text(CELERY, "utf-8")
    worker = [sys.executable, "-m", "celery", "--app", "tasks", "worker", "--concurrency", "2"]
    worker += ONE_EACH["celery"] if FORKS else []
    tasks = FORKS or 4
    with (place / "log").open("w") as log:
        process = subprocess.Popen(worker, cwd=place, stdout=log, stderr=log)
    try:
        with busy(place):
            done = subprocess.run(
                [sys.executable, "-c", CLIENT, str(tasks)],
                cwd=place,
                capture_output=True,
                text=True,
                timeout=1800,
            )
    finally:
        process.terminate()
        process.wait(60)
    assert done.stdout.strip() == str([["reset"]] * tasks), (
        done.stderr + (place / "log").read_text()
    )


@pytest.mark.parametrize(
    "server",
    [one if one == "gunicorn" else pytest.param(one, marks=pytest.mark.slow) for one in SERVERS],
)
def test_a_server_of_several_workers(place, server):
    program = server.split()[0]
    pytest.importorskip(program)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [one.format(port=port) for one in SERVERS[server]]
    arguments += ONE_EACH[program] if FORKS else []
    command = [sys.executable, "-m", program, *arguments]
    with (place / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=place, stdout=log, stderr=log)
    try:
        with busy(place):
            answers = [ask(port) for _ in range(FORKS or 6)]
    finally:
        process.terminate()
        process.wait(60)
    assert answers == [b'["reset"]'] * (FORKS or 6), (place / "log").read_text()


@contextmanager
def busy(place: Path) -> Iterator[None]:
    """Write to the index within the block, where there are many forks; nothing is lost."""
    if not FORKS:
        yield
        return
    stop, added = threading.Event(), []
    with (
        Retriever.open(place / "support.index", lock_timeout=120) as retriever,
        ThreadPoolExecutor(1) as pool,
    ):

        def write() -> None:
            while not stop.is_set():
                added.extend(retriever.add([f"a note of {len(added)}"], ids=[f"n{len(added)}"]))

        writing = pool.submit(write)
        try:
            yield
        finally:
            stop.set()
        writing.result()
        assert added
        assert all(id in retriever for id in added)


def ask(port: int) -> bytes:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/?q=the+reset+key") as answer:
                return answer.read()
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server never answered")
