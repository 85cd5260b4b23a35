"""The benchmark of searching runs, finds what an exhaustive search finds, and can be rendered."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.harness import Results
from benchmarks.harness.machine import ROOT
from benchmarks.harness.standing import StandingChild
from benchmarks.search.report import markdown
from benchmarks.search.small_report import markdown as small_markdown

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


@pytest.mark.slow
def test_small_collections_are_asked_in_turns_and_rendered(tmp_path):
    result = tmp_path / "small.json"
    command = [sys.executable, "-m", "benchmarks.search.small", "--tiny", "--scratch", tmp_path]
    command += ["--only", "ours", "--python", f"ours={sys.executable}", "--sizes", "150"]
    command += ["--threads", "1", "--queries", "3", "--rounds", "2", "--out", result]
    subprocess.run(list(map(str, command)), check=True, cwd=ROOT)
    cases = Results(result).cases
    assert list(cases) == ["ours-index/150", "ours-late/150", "ours-hybrid/150"]
    for name, entry in cases.items():
        assert "error" not in entry, entry
        assert entry["measured"] == 6
        assert entry["p95_ms"] >= entry["p50_ms"] > 0
        assert entry["recall"] == 1 or "hybrid" in name
        assert entry["label"] in small_markdown(cases)
    assert cases["ours-index/150"]["ratio"] == 1


def test_a_child_that_stays_answers_in_turns_and_says_what_went_wrong(tmp_path):
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(harness=str(ROOT / "benchmarks" / "harness")))
    places = Path(sys.executable), script
    child = StandingChild(*places, {"by": 2}, tmp_path / "job", threads=1, timeout=60)
    assert child.opened == {"versions": {}}
    assert [child.ask(of=number) for number in (4, 6)] == [{"part": 2.0}, {"part": 3.0}]
    assert "TypeError" in child.ask(of="x")["error"]
    assert child.ask(of=8) == {"part": 4.0}
    child.close()
    broken = StandingChild(*places, {}, tmp_path / "job", threads=1, timeout=60)
    assert "KeyError" in broken.opened["error"]
    broken.close()
    none = StandingChild(places[0], tmp_path / "no.py", {}, tmp_path / "job", threads=1, timeout=60)
    assert none.opened["error"].startswith("Exit status 2")
    none.close()


CHILD = """
import sys
sys.path.append({harness!r})
from inside import serve_turns

def open_(job):
    by = job["by"]
    print("what a library prints")
    return lambda task: {{"part": task["of"] / by}}

serve_turns(open_, ["no-such-package"])
"""
