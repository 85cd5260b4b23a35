"""Tokenise the pairs and arrange them as units: a long document, and a query found in it.

A *unit* is a run of pairs, of one page where the source tells and random ones otherwise. Joined,
its sides make an English and a foreign document; one of its pairs makes the query.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from .corpus import LANGUAGES
from .vocabulary import source_group

LOG = logging.getLogger(__name__)

# Most pairs of one language and one kind of source.
CAPS = {"tatoeba-anki": 50_000, "words": 80_000, "page": 24_000, "loose": 6_000}


def kind_of(row: dict[str, str]) -> str:
    """Name the entry of ``CAPS`` that a pair belongs to."""
    group = source_group(row["source"])
    return group if group != "other" else "page" if row["doc"] else "loose"


def select(files: list[Path], seed: int) -> list[dict[str, str]]:
    """Read the pairs, cap each language and kind, and keep pages whole and in order."""
    rng = random.Random(seed)
    buckets: dict[tuple[str, str], list[list[dict[str, str]]]] = {}
    for path in files:
        with path.open(encoding="utf-8") as lines:
            rows = (json.loads(line) for line in lines)
            for doc, run in groupby(rows, key=lambda r: (r["lang"], r["source"], r["doc"])):
                pairs = list(run)
                key = (pairs[0]["lang"], kind_of(pairs[0]))
                runs = [pairs] if doc[2] else [[pair] for pair in pairs]
                buckets.setdefault(key, []).extend(runs)
    chosen: list[dict[str, str]] = []
    for (lang, kind), runs in sorted(buckets.items()):
        rng.shuffle(runs)
        taken = 0
        for run in runs:
            if taken >= CAPS[kind]:
                break
            chosen.extend(run)
            taken += len(run)
        LOG.info("%s %s: %d pairs", lang, kind, taken)
    return chosen


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokenised pairs: flat ids and offsets of each side, language and kind of each pair.

    Attributes:
        ids: for each side (English, other), all ids end to end.
        offsets: for each side, ``(pairs + 1,)``.
        lang: ``(pairs,)`` index into ``LANGUAGES``.
        kind: ``(pairs,)`` index into ``CAPS``.
        doc: ``(pairs,)`` number of the page, -1 for pairs of no page.
    """

    ids: tuple[np.ndarray, np.ndarray]
    offsets: tuple[np.ndarray, np.ndarray]
    lang: np.ndarray
    kind: np.ndarray
    doc: np.ndarray

    @classmethod
    def load(cls, path: Path) -> Tokens:
        """Read ``tokens.npz``."""
        a = np.load(path)
        return cls(
            (a["ids0"], a["ids1"]), (a["offsets0"], a["offsets1"]), a["lang"], a["kind"], a["doc"]
        )

    def text(self, pair: int, side: int) -> np.ndarray:
        """Return the ids of one side of a pair."""
        return self.ids[side][self.offsets[side][pair] : self.offsets[side][pair + 1]]


def tokenise(rows: list[dict[str, str]], tokenizer: Tokenizer, out: Path) -> None:
    """Write ``tokens.npz``."""
    arrays: dict[str, np.ndarray] = {}
    for side, field in enumerate(("en", "text")):
        flat: list[np.ndarray] = []
        for start in range(0, len(rows), 5000):
            texts = [row[field] for row in rows[start : start + 5000]]
            encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
            flat.extend(np.array(e.ids, dtype=np.uint16) for e in encodings)
        arrays[f"ids{side}"] = np.concatenate(flat)
        arrays[f"offsets{side}"] = np.cumsum([0, *map(len, flat)])
    docs = {doc: i for i, doc in enumerate(sorted({r["lang"] + r["doc"] for r in rows}))}
    np.savez(
        out,
        lang=np.array([LANGUAGES.index(row["lang"]) for row in rows], dtype=np.int8),
        kind=np.array([list(CAPS).index(kind_of(row)) for row in rows], dtype=np.int8),
        doc=np.array([docs[r["lang"] + r["doc"]] if r["doc"] else -1 for r in rows]),
        **arrays,
    )
    LOG.info("%d and %d tokens", len(arrays["ids0"]), len(arrays["ids1"]))


def runs_of_pairs(tokens: Tokens, rng: np.random.Generator, kinds: list[str]) -> list[np.ndarray]:
    """Cut the pairs into units of 40 to 220 English tokens, in random order.

    Args:
        tokens: the tokenised pairs.
        rng: source of the lengths and the order.
        kinds: the kinds of ``CAPS`` to use.
    """
    sizes = np.diff(tokens.offsets[0]) + 1
    units: list[np.ndarray] = []
    for kind in (list(CAPS).index(name) for name in kinds):
        for lang in range(len(LANGUAGES)):
            members = np.flatnonzero((tokens.kind == kind) & (tokens.lang == lang))
            if not len(members):
                continue
            if tokens.doc[members[0]] < 0:
                rng.shuffle(members)
            begin, total, target = 0, 0, rng.integers(40, 220)
            for place, pair in enumerate(members):
                new_page = tokens.doc[pair] != tokens.doc[members[begin]]
                if place > begin and (new_page or total + sizes[pair] > target):
                    units.append(members[begin:place])
                    begin, total, target = place, 0, rng.integers(40, 220)
                total += sizes[pair]
            units.append(members[begin:])
    order = rng.permutation(len(units))
    return [units[i] for i in order]


def main() -> None:
    """Write ``tokens.npz``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    tokenizer = Tokenizer.from_file(str(args.tokenizer))
    tokenise(select(args.pairs, args.seed), tokenizer, args.out / "tokens.npz")


if __name__ == "__main__":
    main()
