"""Read the parallel text and the dictionaries, clean them, and write one ``pairs.jsonl``.

Each line of the result is ``{"lang", "source", "en", "text", "doc"}``: an English text, its
translation, and (where the source tells) a key shared by the paragraphs of one page, in order.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

LOG = logging.getLogger(__name__)

# The first nine are what nano is for; of the others it learns what few texts can teach.
LANGUAGES = (
    "ar", "zh", "fr", "de", "ja", "ko", "es", "it", "pt",
    "ru", "tr", "vi", "el", "hi", "th", "ro", "nl", "sv", "no", "pl", "id",
)  # fmt: skip
FEW_TEXTS = LANGUAGES[9:]
PROSE_SOURCES = frozenset({"debian-handbook", "wesnoth", "tatoeba-anki", "debian-ddtp"})
_NON_LATIN = {
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
    "ja": re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]"),
    "ko": re.compile(r"[\uac00-\ud7af]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "el": re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]"),
    "hi": re.compile(r"[\u0900-\u097f]"),
    "th": re.compile(r"[\u0e00-\u0e7f]"),
}
_LETTER = re.compile(r"[^\W\d_]")
_TAG = re.compile(r"<[^<>]{1,80}>|\{\{[^{}]{1,80}\}\}")
_MARKUP = re.compile(r"[<>{}\[\]\\|=_`$%#*/@~^]")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Pair:
    """An English text and its translation.

    Attributes:
        lang: language of ``text``, a two-letter code.
        source: name of the collection.
        en: the English side.
        text: the other side.
        doc: key of the page or package that the pair belongs to; empty when unknown.
    """

    lang: str
    source: str
    en: str
    text: str
    doc: str


def clean(text: str) -> str:
    """Strip tags and surplus white space."""
    return _SPACE.sub(" ", _TAG.sub(" ", text)).strip()


def is_prose(text: str) -> bool:
    """True for text made mostly of letters: not markup, numbers or code."""
    letters = len(_LETTER.findall(text))
    marks = len(_MARKUP.findall(text))
    return letters >= 2 and letters > 0.5 * len(text.replace(" ", "")) and marks < 0.12 * len(text)


def is_translated(text: str, lang: str) -> bool:
    """False when a text in a non-Latin script is really left in English."""
    pattern = _NON_LATIN.get(lang)
    if pattern is None:
        return True
    return len(pattern.findall(text)) > 0.25 * max(len(_LETTER.findall(text)), 1)


def read_parallel(folder: Path) -> Iterator[Pair]:
    """Yield the raw pairs of every ``<source>.<language>.jsonl.gz`` in ``folder``."""
    for path in sorted(folder.glob("*.jsonl.gz")):
        source, tag = path.name.removesuffix(".jsonl.gz").rsplit(".", 1)
        lang = tag.split("-")[0]
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                doc = row.get("page") or row.get("pkg") or ""
                yield Pair(lang, source, row["en"], row[tag], f"{source}/{doc}" if doc else "")


def deduplicate(pairs: Iterator[Pair]) -> Iterator[Pair]:
    """Clean pairs and drop repeats, untranslated sides, markup and numbers."""
    seen: set[tuple[str, str, str]] = set()
    per_text: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        en, text = clean(pair.en), clean(pair.text)
        key = (pair.lang, en.lower(), text.lower())
        if key in seen or en.lower() == text.lower() or max(len(en), len(text)) > 1600:
            continue
        if not (is_prose(en) and is_prose(text) and is_translated(text, pair.lang)):
            continue
        seen.add(key)
        per_text[pair.lang, en] += 1
        if per_text[pair.lang, en] <= 3:
            yield Pair(pair.lang, pair.source, en, text, pair.doc)


def main() -> None:
    """Write ``pairs.jsonl`` from the parallel folder and, if given, dictionary pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parallel", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="pairs.jsonl")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    counts: Counter[str] = Counter()
    with args.out.open("w", encoding="utf-8") as out:
        for pair in deduplicate(read_parallel(args.parallel)):
            out.write(json.dumps(asdict(pair), ensure_ascii=False) + "\n")
            counts[pair.lang] += 1
    LOG.info("%d pairs: %s", sum(counts.values()), dict(counts))


if __name__ == "__main__":
    main()
