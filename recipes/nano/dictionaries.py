"""Turn FreeDict (dictd format) and CC-CEDICT dictionaries into pairs for :mod:`corpus`.

Word pairs are short and cover everyday and encyclopaedic words that software text lacks.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from .corpus import LANGUAGES, Pair, deduplicate

LOG = logging.getLogger(__name__)

_CODES = {"ara": "ar", "deu": "de", "eng": "en", "fra": "fr", "ita": "it", "jpn": "ja"}
_CODES |= {"por": "pt", "spa": "es", "rus": "ru", "tur": "tr", "ell": "el", "hin": "hi"}
_CODES |= {"nld": "nl", "swe": "sv", "pol": "pl"}
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_PRONUNCIATION = re.compile(r"\s*/[^/]*/")
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|<[^<>]*>|\{[^{}]*\}|\"[^\"]*\"")
_NUMBER = re.compile(r"^\d+\.\s*")
_SKIPPED = re.compile(r"^\s*(Note|Synonym|Antonym|see|Example|Usage|- )", re.IGNORECASE)
_CEDICT = re.compile(r"^(\S+) (\S+) \[[^\]]*\] /(.*)/\s*$")


def decode_number(number: str) -> int:
    """Return the value of one of dictd's base-64 numbers."""
    value = 0
    for digit in number:
        value = value * 64 + _DIGITS.index(digit)
    return value


def _words(lines: Iterable[str], limit: int) -> list[str]:
    """Return the first ``limit`` short renderings found in the lines of a dictionary entry."""
    found: list[str] = []
    for line in lines:
        if _SKIPPED.match(line):
            continue
        plain = _ASIDE.sub(" ", _PRONUNCIATION.sub("", _NUMBER.sub("", line.strip())))
        for part in re.split(r"[,;،؛/]| - ", plain):
            word = " ".join(part.split())
            if 1 < len(word) <= 60 and word not in found:
                found.append(word)
    return found[:limit]


def read_entries(index: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the headword and the lines of every entry of a dictionary in dictd's format, once.

    Args:
        index: its ``.index`` file; the ``.dict.dz`` lies beside it.
    """
    with gzip.open(index.with_suffix(".dict.dz")) as file:
        body = file.read()
    seen: set[int] = set()
    for line in index.read_text(encoding="utf-8").splitlines():
        headword, offset, length = line.split("\t")[:3]
        start = decode_number(offset)
        if start in seen or headword.startswith("00"):
            continue
        seen.add(start)
        entry = body[start : start + decode_number(length)]
        yield headword, entry.decode("utf-8", "replace").splitlines()


def read_dictd(index: Path) -> Iterator[Pair]:
    """Yield word pairs of one FreeDict dictionary, given its ``.index`` file."""
    source, target = index.stem.removeprefix("freedict-").split("-")
    source, target = _CODES[source], _CODES[target]
    for headword, entry in read_entries(index):
        heads = [headword] if not entry else _words(entry[:1], 1)
        for head in heads:
            for word in _words(entry[1:], 2):
                en, text = (head, word) if source == "en" else (word, head)
                yield Pair(target if source == "en" else source, "freedict", en, text, "")


def read_cedict(path: Path) -> Iterator[Pair]:
    """Yield simplified-Chinese word pairs of a CC-CEDICT file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        match = _CEDICT.match(line)
        if match is None:
            continue
        for word in _words(match[3].split("/"), 2):
            yield Pair("zh", "cc-cedict", word, match[2], "")


def main() -> None:
    """Append dictionary pairs to ``pairs.jsonl``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--freedict", type=Path, help="folder of freedict-*.index and .dict.dz")
    parser.add_argument("--cedict", type=Path, help="the cedict text file")
    parser.add_argument("--out", type=Path, required=True, help="words.jsonl")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sources: list[Iterator[Pair]] = []
    if args.freedict:
        sources += [read_dictd(path) for path in sorted(args.freedict.glob("freedict-*.index"))]
    if args.cedict:
        sources.append(read_cedict(args.cedict))
    counts = dict.fromkeys(LANGUAGES, 0)
    with args.out.open("w", encoding="utf-8") as out:
        for pair in deduplicate(pair for source in sources for pair in source):
            out.write(json.dumps(asdict(pair), ensure_ascii=False) + "\n")
            counts[pair.lang] += 1
    LOG.info("dictionary pairs: %s", counts)


if __name__ == "__main__":
    main()
