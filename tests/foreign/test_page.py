"""The page on other people's clients: its programs run as pasted, and versions are those tested."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from ..server.running import running
from .cases import CASES
from .programs import PATIENCE, QUIET, ROOT, python_of

PAGE = (ROOT / "docs" / "connect.md").read_text("utf-8")
BLOCKS = dict(re.findall(r'^```\w+ title="([\w.]+)"\n(.*?)^```', PAGE, re.S | re.M))
ADDRESS = "http://127.0.0.1:7707"
ENVIRONMENTS = {
    "with_cohere.py": "sdks",
    "with_langchain.py": "frameworks",
    "with_llama_index.py": "frameworks",
    "with_haystack.py": "haystack",
    "with_litellm.py": "litellm",
    "with_openai.py": "sdks",
    "with_fastmcp.py": "sdks",
    "with_mcp.py": "sdks",
    "with_infinity.py": "sdks",
    "with_rerankers.py": "sdks",
}


@pytest.fixture(scope="module")
def support(tmp_path_factory):
    """Start a server as the page has it: with the usual model, an index, and a key for it alone."""
    place = tmp_path_factory.mktemp("page")
    with running(place, "--model", "nano") as server:
        server.make("support")
        passages = [
            {"id": "reset", "text": "Hold the reset key for ten seconds."},
            {"id": "library", "text": "The library opens at nine.", "metadata": {"floor": 2}},
        ]
        added = server.ask("PUT", "/v1/indexes/support/passages", {"passages": passages})
        assert added.status_code == 200, added.text
        yield server.url, server.key(["search", "rerank"], indexes=["support"])


def test_every_program_is_run():
    assert set(ENVIRONMENTS) == {name for name in BLOCKS if name.endswith(".py")}


@pytest.mark.subprocess
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_program_runs_as_pasted(name, request, tmp_path):
    python = python_of(ENVIRONMENTS[name])
    url, key = request.getfixturevalue("support")
    settings = BLOCKS["mcp.json"].replace("lcb_...", key).replace(ADDRESS, url)
    (tmp_path / "mcp.json").write_text(settings, encoding="utf-8")
    program = BLOCKS[name]
    (tmp_path / name).write_text(program.replace(ADDRESS, url), encoding="utf-8")
    done = subprocess.run(
        [python, name],
        cwd=tmp_path,
        env=QUIET | {"LFM2_COLBERT_API_KEY": key, "HOME": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"print\(.*# ?> (.*)$", program, re.MULTILINE)
    assert shown
    assert [one for one in shown if one not in done.stdout.splitlines()] == []


def test_versions_are_those_that_are_installed():
    """In the table's first column; what the clients themselves need is not named."""
    told = {}
    for cell in re.findall(r"^\| (`[^|]+) \|", PAGE, re.M):
        for name, versions in re.findall(r"`([@/\w-]+)` ([\d., ]*\d)", cell):
            told.setdefault(name, set()).update(re.split(r", ", versions))
    exactly = re.compile(r"^([\w-]+)(?:\[\w+\])?==(\S+)", re.M)
    pinned: dict[str, set[str]] = {}
    for file in sorted((Path(__file__).parent / "environments").glob("*.txt")):
        for name, version in exactly.findall(file.read_text("utf-8")):
            pinned.setdefault(name, set()).add(version)
    node = (Path(__file__).parent / "environments" / "node" / "package.json").read_text("utf-8")
    pinned |= {name: {version} for name, version in json.loads(node)["dependencies"].items()}
    pinned.pop("haystack-ai")  # whose rankers are the clients
    assert told == pinned


def test_at_least_fifteen_clients_are_tested():
    assert len({case.id for case in CASES}) >= 15
