"""The documentation's Python runs as pasted, page by page, and its navigation is whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lfm2_colbert_rag
from lfm2_colbert_rag import errors

from .markdown import blocks, require, run

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("**/*.md"))
OTHERS = [*ROOT.glob("*.md"), *ROOT.glob("integrations/*/README.md"), *ROOT.glob("recipes/*/*.md")]


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_runs(page, tmp_path, monkeypatch, capsys):
    """The blocks of a page tell one story: they share their names and their folder."""
    parts = blocks(page)
    if not parts:
        pytest.skip("no Python on this page")
    require(parts)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    names: dict[str, object] = {"__name__": "docs"}
    for block in parts:
        run(block, page, names, capsys)


def test_every_page_is_in_the_navigation_once():
    listed = re.findall(r"^ +- .*: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.M)
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in PAGES]
    assert sorted(listed) == pages


def test_every_error_has_a_remedy():
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    bases = {"LFM2ColBERTError", "ModelError", "StoredIndexError"}
    for name in set(errors.__all__) - bases:
        assert f"| `{name}` |" in page


def test_every_public_name_is_in_the_reference():
    page = (ROOT / "docs" / "reference.md").read_text("utf-8")
    for name in set(lfm2_colbert_rag.__all__) - {"LFM2ColBERTError", "__version__"}:
        assert f"\n::: lfm2_colbert_rag.{name}\n" in page
    for module in (
        "errors",
        "evaluation",
        "filters",
        "mcp_server",
        "server",
        "testing",
        "training",
    ):
        assert f"\n::: lfm2_colbert_rag.{module}\n" in page


@pytest.mark.parametrize("page", OTHERS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_what_is_not_on_the_site_lead_somewhere(page):
    """Those of the site's pages are checked where it is built: ``make docs``."""
    for link in re.findall(r"\]\((?!\w+:|#)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / link).exists(), link


def test_the_architecture_names_files_that_are_there():
    package = Path(lfm2_colbert_rag.__file__).parent
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for line in re.findall(r"^\| .*$", page.partition("## Where is what")[2], re.M):
        folder = package
        for name in re.findall(r"`([\w/]+\.py)`", line):
            # A name without a folder lies beside the one before it.
            found = package / name if "/" in name else folder / name
            assert found.is_file(), f"{name}: {line}"
            folder = found.parent
