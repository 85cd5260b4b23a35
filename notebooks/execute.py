"""Runs the notebooks in a fresh folder and keeps their outputs: ``make notebooks``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main(paths: list[str]) -> None:
    """Run the named notebooks, or all."""
    here = Path(__file__).parent
    for path in map(Path, paths) if paths else sorted(here.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            resources = {"metadata": {"path": folder}}
            NotebookClient(
                notebook, timeout=600, coalesce_streams=True, resources=resources
            ).execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # times, which differ from run to run
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1:])
