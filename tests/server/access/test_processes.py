"""Several command lines at one file of keys, and what a killed one leaves."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lfm2_colbert_rag.server.access.keys import KeyFile

pytestmark = pytest.mark.subprocess

KILLS = int(os.environ.get("LFM2_COLBERT_KILLS", "6"))
MAKER = """
import sys
from lfm2_colbert_rag.server.access.keys import KeyFile
keys, name, number = KeyFile(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for one in range(number):
    key, text = keys.create(f"{name}-{one}", ["search"])
    print(key.id, flush=True)
"""


def maker(path: Path, name: str, number: int) -> subprocess.Popen[str]:
    """Start a process that makes keys once it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(path), name, str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def begin(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()


def ids_of(path: Path) -> set[str]:
    found = KeyFile(path).keys()
    return {key.id for key in found}


def test_of_keys_that_are_made_at_once_none_is_lost(tmp_path):
    path = tmp_path / "keys.json"
    processes = [maker(path, name, 20) for name in ("a", "b", "c")]
    begin(*processes)
    made = [line for one in processes for line in one.communicate(timeout=60)[0].split()]
    assert len(made) == 60
    assert ids_of(path) == set(made)


@pytest.mark.crash
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no signal that kills")
def test_a_killed_process_leaves_the_old_file_or_the_new_one(tmp_path):
    """Every key that was shown is there, and the file can be read and changed."""
    path = tmp_path / "keys.json"
    KeyFile(path).create("first", ["search"])
    chance = random.Random(7)
    for number in range(KILLS):
        process = maker(path, str(number), 10_000)
        begin(process)
        time.sleep(chance.uniform(0.01, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        shown = [line for line in process.communicate()[0].split() if len(line) == 8]
        keys = KeyFile(path)
        found = ids_of(path)
        assert set(shown) <= found
        keys.create(f"after {number}", ["search"])
        assert len(keys.keys()) == len(found) + 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["keys.json", "keys.json.lock"]
