"""Choose the texts that the teacher labels, of balanced languages and kinds, in random order.

Any first part of the result is a fair sample of it, so labelling can stop at any time.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from .corpus import FEW_TEXTS, PROSE_SOURCES
from .dictionaries import read_entries
from .vocabulary import WORD_LISTS, source_group, word_frequencies

LOG = logging.getLogger(__name__)

# Shares of the tokens. What few pairs carry, the teacher has to.
LANGUAGE_SHARES = {
    "en": 0.17, "ar": 0.12, "zh": 0.11, "ja": 0.075, "es": 0.065, "de": 0.065, "fr": 0.065,
    "ko": 0.055, "it": 0.05, "pt": 0.045,
    "ru": 0.03, "tr": 0.02, "vi": 0.02, "el": 0.02, "hi": 0.02, "th": 0.02, "ro": 0.01,
    "nl": 0.01, "sv": 0.01, "no": 0.01, "pl": 0.01, "id": 0.01,
}  # fmt: skip
KIND_SHARES = {
    "sentences": 0.42, "prose": 0.22, "docs": 0.13, "loose": 0.05, "words": 0.12, "common": 0.06,
}  # fmt: skip
ENGLISH_KIND_SHARES = {
    "glosses": 0.33, "sentences": 0.3, "prose": 0.18, "docs": 0.09, "words": 0.05, "common": 0.05,
}  # fmt: skip
FEW_KIND_SHARES = {"docs": 0.35, "loose": 0.25, "words": 0.15, "common": 0.25}
NO_SPACES = ("zh", "ja")
# Signs a token, about, to turn a budget of tokens into one of signs.
SIGNS = {"zh": 1.6, "ja": 1.8, "ko": 2.2, "ar": 3.4, "th": 2.6, "hi": 3.0, "el": 3.4, "vi": 3.6}

_QUOTED = re.compile(r'"[^"]*"|\[[^\]]*\]|\{[^}]*\}')
_SENSE = re.compile(r"^\s+(?:(?:n|v|adj|adv)\s+)?(?:\d+:\s*|:\s*)")


def kind_of(row: dict[str, str]) -> str:
    """Name the entry of ``KIND_SHARES`` that a pair belongs to."""
    group = source_group(row["source"])
    if group == "tatoeba-anki":
        return "sentences"
    if group == "words":
        return "words"
    if row["source"] in PROSE_SOURCES or row["source"] == "stellarium":
        return "prose"
    return "docs" if row["doc"] else "loose"


def read_glosses(index: Path) -> Iterator[str]:
    """Yield ``word: definition`` for every sense of WordNet in dictd format."""
    for _, (word, *lines) in read_entries(index):
        sense = ""
        for part in lines:
            if _SENSE.match(part):
                if len(sense) > 30:
                    yield f"{word}: {' '.join(_QUOTED.sub(' ', sense).split()).strip(' ;')}"
                sense = _SENSE.sub("", part)
            else:
                sense += " " + part.strip()
        if len(sense) > 30:
            yield f"{word}: {' '.join(_QUOTED.sub(' ', sense).split()).strip(' ;')}"


def read_common(folder: Path, lang: str, rng: random.Random, count: int = 9000) -> Iterator[str]:
    """Yield runs of 5 to 40 words of the general language, frequent ones somewhat more often."""
    code = WORD_LISTS.get(lang, lang)
    paths = [folder / f"{size}_{code}.msgpack.gz" for size in ("large", "small")]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        return
    words = word_frequencies(path, 60_000)
    weights = [frequency**0.35 for frequency in words.values()]
    for _ in range(count):
        run = rng.choices(list(words), weights, k=rng.randint(5, 40))
        yield ("" if lang in NO_SPACES else " ").join(run)


def join(parts: list[str], lang: str, kind: str) -> str:
    """Join pieces of one text: words by commas, sentences by a space or nothing."""
    if kind == "words":
        return ("、" if lang in NO_SPACES else "، " if lang == "ar" else ", ").join(parts)
    return ("" if lang in NO_SPACES else " ").join(parts)


def make_texts(
    runs: list[list[str]], lang: str, kind: str, rng: random.Random
) -> Iterator[tuple[bool, str]]:
    """Yield queries (one piece or two) and documents (a run of pieces, or some random ones)."""
    signs = SIGNS.get(lang, 4.2)
    rng.shuffle(runs)
    for run in runs:
        place = 0
        while place < len(run):
            is_query = rng.random() < (0.55 if kind in ("sentences", "words", "loose") else 0.3)
            most = signs * (rng.uniform(6, 30) if is_query else rng.uniform(30, 200))
            if kind == "words":
                most = min(most, signs * 40)
            parts = [run[place]]
            place += 1
            while place < len(run) and sum(map(len, parts)) + len(run[place]) < most:
                parts.append(run[place])
                place += 1
            yield is_query, join(parts, lang, kind)[: int(signs * 260)]


def read_runs(files: list[Path]) -> dict[tuple[str, str], list[list[str]]]:
    """Return, for each language and kind, the pages' paragraphs in order."""
    runs: dict[tuple[str, str], list[list[str]]] = {}
    seen: set[tuple[str, str]] = set()
    for path in files:
        with path.open(encoding="utf-8") as lines:
            rows = (json.loads(line) for line in lines)
            for _, group in groupby(rows, key=lambda r: (r["lang"], r["source"], r["doc"])):
                pairs = list(group)
                for lang, field in (("en", "en"), (pairs[0]["lang"], "text")):
                    fresh = []
                    for row in pairs:
                        if (lang, row[field]) not in seen:
                            seen.add((lang, row[field]))
                            fresh.append(row[field])
                    if fresh:
                        target = runs.setdefault((lang, kind_of(pairs[0])), [])
                        target.extend([fresh] if pairs[0]["doc"] else [[text] for text in fresh])
    return runs


