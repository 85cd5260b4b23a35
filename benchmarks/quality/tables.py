"""Write the tables of ``docs/quality.md`` and of nano's card from the committed results alone.

::

    python -m benchmarks.quality.tables            # write
    python -m benchmarks.quality.tables --check    # exit code 1 if the page says something else

The page holds prose and, between ``<!-- name -->`` and ``<!-- end -->``, one table each. The model
is the one measured last, unless ``--model`` names the fingerprint of another.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ..harness.machine import ROOT
from .card import BLOCK, CARD, fill_card
from .figures import Figures, best_bold, read, show, table
from .notes import learned, measured, published, settings
from .sets import FAMILY, LITTLE_TRAINED, MONOLINGUAL, TRAINED

PAGE = ROOT / "docs" / "quality.md"
MODES = ("late", "lexical", "hybrid")
WORDS = ("lexical", "bm25s", "bm25s best")


def monolingual(figures: Figures) -> str:
    """Sets of one language, nDCG@10 in every mode; the best of a row is bold."""
    rows = []
    for name, one in MONOLINGUAL.items():
        pair = f"{one.language}→{one.language}"
        entry = figures.sets.get(name)
        size = f"{entry['passages']:,} / {entry['queries']:,}" if entry else "–"
        values = [figures.value(name, pair, system) for system in MODES]
        taught = show(figures.taught(name, pair))
        rows.append([name, size, *best_bold(values), taught, figures.share(name, pair)])
    head = ["set", "passages / queries", *MODES, "teacher", "late / teacher"]
    return table(head, rows)


def words(figures: Figures) -> str:
    """Words alone, on all queries: our leg beside bm25s; the best of a row is bold."""
    rows = []
    names = [*MONOLINGUAL, *(f"{FAMILY}/{language}" for language in TRAINED + LITTLE_TRAINED)]
    for name in names:
        entry = figures.words.get(name, {})
        if "systems" not in entry:
            rows.append([name, *["–"] * 6])
            continue
        values = [entry["systems"][system]["nDCG@10"][0] for system in WORDS]
        against = entry["differences"]["lexical - bm25s best"]
        difference = [f"{against['nDCG@10']:+.3f}", f"{against['p']:.4f}"]
        rows.append([name, f"{entry['queries']:,}", *best_bold(values), *difference])
    return table(["set", "queries", *WORDS, "lexical - best", "p"], rows)


def languages(figures: Figures) -> str:
    """XQuAD by query language: against English passages, and against the same language."""
    rows = []
    for language in TRAINED + LITTLE_TRAINED:
        cells = [language if language in TRAINED else f"{language} (few texts)"]
        for passages in ("en", language):
            name, pair = f"{FAMILY}/{passages}", f"{language}→{passages}"
            cells += [show(figures.value(name, pair, mode)) for mode in MODES]
            cells += [show(figures.taught(name, pair)), figures.share(name, pair)]
        rows.append(cells)
    shown = (*MODES, "teacher", "late / teacher")
    head = ["query", *(f"{m}, English" for m in shown), *(f"{m}, own" for m in shown)]
    return table(head, rows)


def reverse(figures: Figures) -> str:
    """XQuAD: English queries against passages of the languages that nano saw little of."""
    rows = []
    for language in LITTLE_TRAINED:
        name, pair = f"{FAMILY}/{language}", f"en→{language}"
        rows.append([language, *(show(figures.value(name, pair, mode)) for mode in MODES)])
    return table(["passages", *MODES], rows)


def heat_map(figures: Figures, mode: str) -> str:
    """XQuAD: query language × passage language, one mode."""
    rows = [
        [f"**{query}**", *(
            show(figures.value(f"{FAMILY}/{passages}", f"{query}→{passages}", mode))
            for passages in TRAINED
        )]
        for query in TRAINED
    ]  # fmt: skip
    return table([f"{mode}, query ↓ passages →", *TRAINED], rows)


def differences(figures: Figures) -> str:
    """Where two systems differ by more than chance: difference of nDCG@10 and p."""
    rows = []
    for name, one in MONOLINGUAL.items():
        entry = figures.sets.get(name, {}).get("pairs", {})
        found = entry.get(f"{one.language}→{one.language}", {}).get("differences", {})
        for what, values in found.items():
            rows.append([name, what, f"{values['nDCG@10']:+.3f}", f"{values['p']:.4f}"])
    return table(["set", "difference", "nDCG@10", "p"], rows)


BLOCKS: dict[str, Callable[[Figures], str]] = {
    "monolingual": monolingual,
    "words": words,
    "reverse": reverse,
    "learned": learned,
    "languages": languages,
    "map-late": lambda figures: heat_map(figures, "late"),
    "map-lexical": lambda figures: heat_map(figures, "lexical"),
    "map-hybrid": lambda figures: heat_map(figures, "hybrid"),
    "differences": differences,
    "settings": settings,
    "published": published,
    "measured": measured,
}


def fill(page: str, figures: Figures) -> str:
    """Return the page with every block written anew.

    Raises:
        KeyError: the page has a block that there is no table for.
    """
    return BLOCK.sub(lambda match: f"{match[1]}{BLOCKS[match[2]](figures)}\n{match[3]}", page)


def main() -> None:
    """Write or check the page and the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--model", help="fingerprint of a model in the results")
    args = parser.parse_args()
    figures, stale = read(args.model), []
    for path, write in ((PAGE, fill), (CARD, fill_card)):
        text = path.read_text(encoding="utf-8")
        filled = write(text, figures)
        if filled != text:
            stale.append(str(path))
        if not args.check:
            path.write_text(filled, encoding="utf-8")
    if args.check and stale:
        raise SystemExit(f"{', '.join(stale)}: not what the results give.")


if __name__ == "__main__":
    main()
