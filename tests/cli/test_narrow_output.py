"""A terminal, a pipe or a file that cannot carry the characters of the world's scripts."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.cli import main

TEXT = "Sun ☀️, ключ, 鍵, naïve"
QUESTION = "где ключ"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    with Retriever.open(tmp_path / "an.index", model="hash") as retriever:
        retriever.add([TEXT], ids=["sun"], metadata=[{"titel": "größe", "_file": {"name": "x"}}])
    return tmp_path / "an.index"


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    folder = tmp_path / "данные"
    folder.mkdir()
    for name, row in {
        "corpus": {"id": "sun", "text": TEXT},
        "queries": {"id": "q", "text": QUESTION},
        "qrels": {"query": "q", "doc": "sun"},
    }.items():
        (folder / f"{name}.jsonl").write_text(json.dumps(row), encoding="utf-8")
    return folder


def run_narrowly(monkeypatch: pytest.MonkeyPatch, *args: object) -> str:
    """Run a command where stdout and stderr are as Python makes them in LC_ALL=C."""
    out, err = io.BytesIO(), io.BytesIO()
    for name, stream, errors in (
        ("stdout", out, "surrogateescape"),
        ("stderr", err, "backslashreplace"),
    ):
        narrow = io.TextIOWrapper(stream, encoding="ascii", errors=errors, write_through=True)
        monkeypatch.setattr(sys, name, narrow)
    assert main([str(arg) for arg in args]) == 0, err.getvalue().decode()
    return out.getvalue().decode("ascii")


def test_what_cannot_be_written_is_replaced(index, monkeypatch):
    shown = run_narrowly(monkeypatch, "search", index, QUESTION)
    assert "Sun ??, *????*, ?, na?ve" in shown
    assert "titel=gr??e" in shown
    assert "_file" not in shown
    found = json.loads(run_narrowly(monkeypatch, "search", index, QUESTION, "--json"))
    assert (found["text"], found["metadata"]) == (TEXT, {"titel": "größe"})
    assert 'titel: texts, such as "gr??e"' in run_narrowly(monkeypatch, "stats", index)


def test_what_cannot_be_written_is_replaced_in_reports(judged, monkeypatch):
    pytest.importorskip("ir_measures")
    data = ("evaluate", "--data", judged, "--model", "hash")
    assert "??????" in run_narrowly(monkeypatch, *data)
    assert json.loads(run_narrowly(monkeypatch, *data, "--json"))["dataset"] == judged.name


def test_the_demo_runs_everywhere(monkeypatch):
    pytest.importorskip("rich")
    shown = run_narrowly(monkeypatch, "demo", "--model", "hash", "-q", QUESTION)
    assert "??? ????" in shown


def test_what_was_typed_in_utf8_is_understood(index, monkeypatch):
    """Python takes the bytes of what is typed for ASCII there, and escapes them."""
    escaped = QUESTION.encode().decode("ascii", "surrogateescape")
    found = json.loads(run_narrowly(monkeypatch, "search", index, escaped, "--json"))
    assert ["ключ", "ключ"] in [match["words"] for match in found["evidence"]]
    where = '{"titel": "größe"}'.encode().decode("ascii", "surrogateescape")
    assert run_narrowly(monkeypatch, "search", index, "sun", "--where", where, "--json")


@pytest.mark.subprocess
@pytest.mark.parametrize(
    "where",
    [">&-", *(pytest.param(one, marks=pytest.mark.slow) for one in ("| cat", "> /dev/null"))],
)
def test_the_real_command_in_the_c_locale(index, where):
    command = f"{sys.executable} -m lfm2_colbert_rag.cli search {index} '{QUESTION}' {where}"
    narrow = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONIOENCODING"} | narrow
    found = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], env=environment, capture_output=True, timeout=120
    )
    assert (found.returncode, found.stderr) == (0, b"")
    assert where != "| cat" or b"Sun ??, *????*" in found.stdout
