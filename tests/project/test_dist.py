"""What is built is what users need: the wheels, installed by themselves outside the checkout.

``make dist`` builds them, installs them into an environment of its own, and names both here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from .markdown import blocks

ROOT = Path(__file__).parents[2]
BUILT = Path(os.environ.get("LFM2_DIST", "dist"))
PYTHON = os.environ.get("LFM2_DIST_PYTHON", "")

pytestmark = pytest.mark.skipif(not PYTHON, reason="`make dist` runs it")

# Each distribution: the folder of its README and licence, its package, and what else it must hold.
DISTRIBUTIONS = {
    "lfm2_colbert_rag": (
        ROOT,
        "lfm2_colbert_rag",
        [
            "lfm2_colbert_rag/cli/demo_data/passages.jsonl",
            "lfm2_colbert_rag/encoder/models/nano/model.safetensors",
            "lfm2_colbert_rag/encoder/models/nano/tokenizer.json",
            "lfm2_colbert_rag/server/playground/app.js",
            "lfm2_colbert_rag/server/playground/index.html",
            "lfm2_colbert_rag/server/playground/playground.css",
        ],
    ),
    "langchain_lfm2_colbert": (
        ROOT / "integrations" / "langchain",
        "langchain_lfm2_colbert",
        [],
    ),
    "llama_index_retrievers_lfm2_colbert": (
        ROOT / "integrations" / "llama_index",
        "llama_index/retrievers/lfm2_colbert",
        [],
    ),
    "lfm2_colbert_small": (
        ROOT / "integrations" / "small_model",
        "lfm2_colbert_small",
        [
            "lfm2_colbert_small/model/model.safetensors",
            "lfm2_colbert_small/model/tokenizer.json",
            "lfm2_colbert_small/model/1_Dense/model.safetensors",
        ],
    ),
}
each = pytest.mark.parametrize("name", DISTRIBUTIONS)


def only(pattern: str) -> Path:
    found = sorted(BUILT.glob(pattern))
    assert len(found) == 1, f"{pattern} in {BUILT}: {found}"
    return found[0]


def run(code: str, folder: Path) -> str:
    """Run code as a user would, with nothing of the checkout in reach."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [PYTHON, "-I", "-c", code],
        cwd=folder,
        env={**kept, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@each
def test_wheel_holds_the_package_its_types_and_its_licence(name):
    folder, package, more = DISTRIBUTIONS[name]
    with zipfile.ZipFile(only(f"{name}-*.whl")) as wheel:
        held = set(wheel.namelist())
        info = next(one for one in held if one.endswith(".dist-info/METADATA")).rpartition("/")[0]
        licence = wheel.read(f"{info}/licenses/LICENSE")
    assert {f"{package}/__init__.py", f"{package}/py.typed", *more} <= held
    assert licence == (folder / "LICENSE").read_bytes()
    assert {one.split("/")[0] for one in held} == {package.split("/")[0], info}
    # Both are namespaces that others share.
    assert not {"llama_index/__init__.py", "llama_index/retrievers/__init__.py"} & held


@pytest.mark.parametrize("name", ["lfm2_colbert_rag", "lfm2_colbert_small"])
def test_wheels_with_models_say_whose_they_are(name):
    with zipfile.ZipFile(only(f"{name}-*.whl")) as wheel:
        assert any(one.endswith(".dist-info/licenses/NOTICE") for one in wheel.namelist())


def test_all_have_one_version():
    versions = {only(f"{name}-*.whl").name.split("-")[1] for name in DISTRIBUTIONS}
    versions |= {only(f"{name}-*.tar.gz").name[len(name) + 1 : -7] for name in DISTRIBUTIONS}
    assert len(versions) == 1, versions


@each
def test_first_example_of_the_readme_runs(name, tmp_path):
    folder, package, _ = DISTRIBUTIONS[name]
    block = blocks(folder / "README.md")[0]
    printed = run(block, tmp_path).splitlines()
    for shown in re.findall(r"print\(.*# ?> (.*)$", block, re.MULTILINE):
        assert shown in printed
    module = package.replace("/", ".")
    where = run(f"import {module} as module; print(module.__file__)", tmp_path)
    assert Path(PYTHON).parents[1] in Path(where).parents


def test_the_command_is_installed(tmp_path):
    command = shutil.which("lfm2-colbert", path=Path(PYTHON).parent)
    done = subprocess.run([command, "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert only("lfm2_colbert_rag-*.whl").name.split("-")[1] in done.stdout
