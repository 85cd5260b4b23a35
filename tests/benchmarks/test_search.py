"""The benchmark of searching runs, finds what an exhaustive search finds, and can be rendered."""

import subprocess
import sys

import pytest

from benchmarks.harness import Results
from benchmarks.harness.machine import ROOT
from benchmarks.search.report import markdown

pytestmark = pytest.mark.benchmark


def test_a_tiny_run_is_measured_and_rendered(tmp_path):
    result = tmp_path / "search.json"
    command = [sys.executable, "-m", "benchmarks.search", "--tiny", "--scratch", str(tmp_path)]
    command += ["--only", "exact", "--python", f"ours={sys.executable}", "--sizes", "150"]
    command += ["--threads", "1", "--queries", "10", "--out", str(result)]
    subprocess.run(command, check=True, cwd=ROOT)
    results = Results(result)
    entry = results.cases["exact/150/1"]
    assert "error" not in entry, entry
    (setting,) = entry["settings"]
    assert setting["p95_ms"] >= setting["p50_ms"] > 0
    assert setting["recall"] == 1
    assert setting["ndcg"] == entry["exact_ndcg"] > 0.9
    assert entry["label"] in markdown(results.cases)
    before = result.read_text(encoding="utf-8")
    subprocess.run(command, check=True, cwd=ROOT)
    assert result.read_text(encoding="utf-8") == before
