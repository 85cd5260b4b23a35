"""``kill -9`` in the midst of an encode job: run again, it goes on and comes to the same end."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from lfm2_colbert_rag.files.encoded.record import find_outputs

from .fleet import FILES, hashes, write_corpus

pytestmark = [pytest.mark.long, pytest.mark.subprocess]

PROGRAM = Path(__file__).with_name("fleet.py")


def start(source: Path, into: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(source), str(into)], stdout=subprocess.PIPE, text=True
    )


def test_a_killed_job_goes_on(tmp_path: Path) -> None:
    source = write_corpus(tmp_path / "corpus")
    whole = start(source, tmp_path / "whole")
    assert len(whole.communicate()[0].splitlines()) == FILES
    expected = hashes(tmp_path / "whole")
    assert len(expected) == FILES * 8

    into = tmp_path / "killed"
    chance = random.Random(5)
    for _ in range(3):
        process = start(source, into)
        for _ in range(len(list(find_outputs(into))) + chance.randint(1, FILES // 4)):
            process.stdout.readline()
        process.kill()
        process.communicate()
        made = hashes(into)
        outputs = {one.relative_to(into).as_posix() for one in find_outputs(into)}
        assert outputs, "the job must get somewhere before it is killed"
        for output in outputs:
            there = {name for name in made if name.startswith(f"{output}/")}
            assert there == {name for name in expected if name.startswith(f"{output}/")}
            assert all(made[name] == expected[name] for name in there)
    lines = start(source, into).communicate()[0].splitlines()
    assert {line.rpartition(" ")[2] for line in lines} == {"True", "False"}
    assert hashes(into) == expected
