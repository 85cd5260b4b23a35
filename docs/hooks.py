"""Links from pages to files outside docs/: the site carries these files, so that they lead there.

A page links to a script or a result as it lies in the repository (``../benchmarks/adding.py``),
which a reader of the repository can follow. Each such file becomes part of the site, under
``repository/``. A link to what is not there stays as it is, and fails the strict build.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

from mkdocs.structure.files import File

LINK = re.compile(r"\]\((\.\./[^)#\s]+)(?=[)#])")
COPIES = "repository"


def on_files(files: Any, config: Any) -> Any:
    """Add what the pages link to outside docs/."""
    root = Path(config.config_file_path).parent
    for page in list(files.documentation_pages()):
        for link in LINK.findall(page.content_string):
            target = _outside(page.src_uri, link)
            if target and (root / target).is_file():
                name = f"{COPIES}/{target}"
                if not files.get_file_from_path(name):
                    files.append(File.generated(config, name, abs_src_path=str(root / target)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """Let links to such files lead to their copies."""

    def copy(found: re.Match[str]) -> str:
        target = _outside(page.file.src_uri, found[1])
        if not target or not files.get_file_from_path(f"{COPIES}/{target}"):
            return found[0]
        return f"]({relpath(f'{COPIES}/{target}', dirname(page.file.src_uri) or '.')}"

    return LINK.sub(copy, markdown)


def _outside(page: str, link: str) -> str | None:
    """Return the linked file's path in the repository, or None if it lies within docs/."""
    target = normpath(join("docs", dirname(page), link))
    return None if target.startswith(("docs/", "../")) else target
