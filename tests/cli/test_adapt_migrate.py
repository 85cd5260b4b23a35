"""What serves an index, changed from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from lfm2_colbert_rag import QueryAdapter, Retriever
from lfm2_colbert_rag.cli import adapt_migrate
from lfm2_colbert_rag.cli.adapt_migrate import forget, migrate, rollback, status
from lfm2_colbert_rag.encoder.query_adapter import FILE, weights_of
from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.testing import HashEncoder


@pytest.fixture
def adapt(tmp_path, monkeypatch):
    """Return what runs one of the commands, in a folder with an index and an adapter."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(adapt_migrate, "NICENESS", 0)  # this process goes on
    with Retriever.open("an.index", model="hash") as retriever:
        retriever.add(["Hold the reset key.", "The library opens at nine."])
    matrix = np.random.default_rng(1).standard_normal((32, 32)).astype(np.float32)
    Path("made").mkdir()
    QueryAdapter(matrix, weights_of(HashEncoder()), "always", {"summary": "a trial"}).save(
        Path("made") / FILE
    )
    app = typer.Typer()
    for command in (migrate, status, rollback, forget):
        app.command(command.__name__)(command)

    def run(*args: str) -> Result:
        return CliRunner().invoke(app, args)

    return run


def judge(adopted: bool) -> None:
    verdict = {"adopted": adopted, "reasons": [] if adopted else ["It loses."]}
    (Path("made") / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")


def test_there_and_back(adapt):
    judge(True)
    Path("asked.txt").write_text("reset key\n\nlibrary\n", encoding="utf-8")
    told = adapt("migrate", "an.index", "--model", "made", "--queries", "asked.txt")
    assert told.exit_code == 0, told.output
    assert "hash with the query adapter (a trial) serves an.index." in told.output
    assert "Of 2 questions" in told.output
    assert "serves    hash with the query adapter (a trial)" in adapt("status", "an.index").output
    assert json.loads(adapt("status", "an.index", "--json").stdout)["former_model"] == "hash"
    assert json.loads(adapt("rollback", "an.index", "--json").stdout)["query_adapter"] is None
    assert "before    hash with the query adapter" in adapt("status", "an.index").output
    assert "keeps nothing" in adapt("forget", "an.index").output
    assert not json.loads(adapt("forget", "an.index", "--json").stdout or "{}")
    assert isinstance(adapt("rollback", "an.index").exception, ConfigError)


def test_only_what_was_judged_and_adopted_serves(adapt):
    unjudged = adapt("migrate", "an.index", "--model", "made")
    assert isinstance(unjudged.exception, ConfigError)
    assert "--yes-without-gate" in str(unjudged.exception)
    judge(False)
    refused = adapt("migrate", "an.index", "--model", "made")
    assert (refused.exit_code, "not adopted: It loses." in refused.output) == (3, True)
    assert json.loads(adapt("status", "an.index", "--json").stdout)["query_adapter"] is None
    forced = adapt("migrate", "an.index", "--model", "made", "--yes-without-gate", "--json")
    assert json.loads(forced.stdout)["query_adapter"] == "a trial"
