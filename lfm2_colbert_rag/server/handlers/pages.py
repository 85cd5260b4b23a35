"""The playground: a page, and what belongs to it, as they lie in the package."""

from __future__ import annotations

from importlib.resources import files

from ..problems import Problem
from ..request import Answer, Request

HOME = "index.html"
"""The file that is the page."""

_MEDIA = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}


def _read_pages() -> dict[str, Answer]:
    """Read the files of the package: what clients name is looked up among them, never on a disk."""
    folder = files("lfm2_colbert_rag.server") / "playground"
    return {
        one.name: Answer(one.read_bytes(), media=_MEDIA[one.name.rpartition(".")[2]])
        for one in folder.iterdir()
        if one.name.rpartition(".")[2] in _MEDIA
    }


PAGES = _read_pages()
"""Each file by its name, as it is sent."""


async def home(request: Request) -> Answer:
    """Send the page."""
    return PAGES[HOME]


async def page_file(request: Request) -> Answer:
    """Send a file that belongs to the page.

    Raises:
        Problem: there is none of this name.
    """
    found = PAGES.get(request.params["file"])
    if found is None:
        raise Problem("page-not-found")
    return found
