"""Every benchmark can be imported, names its result file, is short, and is alone in nothing."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
from pathlib import Path

import pytest

from benchmarks.harness import RESULTS, Results
from benchmarks.harness.children import run_child

ROOT = RESULTS.parents[1]
FILES = sorted((ROOT / "benchmarks").rglob("*.py"))
SCRIPTS = [file for file in FILES if "if __name__ ==" in file.read_text(encoding="utf-8")]
# Programs of children, which import what only their environments have.
CHILDREN = {
    "benchmarks/encode/child.py", "benchmarks/first_times/child.py", "benchmarks/search/peers.py",
    "benchmarks/search/small_peers.py",
}  # fmt: skip
PEERS = {
    "bm25s",
    "qdrant_client",
    "qdrant_edge",
}  # what is measured beside ours need not be installed
LIMIT = 150
# What is no benchmark of its own has no result file: it renders one.
RENDERERS = {"benchmarks/mixed/tables.py", "benchmarks/quality/tables.py"}


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_everything_can_be_imported():
    for file in FILES:
        if name(file) in CHILDREN:
            continue
        try:
            importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
        except ModuleNotFoundError as error:
            if error.name not in PEERS:
                raise


def test_no_file_is_long():
    lengths = {name(file): file.read_text(encoding="utf-8").count("\n") for file in FILES}
    assert {n for n, lines in lengths.items() if lines > LIMIT} <= CHILDREN


@pytest.mark.parametrize("file", [f for f in SCRIPTS if name(f) not in CHILDREN], ids=name)
def test_a_script_names_its_result_file(file):
    doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    named = re.findall(r"benchmarks/results/(\w+)\.json", doc)
    assert named or name(file) in RENDERERS
    assert [one for one in named if not (RESULTS / f"{one}.json").exists()] == []


def test_private_names_of_the_package_stay_private():
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lfm2_colbert")
            for alias in node.names
        }
        reached = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
            and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "truth", "os"))
        }
        assert not [one for one in imported if one.startswith("_")], file
        assert not reached, file


def test_result_files_have_one_layout():
    others = {"teacher", "published"}  # copied from elsewhere, not measured here
    for path in RESULTS.glob("*.json"):
        if path.stem not in others:
            results = Results(path)
            assert results.cases
            assert all(results.run_of(case)["machine"] is not None or path.stem == "evidence"
                       for case in results.cases), path  # fmt: skip


def test_a_run_goes_on_and_another_is_told_apart(tmp_path):
    path = tmp_path / "results.json"
    first = Results(path, words=5)
    first.put("a", {"figure": 1})
    again = Results(path, words=5)
    again.put("b", {"figure": 2})
    assert again.cases["a"]["run"] == again.cases["b"]["run"]
    other = Results(path, words=6)
    other.put("b", {"figure": 3})
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert [run["settings"] for run in stored["runs"].values()] == [{"words": 5}, {"words": 6}]
    assert stored["cases"]["b"] == {"run": "2", "figure": 3}
    other.put("a", {"figure": 4})
    assert list(other.runs) == ["2"]
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


CHILD = """
import sys
sys.path.append({harness!r})
from inside import serve

def work(job):
    try:
        return {{"half": 1 / job["by"]}}
    except ZeroDivisionError as root:
        raise ValueError("what happened") from root

serve(work, ["no-such-package"])
"""


def test_a_child_gives_what_it_measured_or_why_it_did_not(tmp_path):
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(harness=str(ROOT / "benchmarks" / "harness")))
    good, bad, none = (
        run_child(Path(sys.executable), one, {"by": by}, tmp_path / "job", threads=1, timeout=60)
        for one, by in ((script, 2), (script, 0), (tmp_path / "absent.py", 1))
    )
    assert good["half"] == 0.5
    assert good["versions"] == {}
    root = "ZeroDivisionError: division by zero"
    assert bad["error"] == f"ValueError: what happened – from {root}"
    assert none["error"].startswith("Exit status 2")
