"""What lies around the judged passages: manuals in ten languages, runs of everyday sentences."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ..harness.corpora import read_lines
from .texts import Text

SENTENCES = "tatoeba-anki"
SENTENCES_SHARE = 0.2  # of what surrounds the judged passages, as of the texts there are
LOCALES = {"pt-pt": "pt", "pt-br": "pt", "pt-BR": "pt", "zh-CN": "zh", "zh-TW": "zh", "zh-tw": "zh",
           "ar-MA": "ar", "de-DE": "de", "es-ES": "es", "fr-FR": "fr", "it-IT": "it", "ja-JP": "ja",
           "ko-KR": "ko"}  # fmt: skip
PARAGRAPHS, RUNS = 16_000, 500  # in all, and in each language, from which is drawn
DENSE = ("zh", "ja", "ko")  # say as much in a third of the characters
LEAST, MOST = 250, 900  # characters of a paragraph, in other languages than those


def surroundings(parallel: Path, draw: random.Random) -> Iterator[Text]:
    """Yield paragraphs of every language, and runs of sentences in their share."""
    by_language, sentences = _read(parallel)
    most = PARAGRAPHS // len(by_language)
    chosen = [one for found in by_language.values() for one in _some(found, most, draw)]
    yield from chosen
    runs = [run for locale, rows in sentences.items() for run in _runs(rows, locale, draw)]
    yield from _some(runs, round(len(chosen) * SENTENCES_SHARE / (1 - SENTENCES_SHARE)), draw)


def _some(texts: list[Text], count: int, draw: random.Random) -> list[Text]:
    return draw.sample(texts, min(count, len(texts)))


@cache
def _read(parallel: Path) -> tuple[dict[str, list[Text]], dict[str, list[str]]]:
    """Return all paragraphs by language, and the single sentences by locale."""
    paragraphs: dict[str, dict[str, Text]] = {}
    sentences: dict[str, list[str]] = {}
    for path in sorted(parallel.glob("*.jsonl.gz")):
        name = path.name.removesuffix(".jsonl.gz")
        source, locale = name.split(".")
        rows = list(read_lines(path))
        if source == SENTENCES:
            sentences[locale] = list(dict.fromkeys(row[locale] for row in rows))
            continue
        for side in (locale, "en"):
            language = LOCALES.get(side, side)
            found = paragraphs.setdefault(language, {})
            found |= {one.text: one for one in _paragraphs(rows, side, language, name)}
    return {name: list(found.values()) for name, found in paragraphs.items()}, sentences


def _paragraphs(
    rows: list[dict[str, Any]], side: str, language: str, source: str
) -> Iterator[Text]:
    """Join what follows one another on a page until it is long enough."""
    shrink = 3 if language in DENSE else 1
    run, page, number = "", None, 0
    for row in rows:
        here = row.get("page") or row.get("pkg")
        if here != page:
            run, page = "", here
        run = f"{run}\n{row[side]}".strip() if here else str(row[side])
        if len(run) * shrink >= LEAST:
            if len(run) * shrink <= MOST:
                yield Text(f"{source}/{side}/{number}", run, language, source.partition(".")[0])
            run, number = "", number + 1


def _runs(sentences: list[str], locale: str, draw: random.Random) -> Iterator[Text]:
    """Join sentences that have nothing to do with one another, a dozen or so."""
    language = LOCALES.get(locale, locale)
    for number in range(RUNS):
        some = draw.sample(sentences, draw.randint(6, 16))
        yield Text(f"{SENTENCES}/{locale}/{number}", " ".join(some), language, SENTENCES)
