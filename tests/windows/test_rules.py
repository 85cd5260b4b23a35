"""Linux obeys the rules of Windows where it is told to, so that tests under them mean something."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from .sitecustomize import VARIABLE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

RULES = """
import mmap, os, shutil, subprocess, sys
from pathlib import Path

root = Path(sys.argv[1])

def refused(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        return True
    return False

def make(name):
    path = root / name / "file"
    path.parent.mkdir()
    path.write_bytes(b"some bytes")
    return path

for use in ("open", "mapped", "of a child"):
    path, other = make(use), make(f"beside {use}")
    other.unlink()
    if use == "open":
        held = path.open("rb")
    elif use == "mapped":
        with path.open("rb") as file:
            held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        assert refused(path.write_bytes, b"cut short")
    else:
        code = f"import sys; f = open({str(path)!r}); print(flush=True); sys.stdin.read()"
        held = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1)
        held.stdout.readline()
    assert refused(path.unlink)
    assert refused(path.rename, other)
    assert refused(path.parent.rename, root / "elsewhere")
    assert refused(shutil.rmtree, path.parent)
    other.write_bytes(b"new")
    assert refused(other.replace, path)
    assert path.read_bytes() == b"some bytes"
    if use == "of a child":
        held.communicate()
    else:
        held.close()
    other.replace(path)
    path.parent.rename(root / "elsewhere")
    shutil.rmtree(root / "elsewhere")

path = make("read")
with path.open("rb") as file:
    assert refused(os.fsync, file.fileno())
with path.open("r+b") as file:
    os.fsync(file.fileno())
(root / "empty").mkdir()
assert refused(path.parent.replace, root / "empty")
print("all", end="")
"""


def test_what_is_in_use_stays(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(RULES), str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, VARIABLE: "1", "PYTHONPATH": os.path.dirname(__file__)},  # noqa: PTH120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all"
