"""What we ship for whoever runs a server: each file is one that its program takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lfm2_colbert_rag.server.problems import CODES
from lfm2_colbert_rag.server.routes import ROUTES

from .proxies import COMMANDS, DEPLOY, NAME, Place, found

UNIT = DEPLOY / "systemd" / "lfm2-colbert.service"


def expressions() -> dict[str, str]:
    """Return all that our dashboard and rules ask of Prometheus."""
    said: dict[str, str] = {}
    board = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            said[f"{panel['title']} {target['refId']}"] = target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            said[variable["name"]] = variable["query"]["query"]
    rules = (DEPLOY / "alerts.yml").read_text("utf-8")
    names = re.findall(r"- alert: (\w+)\n +expr: (?:\|\n((?: {10,}.+\n)+)|(.+)\n)", rules)
    assert len(names) == rules.count("- alert:")
    return said | {name: block or line for name, block, line in names}


def test_what_is_asked_of_prometheus_is_what_the_server_shows(behind):
    figures = behind.figures()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\w+)$", figures, re.M))
    parts = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
    shown = {name + part for name, kind in kinds.items() for part in parts[kind]}
    asked = {}
    for where, expression in expressions().items():
        for name in re.findall(r"\blfm2_colbert_\w+", expression):
            asked.setdefault(name, where)
    assert len(asked) > 10
    assert {name: where for name, where in asked.items() if name not in shown} == {}
    left = {name for name, kind in kinds.items() if not name.endswith("_created")} - {
        name.removesuffix("_bucket") for name in asked
    }
    assert left == set()  # whatever is counted is drawn


def test_labels_and_values_in_expressions_are_those_of_the_server():
    routes = {route.name for route in ROUTES}
    for where, expression in expressions().items():
        for label, value in re.findall(r'(\w+)=~?"([^"$]+)"', expression):
            known = {
                "reason": set(CODES),
                "route": routes,
                "status": {"5.."},
                "job": {"lfm2-colbert"},
            }
            assert value in known[label], where
        for by in re.findall(r"\bby \(([\w, ]+)\)", expression):
            known = {"instance", "route", "status", "reason", "stage", "le", "index"}
            assert set(by.split(", ")) <= known
        for of in re.findall(r"(?:rate|increase)\((\w+)", expression):
            assert of.endswith(("_total", "_bucket", "_restarts")), where


def test_prometheus_takes_the_rules_and_each_fires():
    if not found("promtool"):
        pytest.skip("promtool is not installed")
    subprocess.run(["promtool", "check", "rules", DEPLOY / "alerts.yml"], check=True)
    cases = Path(__file__).with_name("alerts_test.yml")
    subprocess.run(["promtool", "test", "rules", cases], check=True)


def directives() -> dict[str, list[str]]:
    """Return what the unit says, continued lines as one."""
    text = UNIT.read_text("utf-8").replace("\\\n", " ")
    said: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            said.setdefault(name, []).append(value)
    return said


def test_the_unit_leaves_the_service_no_more_than_it_needs():
    said = directives()
    only = {
        "User": "lfm2-colbert",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "NoNewPrivileges": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "IPAddressDeny": "any",
        "IPAddressAllow": "localhost",
        "CapabilityBoundingSet": "",
        "SystemCallFilter": "@system-service",
        "ExecReload": "/bin/kill -HUP $MAINPID",
        "KillMode": "mixed",
    }
    assert {name: said[name][0] for name in only} == only
    assert {"MemoryMax", "TasksMax", "UMask", "StateDirectory"} <= said.keys()
    assert "MemoryDenyWriteExecute" not in said  # kernels are compiled
    # Where it writes is what systemd makes for it.
    (command,) = said["ExecStart"]
    for path in re.findall(r"/(?:var|run)/\S+", command):
        assert re.match(r"/(var/lib|var/log|run)/lfm2-colbert/", path)


def test_systemd_takes_the_unit(tmp_path):
    if not found("systemd-analyze"):
        pytest.skip("systemd is not installed")
    text = UNIT.read_text("utf-8").replace("/opt/lfm2-colbert/bin/lfm2-colbert", sys.executable)
    (tmp_path / UNIT.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, UNIT.name in done.stderr) == (0, False), done.stderr


def serve_options(text: str) -> list[str]:
    """Return the options of ``serve`` that a file names."""
    return sorted(set(re.findall(r"--[a-z][a-z-]+", text)))


def test_the_options_that_the_unit_and_the_image_name_are_there(capsys):
    from lfm2_colbert_rag.cli import main

    assert main(["serve", "--help"]) == 0
    known = capsys.readouterr().out
    unit = directives()["ExecStart"][0]
    image = (DEPLOY / "Dockerfile").read_text("utf-8").partition("\nCMD ")[2]
    assert len(serve_options(unit)) > 5
    for option in {*serve_options(unit), *serve_options(image)}:
        assert re.search(rf"{option}\b", known), option


def test_the_image_runs_as_nobody_and_is_asked_whether_it_lives():
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    last = text.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", last, re.M)
    assert last.index("USER") < last.index("ENTRYPOINT")
    assert "/livez" in last[last.index("HEALTHCHECK") :]
    assert "--read-only" in text
    assert "COPY . " not in text
    if shutil.which("hadolint"):
        subprocess.run(["hadolint", DEPLOY / "Dockerfile"], check=True)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_proxy_takes_its_configuration(name, behind, tmp_path):
    if not found(name):
        pytest.skip(f"{name} is not installed")
    place = Place(tmp_path, behind.socket, behind.certificate, behind.key, 8443)
    command = COMMANDS[name](place)
    if name == "nginx":
        command.append("-t")
    else:
        command[1] = "validate"
        ours = DEPLOY / "Caddyfile"
        form = subprocess.run(["caddy", "fmt", ours], capture_output=True, text=True, check=True)
        assert form.stdout == ours.read_text("utf-8")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "unnecessary" not in done.stderr
    assert NAME in (tmp_path / ("nginx.conf" if name == "nginx" else "Caddyfile")).read_text()
