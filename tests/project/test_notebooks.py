"""The notebooks run from the first cell to the last, without network, in a fresh folder."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
NEEDED = {
    "2_support_assistant": "langchain_lfm2_colbert",
    "3_llama_index": "llama_index.retrievers.lfm2_colbert",
}

# Of one's ten thousand passages a tenth will do, among them what it asks for.
FEWER = {"2_support_assistant": ("range(250)", "(4, 17, *range(130, 155))")}

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # those of Jupyter's own parts
    nbclient = pytest.importorskip("nbclient")


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


# What these show is tested elsewhere, too.
SLOW = ("6_from_ragatouille_and_pylate", "7_legal_and_offline")


@pytest.mark.notebook
@pytest.mark.filterwarnings("ignore")  # those of Jupyter's own parts
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if path.stem in SLOW else ()) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_notebook_runs(path, tmp_path, monkeypatch):
    module = NEEDED.get(path.stem)
    if module and not installed(module):
        pytest.skip(f"not installed: {module}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    notebook = nbformat.read(path, as_version=4)
    if path.stem in FEWER:
        many, fewer = FEWER[path.stem]
        (cell,) = [one for one in notebook.cells if many in one.source]
        cell.source = cell.source.replace(many, fewer)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_with_its_outputs_and_without_errors(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert any(cell.outputs for cell in cells)
    assert all(cell.execution_count == place for place, cell in enumerate(cells, 1))
    assert not [out for cell in cells for out in cell.outputs if out.output_type == "error"]


def test_nothing_of_the_machine_is_in_them():
    for path in NOTEBOOKS:
        text = path.read_text("utf-8")
        assert "/tmp/" not in text
        assert "/home/" not in text
