"""Documents of Debian's packages: unpacked beside, not installed, and saved by LibreOffice."""

from __future__ import annotations

import gettext
import gzip
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
_FILTERS = {
    "docx": "docx:MS Word 2007 XML",
    "txt": "txt:Text (encoded):UTF8",
    "xlsx": "xlsx:Calc MS Excel 2007 XML",
}
SEMICOLONS = "CSV:59,34,76,1"
"""How LibreOffice reads UTF-8 with semicolons between the cells."""


def unpack(packages: Sequence[str], scratch: Path) -> Path:
    """Return a folder that holds the files of packages, downloaded where they are not there."""
    root = scratch / "root"
    downloads = scratch / "packages"
    downloads.mkdir(parents=True, exist_ok=True)
    for package in packages:
        if not list(downloads.glob(f"{package}_*.deb")):
            _run("apt-get", "download", package, cwd=downloads)
            for file in downloads.glob(f"{package}_*.deb"):
                _run("dpkg-deb", "-x", str(file), str(root))
    return root


def save_as(suffix: str, files: Iterable[Path], folder: Path, read_as: str | None = None) -> None:
    """Let LibreOffice open files and save each as another kind, as its menu does."""
    wanted = [file for file in files if not (folder / f"{file.stem}.{suffix}").exists()]
    folder.mkdir(parents=True, exist_ok=True)
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as profile:
        filters = [f"--infilter={read_as}"] if read_as else []
        target = ["--convert-to", _FILTERS.get(suffix, suffix), "--outdir", str(folder)]
        home = f"-env:UserInstallation=file://{profile}"
        _run("soffice", home, "--headless", *filters, *target, *map(str, wanted))


def write_slides(file: Path, slides: Sequence[tuple[str, str]]) -> None:
    """Write titles and texts as a presentation that LibreOffice can open and save."""
    names = " ".join(
        f'xmlns:{name}="{_OFFICE}:{full}:1.0"'
        for name, full in (("office", "office"), ("text", "text"), ("draw", "drawing"),
                           ("presentation", "presentation"), ("svg", "svg-compatible"))
    )  # fmt: skip
    box = '<draw:frame presentation:class="{}" svg:x="2cm" svg:y="{}cm" svg:width="24cm" '
    box += 'svg:height="3cm"><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>'
    pages = "".join(
        f"<draw:page>{box.format('title', 1, escape(title))}"
        f"{box.format('outline', 5, escape(text))}</draw:page>"
        for title, text in slides
    )
    file.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {names} office:version="1.3" '
        'office:mimetype="application/vnd.oasis.opendocument.presentation"><office:body>'
        f"<office:presentation>{pages}</office:presentation></office:body></office:document>",
        encoding="utf-8",
    )


def write_countries(root: Path, language: str, file: Path) -> None:
    """Write the codes of all countries, with their names in a language, as CSV."""
    codes = json.loads((root / "usr/share/iso-codes/json/iso_3166-1.json").read_text("utf-8"))
    names = gettext.translation("iso_3166-1", root / "usr/share/locale", [language]).gettext
    rows = [("alpha_3", "numeric", names("Country")), *(
        (one["alpha_3"], one["numeric"], names(one["name"])) for one in codes["3166-1"]
    )]  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(";".join(row) for row in rows), encoding="utf-8-sig")


def plain(file: Path, folder: Path) -> Path:
    """Return a file that is not packed, under the same name without ``.gz``."""
    if file.suffix != ".gz":
        return file
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.stem
    with gzip.open(file) as packed, target.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked)
    return target


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
