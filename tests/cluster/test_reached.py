"""What asks an index asks one in an engine: the command line, a server, agents, an evaluation."""

from __future__ import annotations

import asyncio
import json

import pytest
from typer.testing import CliRunner

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.cli.app import app
from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.evaluation import Dataset, evaluate
from lfm2_colbert_rag.server.indexes import Shelf

from ..conftest import CORPUS, fill
from .engines import ENGINES

assert ENGINES  # where the client is not installed, all of this is skipped


@pytest.fixture
def address(tmp_path):
    return f"qdrant+file://{tmp_path}/engine/docs"


@pytest.fixture
def folder(tmp_path):
    with Retriever.open(tmp_path / "own.index", model="hash") as made:
        fill(made)
    return tmp_path / "own.index"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_line_takes_an_address(address, folder, tmp_path):
    assert "Pushed 5 passages" in run("push", folder, address)
    hits = run("search", address, "reset key", "-k", 1, "--json").splitlines()
    assert json.loads(hits[0])["id"] == "reset"
    assert json.loads(run("stats", address, "--json"))["passages"] == 5
    (tmp_path / "more.jsonl").write_text('{"id": "x", "text": "one more"}\n', "utf-8")
    run("index", tmp_path / "more.jsonl", "--into", address)
    assert "holds 5" in run("delete", address, "--id", "library")
    run("optimize", address)
    run("export", address, "--into", tmp_path / "plain")
    run("import", tmp_path / "plain", "--into", address)
    assert "Pulled 5 passages" in run("pull", address, "--into", tmp_path / "back.index")
    with Retriever.open(tmp_path / "back.index") as local:
        assert "x" in local
        assert local.search("reset key", 1)[0].evidence


def test_a_server_serves_an_address(address, folder, tmp_path):
    with Retriever.open(address, model="hash") as made:
        fill(made)
    shelved = tmp_path / "indexes"
    shelved.mkdir()
    (shelved / "manuals.address").write_text(f"{address}\n", "utf-8")
    (shelved / "wrong.address").write_text("/etc/passwd", "utf-8")
    shelf = Shelf(shelved, most=2, read_only=True)
    assert shelf.names() == ["manuals", "wrong"]
    with shelf.lend_index("manuals") as index:
        view = index.view_of_all()
        assert view.search("reset key", 1)[0].id == "reset"
        assert view.stats().passages == len(view) == 5
    with pytest.raises(ConfigError, match="holds no address"), shelf.lend_index("wrong"):
        pass
    shelf.close()


def test_agents_ask_it(address):
    pytest.importorskip("mcp.server.mcpserver", reason="needs the extra 'mcp'")
    from lfm2_colbert_rag.mcp_server import make_server

    with Retriever.open(address, model="hash") as made:
        server = make_server(fill(made))
        found = asyncio.run(server.call_tool("search", {"query": "reset key"}))
        assert "Hold the reset key" in str(found)


def test_it_is_evaluated(address):
    corpus = [Passage(id, text) for id, text in CORPUS.items()]
    dataset = Dataset(corpus, {"q": "reset key of the router"}, {"q": {"reset": 1}})
    with Retriever.open(address, model="hash") as made:
        evaluation = evaluate(dataset, fill(made), modes=["late", "hybrid"])
    assert evaluation.mean("nDCG@10") == 1.0
