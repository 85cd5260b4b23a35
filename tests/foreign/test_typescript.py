"""MCP's TypeScript SDK, and the bridge for programs that start commands only.

Skipped where ``make test-clients`` found no npm.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from .cases import QUERY, Case
from .programs import CLIENTS, PATIENCE, ROOT

pytestmark = pytest.mark.subprocess

MODULES = ROOT / ".venv-foreign-node" / "node_modules"
TOOLS = ["search", "fetch", "stats"]


@pytest.fixture(scope="module")
def node():
    found = shutil.which("node")
    if found is None or not MODULES.exists():
        pytest.skip(f"no node, or no {MODULES.parent.name}: make test-clients")
    return found


@pytest.fixture
def environment(asked, tmp_path):
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "NODE_PATH": str(MODULES),
        "LFM2_COLBERT_URL": asked.server.url,
        "LFM2_COLBERT_API_KEY": asked.key,
        "QUERY": QUERY,
    }


def natively(asked):
    found = asked.natively(Case("mcp", "node", "search", ""), 3)
    return [[id, round(relevance, 3)] for id, relevance in found]


def run(node, environment):
    program = CLIENTS / "mcp_typescript.cjs"
    done = subprocess.run(
        [node, program],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=True,
    )
    return json.loads(done.stdout)


def test_the_sdk_finds_what_our_own_api_does(node, environment, asked):
    assert run(node, environment) == {"tools": TOOLS, "found": natively(asked)}


def test_the_sdk_tells_of_a_wrong_key(node, environment, asked):
    told = run(node, environment | {"LFM2_COLBERT_API_KEY": asked.stranger})
    assert told["code"] == 401
    assert "No valid key or token was given." in told["message"]


def test_the_bridge_hands_on_what_an_agent_says_on_stdin(node, environment, asked, tmp_path):
    bridge = MODULES / "mcp-remote" / "dist" / "proxy.js"
    address = f"{asked.server.url}/mcp"
    header = "Authorization: Bearer ${LFM2_COLBERT_API_KEY}"
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [node, bridge, address, "--header", header],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
        )

    def say(method, id=None, **params):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        process.stdin.write(json.dumps(message | ({} if id is None else {"id": id})) + "\n")
        process.stdin.flush()
        return None if id is None else json.loads(process.stdout.readline())

    with process:
        try:
            client = {"name": "test", "version": "1"}
            revision = {"protocolVersion": "2025-06-18", "capabilities": {}}
            assert (
                "tools"
                in say("initialize", 1, clientInfo=client, **revision)["result"]["capabilities"]
            )
            say("notifications/initialized")
            asked_for = {"query": QUERY, "k": 3}
            answer = say("tools/call", 2, name="search", arguments=asked_for)["result"]
        finally:
            process.kill()
    found = answer["structuredContent"]["passages"]
    assert [[one["id"], one["relevance"]] for one in found] == natively(asked)
