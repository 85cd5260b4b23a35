"""The page for whoever runs a server says what is so: its routes, limits, problems and options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lfm2_colbert_rag.cli import main
from lfm2_colbert_rag.server import bodies, heads, protocol, reading, run
from lfm2_colbert_rag.server.problems import CODES
from lfm2_colbert_rag.server.routes import ROUTES
from lfm2_colbert_rag.server.settings import Capacity

PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the tables below a heading."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in found if not set(row[0]) <= set("- ")]


def test_it_names_every_route_with_its_scope():
    named = {}
    for what, scope, _ in rows("Passages in, answers out"):
        for route in re.findall(r"`([A-Z]+ [^`]+)`", what):
            named[route.replace("…", "/v1/indexes/{index}")] = scope or None
    known = {f"{one.method} {one.path.replace(':path}', '}')}": one.scope for one in ROUTES}
    assert named == known


def test_it_names_every_problem_with_its_status():
    named = {}
    for row in rows("Limits"):
        if row[0].isdecimal():
            named |= {code: int(row[0]) for code in re.findall(r"`([a-z-]+)`", row[1])}
    assert named == CODES


@pytest.mark.parametrize(
    "said",
    [
        f"| a query | {bodies.LONGEST_QUERY:,} characters, {bodies.MOST_QUERIES} in a request |",
        f"| `k` | {bodies.MOST_HITS:,} |",
        f"| passages of one `PUT`, `passages:get` or rerank | {bodies.MOST_PASSAGES:,} |",
        f"| an id | {bodies.LONGEST_ID} characters |",
        f"| `--rerank-tokens` {Capacity().rerank_tokens:,}; texts",
        f"of lines up to {reading.LONGEST_LINE >> 20} MiB |",
        f"| {heads._MOST} headers, {run._LONGEST_HEAD >> 10} KiB, within {protocol.PATIENCE:g} s",
        f"| {reading.PATIENCE:g} seconds, or less than {reading.SLOWEST:,} bytes a second |",
        f"| `--searches` {Capacity().searches}, `--queue` {Capacity().queue}, of one key",
        f"at most half; {Capacity().seconds:g} seconds in the queue |",
        f"| {Capacity().key_rate:g} a second, twice as many at once;",
        f"| connections | {Capacity().connections} |",
    ],
)
def test_its_limits_are_those_of_the_code(said):
    assert said in PAGE


def test_bodies_are_as_large_as_it_says():
    most = {one.name: one.most for one in ROUTES}
    assert (most.pop("stream_passages"), most.pop("add_passages")) == (None, 32 << 20)
    assert set(most.values()) == {2 << 20}
    assert "| a body | 2 MiB; 32 MiB for `PUT` of passages; without end for a stream" in PAGE


def test_the_options_that_it_names_are_there(capsys):
    assert main(["serve", "--help"]) == 0
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    serving = "\n".join(re.findall(r"^\$ lfm2-colbert serve (?:.+\\\n)*.+$", PAGE, re.M))
    named = set(re.findall(r"--[a-z-]+", serving))
    named |= {"--backups", "--drain", "--read-only", "--without", "--rerank-tokens"}
    assert len(named) > 8
    assert named <= known
