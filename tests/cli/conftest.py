"""Run the command line as a user would, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lfm2_colbert_rag.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return a function that runs ``lfm2-colbert`` with arguments, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("FORCE_COLOR", "NO_COLOR", "TERMINAL_WIDTH"):
        monkeypatch.delenv(name, raising=False)

    def run_command(*args: object) -> Outcome:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        return Outcome(code, *capsys.readouterr())

    return run_command


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Return a folder with a file of each kind, and some that must not be read."""
    folder = tmp_path / "docs"
    (folder / "more").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "secret.txt").write_text("hidden", encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "readme.md").write_text("# Washing\nClean the filter.", encoding="utf-8")
    (folder / "more" / "note.txt").write_text("Der Zug fährt um acht.", encoding="utf-8-sig")
    (folder / "prices.csv").write_text(
        'id,text,lang\ntea,"Tea, green, costs two euros",en\n,Kaffee kostet drei Euro,de\n',
        encoding="utf-8-sig",
    )
    rows = [
        {"id": "reset", "text": "Hold the reset key.", "product": "router", "year": 2024},
        {"text": "Mantenga pulsado el botón.", "product": "router", "year": 2022},
    ]
    lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "faq.jsonl").write_text(lines, encoding="utf-8")
    return folder
