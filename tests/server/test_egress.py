"""Nothing goes out: every system call of both processes is looked at while all routes are asked."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys

import httpx
import pytest

from lfm2_colbert_rag.server.access.callers import SCOPES
from lfm2_colbert_rag.server.access.keys import KeyFile
from lfm2_colbert_rag.server.audit.verifying import verify_log
from lfm2_colbert_rag.server.routes import ROUTES

from .running import PATIENCE, waiting
from .test_routes import BODIES

pytestmark = [pytest.mark.subprocess, pytest.mark.long]

_CALLS = "connect,sendto,sendmsg,sendmmsg,bind"
# Families of addresses that lead out of the machine, or ask what does.
_OUT = re.compile(r"AF_INET6?\b|AF_NETLINK|AF_PACKET")


def traced(log, *command: str, alone: bool = True) -> list[str]:
    """Return a command that is traced, in a network namespace with nothing in it."""
    trace = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-e",
        f"trace={_CALLS}",
        "-e",
        "signal=none",
        "-o",
        str(log),
    ]
    return [*(["unshare", "--net", "--map-root-user"] if alone else []), *trace, *command]


def attempts(log) -> list[str]:
    """Return what would have gone out."""
    return [line for line in log.read_text().splitlines() if _OUT.search(line)]


@pytest.fixture
def tracing(tmp_path):
    """Skip where nothing can be traced, and make sure that what goes out is seen."""
    if not (shutil.which("strace") and shutil.which("unshare")):
        pytest.skip("strace or unshare is not installed")
    log = tmp_path / "control"
    for asks in ("s.create_connection(('192.0.2.1', 9), 1)", "s.getaddrinfo('example.com', 80)"):
        program = f"import socket as s\ntry: {asks}\nexcept OSError: pass"
        done = subprocess.run(
            traced(log, sys.executable, "-S", "-c", program), capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("this system lets nobody trace, or make a namespace")
        assert attempts(log)
    return tmp_path / "trace"


def test_it_asks_nobody_for_anything(tmp_path, tracing, monkeypatch):
    # It needs no help with it: not from settings, nor from libraries that are silent in tests.
    for name in ("HF_HUB_OFFLINE", "ORT_DISABLE_TELEMETRY", "CI", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LFM2_COLBERT_KERNELS", "never")
    keys = KeyFile(tmp_path / "keys.json")
    admin = keys.create("admin", sorted(SCOPES))[1]
    path, audit, log = tmp_path / "http.sock", tmp_path / "audit", tmp_path / "log"
    with socket.socket(socket.AF_UNIX) as left:  # as a killed server leaves it
        left.bind(str(path))
    command = [sys.executable, "-m", "lfm2_colbert_rag.cli", "serve", str(tmp_path / "indexes")]
    options = ["--keys", str(keys.path), "--uds", str(path), "--audit-log", str(audit)]
    backups = ["--backups", str(tmp_path / "backups"), "--model", "nano"]
    with log.open("w") as said:
        process = subprocess.Popen(
            traced(tracing, *command, *options, *backups), stdout=said, stderr=said
        )
    try:
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(path)),
            base_url="http://localhost",
            headers={"authorization": f"Bearer {admin}"},
            timeout=PATIENCE,
        ) as client:
            for _ in waiting():
                assert process.poll() is None, log.read_text()
                if "serving" in log.read_text() and client.get("/readyz").is_success:
                    break
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            ask_all(client)
    finally:
        server = int((tracing.read_text().split(maxsplit=1) or ["0"])[0])
        assert server
        end(process, server)
    assert attempts(tracing) == []
    assert process.returncode == 0
    assert not path.exists()
    assert verify_log(audit).stopped


def end(process, server: int) -> None:
    """Stop the server, which what traces it waits for."""
    os.kill(server, signal.SIGTERM)
    process.wait(PATIENCE)


def ask_all(client: httpx.Client) -> None:
    """Ask every route for something, and for a model that would have to be fetched."""
    assert client.post("/v1/indexes", json={"name": "docs"}).is_success
    passages = [{"id": "one", "text": "Where is the key?"}]
    assert client.put("/v1/indexes/docs/passages", json={"passages": passages}).is_success
    last = ("drop_index",)
    for route in sorted(ROUTES, key=lambda one: one.name in last):
        path = route.path.replace("{index}", "docs").replace("{id:path}", "one")
        body = BODIES.get(route.name)
        if route.name == "stream_passages":
            line = '{"text": "See https://example.com/"}\n'
            found = client.post(
                path, content=line, headers={"content-type": "application/x-ndjson"}
            )
        else:
            found = client.request(route.method, path.replace("{job}", "none"), json=body)
        assert found.status_code < 500, route.name
    fetched = {"name": "fetched", "model": "LiquidAI/LFM2-ColBERT-350M"}
    assert client.post("/v1/indexes", json=fetched).status_code == 400
