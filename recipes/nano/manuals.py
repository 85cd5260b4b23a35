"""Turn LibreOffice's help pages into pairs: paragraphs of like id on like pages."""

from __future__ import annotations

import argparse
import html
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from .corpus import FEW_TEXTS, Pair, deduplicate

LOG = logging.getLogger(__name__)

_PARAGRAPH = re.compile(r"<(p|h[1-6])\b[^>]*?\bid=\"([^\"]+)\"[^>]*>(.*?)</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


def paragraphs(page: Path) -> dict[str, str]:
    """Return the text of each paragraph of a help page, by its id."""
    found = _PARAGRAPH.findall(page.read_text(encoding="utf-8"))
    return {name: " ".join(html.unescape(_TAG.sub(" ", body)).split()) for _, name, body in found}


def read_help(folder: Path, lang: str) -> Iterator[Pair]:
    """Yield the paragraphs of a language that are translated, page by page."""
    for page in sorted((folder / lang / "text").rglob("*.html")):
        name = page.relative_to(folder / lang)
        english = folder / "en-US" / name
        if english.exists():
            ours = paragraphs(english)
            for key, text in paragraphs(page).items():
                if ours.get(key, text) != text:
                    yield Pair(lang, "libreoffice-help", ours[key], text, f"help/{name}")


def main() -> None:
    """Write ``manuals.jsonl``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--help-pages", type=Path, required=True, help="libreoffice/help")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    counts: Counter[str] = Counter()
    with args.out.open("w", encoding="utf-8") as out:
        pairs = (pair for lang in FEW_TEXTS for pair in read_help(args.help_pages, lang))
        for pair in deduplicate(pairs):
            out.write(json.dumps(asdict(pair), ensure_ascii=False) + "\n")
            counts[pair.lang] += 1
    LOG.info("pairs: %s", dict(counts))


if __name__ == "__main__":
    main()
