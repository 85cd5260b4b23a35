"""The benchmark of encoding runs, and what it writes can be rendered; its figures mean nothing."""

import subprocess
import sys

import pytest

from benchmarks.encode.report import markdown
from benchmarks.harness import Results
from benchmarks.harness.machine import ROOT

pytestmark = pytest.mark.benchmark


def test_a_tiny_run_is_measured_and_rendered(tmp_path):
    result = tmp_path / "encode.json"
    command = [sys.executable, "-m", "benchmarks.encode", "--tiny", "--scratch", str(tmp_path)]
    command += ["--only", "ours-onnx-int8", "--python", f"ours={sys.executable}"]
    subprocess.run([*command, "--rounds", "1", "--out", str(result)], check=True, cwd=ROOT)
    results = Results(result)
    entry = results.cases["ours-onnx-int8"]
    assert "error" not in entry, entry
    assert entry["query_p95_ms"] >= entry["query_p50_ms"] > 0
    assert entry["document_tokens_per_second"] > 0
    assert entry["label"] in markdown(results)
