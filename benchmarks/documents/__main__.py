"""Which library reads documents best: right words in the right order, pages, time, size.

Over documents of Debian's packages, of which there is a text as well, written by the program that
wrote the document or, for those of LibreOffice, by it::

    python -m benchmarks.documents --scratch DIR [--only .pdf .html]

The contenders must be installed (``pip install pypdf pdfminer.six pdfplumber lxml beautifulsoup4
trafilatura inscriptis docx2txt mammoth python-calamine odfdo odfpy``); those that are not are left
out. Agreement is F1 over pairs of adjacent words, a Han character or kana being a word, so that
words left out, added, broken or out of order all count.

Writes ``benchmarks/results/documents.json``.
"""

from __future__ import annotations

import itertools
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ..harness import Results, command, say
from .contenders import KINDS, Contender
from .debian import SEMICOLONS, plain, save_as, unpack, write_countries

PACKAGES = (
    "debian-faq-ru", "debian-policy", "debmake-doc", "live-manual-epub", "live-manual-html",
    "live-manual-odf", "live-manual-txt", "maint-guide", "maint-guide-ca", "maint-guide-es",
    "maint-guide-ru", "maint-guide-vi", "maint-guide-zh-tw", "iso-codes",
)  # fmt: skip
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)
LANGUAGES = ("de", "es", "fr", "ja", "pl")


def documents(kind: str, scratch: Path) -> Iterator[tuple[Path, Path]]:
    """Yield documents of a kind, each with its text."""
    unpacked = unpack(PACKAGES, scratch)
    root = unpacked / "usr/share/doc"
    texts, made = scratch / "texts", scratch / "compared"
    if kind == ".pdf":
        files = [*sorted(root.glob("maint-guide*/*.pdf")), root / "debian/FAQ/debian-faq.ru.pdf.gz"]
        for file in files:
            text = (
                root / file.parent / f"{file.name.removesuffix('.gz').removesuffix('.pdf')}.txt.gz"
            )
            yield plain(file, texts), plain(text, texts)
        return
    for language in LANGUAGES:
        if kind == ".xlsx":
            table = made / f"{language}.csv"
            write_countries(unpacked, language, table)
            save_as("xlsx", [table], made, SEMICOLONS)
            yield table.with_suffix(".xlsx"), table
            continue
        name = f"live-manual.{language}"
        text = plain(root / f"live-manual/txt/{name}.txt.gz", texts)
        if kind in (".html", ".epub"):
            yield root / f"live-manual/{kind[1:]}/{name}{kind}", text
            continue
        odt = root / f"live-manual/odt/{name}.odt"
        save_as("txt", [odt], made)
        if kind == ".docx":
            save_as("docx", [odt], made)
        yield (made / f"{name}.docx" if kind == ".docx" else odt), made / f"{name}.txt"


def pairs(text: str) -> Counter[tuple[str, str]]:
    """Count pairs of adjacent words."""
    words = _WORD.findall(unicodedata.normalize("NFC", text).casefold())
    return Counter(itertools.pairwise(words))


def judge(read: Contender, files: list[tuple[Path, Path]]) -> dict[str, object] | None:
    """Return how well and how fast a contender reads; None where it is not installed."""
    same = said = wanted = parts = 0
    seconds = 0.0
    for file, text in files:
        began = time.process_time()
        try:
            found = list(read(file))
        except ModuleNotFoundError:
            return None
        seconds += time.process_time() - began
        one, other = pairs("\n".join(found)), pairs(text.read_text("utf-8", "replace"))
        same += (one & other).total()
        said, wanted, parts = said + one.total(), wanted + other.total(), parts + len(found)
    return {
        "agreement": round(2 * same / (said + wanted), 4),
        "recall": round(same / wanted, 4),
        "seconds": round(seconds, 2),
        "parts": parts,
        "files": len(files),
    }


def about(name: str) -> dict[str, object]:
    """Return version, licence and size of a distribution alone, without what it needs."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return {}
    size = sum(file.size or 0 for file in found.files or ())
    licence = found.metadata.get("License-Expression") or found.metadata.get("License") or ""
    needs = [one.split(";")[0] for one in found.requires or () if "extra ==" not in one]
    return {"version": found.version, "licence": licence[:40], "kb": size // 1024, "needs": needs}


def main() -> None:
    """Measure, and write the results."""
    args = command(__doc__, "documents", "scratch", only=None).parse_args()
    results = Results(args.out)
    for kind, contenders in KINDS.items():
        if args.only and kind not in args.only:
            continue
        files = list(documents(kind, args.scratch))
        for read, name in contenders.items():
            if figures := judge(read, files):
                case = f"{kind} {name or read.__name__}"
                results.put(case, {**figures, **(about(name) if name else {})})
                say(case, figures)


if __name__ == "__main__":
    main()
