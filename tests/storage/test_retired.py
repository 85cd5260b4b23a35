"""Segments that nobody needs leave the disk when the system lets go of them, and not before."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lfm2_colbert_rag.storage.retired import is_retired, retire

from ..windows import sitecustomize

# What the system keeps of a merged segment is read by another retriever meanwhile.
STORY = """
import sys, tempfile
from pathlib import Path
from lfm2_colbert_rag import Retriever

folder = Path(sys.argv[1])
tempfile.tempdir = sys.argv[2]
def segments():
    return len(list(folder.glob("segments/*")))

with Retriever.open(folder, model="hash") as writer:
    for number in range(4):
        writer.add([f"text {number} of a zebra"], ids=[f"p{number}"])
    reader = Retriever.open(folder)
    before = [(hit.id, hit.score) for hit in reader.search("zebra")]
    held = segments()
    assert writer.optimize(progress=False).segments == 1 < held
    assert writer.verify() == []
    assert segments() == held + 1, "the reader has them mapped"
    assert [(hit.id, hit.score) for hit in reader.search("zebra")] == before
    reader.close()
    del reader
    writer.search("zebra")  # of the newest generation
    writer.delete(["nothing of the kind"])
    assert segments() == 1
    writer.add(["one more", "and one more"], ids=["p8", "p9"])
    writer.delete(["p8"])
    writer.optimize(progress=False, forget_after=0)
    assert segments() == 1, "what is deleted is gone at once where no other process reads"
    writer.backup(folder.with_name("copy"))
    Retriever.restore(folder.with_name("copy"), folder.with_name("restored")).close()
folder.with_name("restored").rename(folder.with_name("renamed"))

with Retriever.from_texts(["in memory"], model="hash") as brief:
    brief.search("memory")
assert list(Path(sys.argv[2]).iterdir()) == []
print("told", end="")
"""


@pytest.mark.subprocess
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_where_the_system_keeps_what_is_mapped(tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    rules = Path(sitecustomize.__file__).parent
    paths = os.pathsep.join([str(rules), str(Path(__file__).parents[2])])
    folders = [str(tmp_path / "an.index"), str(tmp_path / "temporary")]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(STORY), *folders],
        capture_output=True,
        text=True,
        env={**os.environ, sitecustomize.VARIABLE: "1", "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "told"


def test_it_is_removed_where_nothing_keeps_it(tmp_path: Path) -> None:
    folder = tmp_path / "segment"
    folder.mkdir()
    (folder / "file").touch()
    assert not is_retired(folder)
    assert retire(folder)
    assert not folder.exists()
    assert retire(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="made with calls of POSIX")
@pytest.mark.parametrize("kind", ["FIFO", "link", "file"])
def test_what_is_no_folder_is_removed_without_being_opened(tmp_path, kind):
    (tmp_path / "other").mkdir()
    odd = tmp_path / "odd"
    if kind == "FIFO":
        os.mkfifo(odd)
    elif kind == "link":
        odd.symlink_to(tmp_path / "other")
    else:
        odd.write_bytes(b"x")
    assert retire(odd)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
