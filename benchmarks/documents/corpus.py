"""A corpus that nobody here wrote: three hundred files of many kinds and languages.

A document that is there in several languages comes in others than those of the questions about it.
"""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from .debian import SEMICOLONS, save_as, unpack, write_countries, write_slides

PACKAGES = (
    "aptitude-doc-cs", "aptitude-doc-fi", "aptitude-doc-nl", "debian-faq-it", "debian-faq-ja",
    "debian-faq-ko", "debian-faq-nl", "debian-faq-pt", "debian-faq-ru", "debian-handbook",
    "debian-history", "debian-policy", "developers-reference-ru", "distro-info-data", "iso-codes",
    "live-manual-pdf", "maint-guide-vi",
)  # fmt: skip
DOC = "usr/share/doc"
# Where files come from, and where they go.
FILES = (
    ("aptitude/fi", f"{DOC}/aptitude/html/fi/*.html"),
    ("aptitude/cs", f"{DOC}/aptitude/html/cs/ld-*.html"),
    ("codes", "usr/share/iso-codes/json/*.json"),
    ("faq", f"{DOC}/debian/FAQ/debian-faq.[jk]*.pdf.gz"),
    ("guide", f"{DOC}/maint-guide-vi/*.pdf"),
    ("history", f"{DOC}/debian-history/docs/project-history.[jl][at].pdf"),
    ("history", f"{DOC}/debian-history/docs/project-history.pt.epub"),
    ("live", f"{DOC}/live-manual/pdf/*.a4.pdf"),
    ("policy", f"{DOC}/debian-policy/[mp]*-policy.txt.gz"),
    ("policy/sources", f"{DOC}/debian-policy/policy.html/_sources/ap-*.rst.txt"),
    ("policy/sources", f"{DOC}/debian-policy/policy.html/_sources/ch-archive.rst.txt"),
    ("reference/ru", "usr/share/developers-reference/ru/*.pdf"),
    ("releases", "usr/share/distro-info/*.csv"),
    *(
        (f"faq/{language}", f"{DOC}/debian/FAQ/{language}/{page}.{language}.html")
        for language in ("it", "ja", "ko", "nl", "pt", "ru")
        for page in ("basic-defs", "kernel", "redistributing")
    ),
)
CHAPTERS = ("case-study", "conclusion", "existing-setup")
ASKED = ("de-DE", "en-US", "es-ES", "fr-FR")  # questions are in these
COUNTRIES = ("el", "vi", "tr")
SIZE = 300


def collect(scratch: Path, folder: Path) -> int:
    """Fill an empty folder with the corpus; return how many files there are."""
    root = unpack(PACKAGES, scratch)
    made = scratch / "made"
    made.mkdir(exist_ok=True)
    for name, pattern in FILES:
        for file in sorted(root.glob(pattern)):
            _copy(file, folder / name / file.name)
    handbook = root / DOC / "debian-handbook/html"
    for file in sorted(handbook.glob("??-??/*.html")):
        if file.stem in CHAPTERS and file.parent.name not in ASKED:
            _copy(file, folder / "handbook" / file.parent.name / file.name)
    for file in _saved(root, made):
        _copy(file, folder / "office" / file.name)
    count = sum(one.is_file() for one in folder.rglob("*"))
    for file in _packages()[: SIZE - count]:
        _copy(file, folder / "python" / "-".join(file.parts[-3:]))
    return sum(one.is_file() for one in folder.rglob("*"))


def _saved(root: Path, made: Path) -> Iterator[Path]:
    """Yield files that LibreOffice saved: texts, sheets and slides."""
    aptitude = root / DOC / "aptitude/html"
    for language, suffix in (("nl", "docx"), ("cs", "rtf"), ("fi", "odt")):
        pages = sorted((aptitude / language).glob("ch0[1-4].html"))
        renamed = [_copy(page, made / f"aptitude-{language}-{page.name}") for page in pages]
        save_as(suffix, renamed, made, "HTML (StarWriter)")
        yield from (made / f"{page.stem}.{suffix}" for page in renamed)
    for number, language in enumerate(COUNTRIES):
        table = made / f"countries-{language}.csv"
        write_countries(root, language, table)
        suffix = ("xlsx", "ods")[number % 2]
        save_as(suffix, [table], made, SEMICOLONS)
        yield made / f"{table.stem}.{suffix}"
    for language, suffix in (("da-DK", "pptx"), ("cs-CZ", "pptx"), ("hr-HR", "odp")):
        deck = made / f"handbook-{language}.fodp"
        write_slides(deck, _outline(root / DOC / "debian-handbook/html" / language))
        save_as(suffix, [deck], made)
        yield made / f"{deck.stem}.{suffix}"


def _outline(folder: Path) -> list[tuple[str, str]]:
    """Return the first paragraph below each heading of a chapter, as slides of a talk."""
    from selectolax.lexbor import LexborHTMLParser

    page = LexborHTMLParser((folder / "existing-setup.html").read_bytes())
    slides, title = [], ""
    for node in page.css("h1.title, h2.title, h3.title, h4.title, div.para"):
        text = " ".join(node.text().split())
        if node.tag != "div":
            title = text
        elif title:
            slides.append((title, text))
            title = ""
    return slides


def _packages() -> list[Path]:
    """Return texts of the Python packages that are installed: what each says of itself."""
    site = Path(sysconfig.get_path("purelib"))
    found = [*site.glob("*/**/*.md"), *site.glob("*/**/*.rst"), *site.glob("*.dist-info/**/*.txt")]
    named = {"-".join(file.parts[-3:]): file for file in found if file.stat().st_size > 150}
    return sorted(named.values(), key=lambda file: (file.suffix == ".txt", file.stat().st_size))


def _copy(file: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return target