def regroup(runs: list[list[str]], kind: str, rng: random.Random) -> list[list[str]]:
    """Gather texts of no page into random runs of 1 to 12, words into runs of 6 or 12."""
    sizes = (6, 12) if kind == "words" else (1, 1, 2, 3, 6, 12)
    loose = [text for run in runs for text in run]
    rng.shuffle(loose)
    result, place = [], 0
    while place < len(loose):
        size = rng.choice(sizes)
        result.append(loose[place : place + size])
        place += size
    return result


def choose(
    runs: dict[tuple[str, str], list[list[str]]], budget: float, seed: int
) -> list[dict[str, object]]:
    """Return texts of about ``budget`` tokens in all, shuffled."""
    rng = random.Random(seed)
    chosen: list[dict[str, object]] = []
    for lang, share in LANGUAGE_SHARES.items():
        missing = 0.0
        shares = ENGLISH_KIND_SHARES if lang == "en" else KIND_SHARES
        shares = FEW_KIND_SHARES if lang in FEW_TEXTS else shares
        for kind, part in sorted(shares.items(), key=lambda s: s[0] in ("docs", "words")):
            wanted = budget * share * part + missing
            own = runs.get((lang, kind), [])
            if kind in ("sentences", "words", "loose", "glosses"):
                own = regroup(own, kind, rng)
            taken = 0.0
            for is_query, text in make_texts(own, lang, kind, rng):
                if taken >= wanted:
                    break
                taken += len(text) / SIGNS.get(lang, 4.2) + 2
                chosen.append({"lang": lang, "kind": kind, "is_query": is_query, "text": text})
            missing = wanted - taken
            LOG.info("%s %s: %.0f tokens, %.0f missing", lang, kind, taken, max(missing, 0))
    rng.shuffle(chosen)
    return chosen


def main() -> None:
    """Write ``texts.jsonl``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--wordnet", type=Path, required=True, help="wn.index of dict-wn")
    parser.add_argument("--wordfreq", type=Path, required=True, help="data of the package")
    parser.add_argument("--budget", type=float, default=8e6, help="tokens")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    runs = read_runs(args.pairs)
    runs["en", "glosses"] = [[gloss] for gloss in read_glosses(args.wordnet)]
    rng = random.Random(args.seed)
    for lang in LANGUAGE_SHARES:
        runs[lang, "common"] = [[run] for run in read_common(args.wordfreq, lang, rng)]
    with args.out.open("w", encoding="utf-8") as out:
        for row in choose(runs, args.budget, args.seed):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
