"""Write the tables of ``docs/quality.md`` and of nano's card from the committed results alone.

::

    python -m benchmarks.quality.tables            # write
    python -m benchmarks.quality.tables --check    # exit code 1 if the page says something else

The page holds prose and, between ``<!-- name -->`` and ``<!-- end -->``, one table each. The model
is the one measured last, unless ``--model`` names the fingerprint of another.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.sets import FAMILY, LITTLE_TRAINED, MONOLINGUAL, TRAINED

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "quality.md"
CARD = ROOT / "lfm2_colbert_rag" / "encoder" / "models" / "nano" / "README.md"
MODES = ("late", "lexical", "hybrid")
WORDS = ("lexical", "bm25s", "bm25s best")
_BLOCK = re.compile(r"(<!-- ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Model = dict[str, Any]


class Figures:
    """The committed results of one model, of words, the teacher's, and the published ones.

    Args:
        model: the entry of a model in ``quality.json``.
        teacher: ``teacher.json``.
        published: ``published.json``.
        words: ``words.json``.
    """

    def __init__(self, model: Model, teacher: Model, published: Model, words: Model) -> None:
        self.model = model
        self.teacher = teacher
        self.published = published
        self.words = words

    def value(self, name: str, pair: str, system: str, measure: str = "nDCG@10") -> float | None:
        """Return a mean, or None where it was not measured."""
        systems = self.model["sets"].get(name, {}).get("pairs", {}).get(pair, {}).get("systems", {})
        return systems[system][measure][0] if system in systems else None

    def taught(self, name: str, pair: str, measure: str = "nDCG@10") -> float | None:
        """Return the teacher's figure, or None where it has none."""
        values = self.teacher["sets"].get(name, {}).get(pair)
        return None if values is None else values[self.teacher["measures"].index(measure)]

    def share(self, name: str, pair: str) -> str:
        """Return how much of the teacher's figure late interaction reaches."""
        late, taught = self.value(name, pair, "late"), self.taught(name, pair)
        return "–" if late is None or taught is None else f"{late / taught:.2f}"


def monolingual(figures: Figures) -> str:
    """Sets of one language, nDCG@10 in every mode; the best of a row is bold."""
    rows = []
    for name, one in MONOLINGUAL.items():
        pair = f"{one.language}→{one.language}"
        entry = figures.model["sets"].get(name)
        size = f"{entry['passages']:,} / {entry['queries']:,}" if entry else "–"
        values = [figures.value(name, pair, system) for system in MODES]
        taught = _show(figures.taught(name, pair))
        rows.append([name, size, *_best_bold(values), taught, figures.share(name, pair)])
    head = ["set", "passages / queries", *MODES, "teacher", "late / teacher"]
    return _table(head, rows)


def words(figures: Figures) -> str:
    """Words alone, on all queries: our leg beside bm25s; the best of a row is bold."""
    rows = []
    names = [*MONOLINGUAL, *(f"{FAMILY}/{language}" for language in TRAINED + LITTLE_TRAINED)]
    for name in names:
        entry = figures.words["sets"].get(name, {})
        if "systems" not in entry:
            rows.append([name, *["–"] * 6])
            continue
        values = [entry["systems"][system]["nDCG@10"][0] for system in WORDS]
        against = entry["differences"]["lexical - bm25s best"]
        difference = [f"{against['nDCG@10']:+.3f}", f"{against['p']:.4f}"]
        rows.append([name, f"{entry['queries']:,}", *_best_bold(values), *difference])
    return _table(["set", "queries", *WORDS, "lexical - best", "p"], rows)


def languages(figures: Figures) -> str:
    """XQuAD by query language: against English passages, and against the same language."""
    rows = []
    for language in TRAINED + LITTLE_TRAINED:
        cells = [language if language in TRAINED else f"{language} (few texts)"]
        for passages in ("en", language):
            name, pair = f"{FAMILY}/{passages}", f"{language}→{passages}"
            cells += [_show(figures.value(name, pair, mode)) for mode in MODES]
            cells += [_show(figures.taught(name, pair)), figures.share(name, pair)]
        rows.append(cells)
    shown = (*MODES, "teacher", "late / teacher")
    head = ["query", *(f"{m}, English" for m in shown), *(f"{m}, own" for m in shown)]
    return _table(head, rows)


def reverse(figures: Figures) -> str:
    """XQuAD: English queries against passages of the languages that nano saw little of."""
    rows = []
    for language in LITTLE_TRAINED:
        name, pair = f"{FAMILY}/{language}", f"en→{language}"
        rows.append([language, *(_show(figures.value(name, pair, mode)) for mode in MODES)])
    return _table(["passages", *MODES], rows)


def heat_map(figures: Figures, mode: str) -> str:
    """XQuAD: query language × passage language, one mode."""
    rows = [
        [f"**{query}**", *(
            _show(figures.value(f"{FAMILY}/{passages}", f"{query}→{passages}", mode))
            for passages in TRAINED
        )]
        for query in TRAINED
    ]  # fmt: skip
    return _table([f"{mode}, query ↓ passages →", *TRAINED], rows)


def differences(figures: Figures) -> str:
    """Where two systems differ by more than chance: difference of nDCG@10 and p."""
    rows = []
    for name, one in MONOLINGUAL.items():
        entry = figures.model["sets"].get(name, {}).get("pairs", {})
        found = entry.get(f"{one.language}→{one.language}", {}).get("differences", {})
        for what, values in found.items():
            rows.append([name, what, f"{values['nDCG@10']:+.3f}", f"{values['p']:.4f}"])
    return _table(["set", "difference", "nDCG@10", "p"], rows)


def learned(figures: Figures) -> str:
    """Weights learned from 30 queries, on the rest: means over all pairs where this was done."""
    found = [
        pair["learned"]
        for entry in figures.model["sets"].values()
        for pair in entry["pairs"].values()
        if pair.get("learned")
    ]
    if not found:
        return "Not measured yet."
    default, rest = (sum(one[key] for one in found) / len(found) for key in ("default", "learned"))
    return (
        f"Over {len(found)} pairs of queries and passages: {default:.4f} by default, {rest:.4f} "
        "by weights learned from 30 queries, both on the queries that were left out."
    )


def settings(figures: Figures) -> str:
    """What bm25s was set to where it did best."""
    rows = [
        [name, *(str(value) for part in entry["settings"].values() for value in part.values())]
        for name, entry in sorted(figures.words["sets"].items())
        if "settings" in entry
    ]
    return _table(["set", "tokens", "stop words", "stemmer", "method", "k1", "b"], rows)


def published(figures: Figures) -> str:
    """The vendor's figures of the 350M models."""
    parts = [f"Published: {figures.published['source']}."]
    for title, table in figures.published["tables"].items():
        rows = [[name, *map(_show, values)] for name, values in table["models"].items()]
        parts.append(_table([title, *table["languages"]], rows))
    return "\n\n".join(parts)


def measured(figures: Figures) -> str:
    """When, on what, and for how long."""
    model = figures.model
    versions = ", ".join(f"{name} {value}" for name, value in model["versions"].items() if value)
    seconds = sum(entry["seconds"] for entry in model["sets"].values())
    machine = model["machine"]
    return (
        f"Model `{model['model']}`, {len(model['sets'])} indexes, {seconds / 60:.0f} minutes in "
        f"all on {machine['cores']} cores of {machine['cpu']}; {versions}; last measured "
        f"{model['measured'][:10]}. Teacher: {figures.teacher['name']}; "
        f"{figures.teacher['how']}."
    )


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
    return _BLOCK.sub(lambda match: f"{match[1]}{BLOCKS[match[2]](figures)}\n{match[3]}", page)


def read(fingerprint: str | None = None) -> Figures:
    """Read the committed results; of the model measured last where none is named."""
    models = _json("quality")["models"]
    chosen = fingerprint or max(models, key=lambda name: models[name].get("measured", ""))
    return Figures(models[chosen], _json("teacher"), _json("published"), _json("words"))


def card_tables(figures: Figures) -> dict[str, str] | None:
    """Return the tables of the card; None where some of their figures were not measured."""
    across = [
        [
            language if language in TRAINED else f"{language} (few texts)",
            *(
                _both(figures, f"{FAMILY}/{passages}", f"{language}→{passages}")
                for passages in ("en", language)
            ),
        ]
        for language in TRAINED + LITTLE_TRAINED
    ]
    alike = []
    for name, one in MONOLINGUAL.items():
        entry = figures.model["sets"].get(name, {"passages": 0, "queries": 0})
        size = f"{entry['passages']:,} / {entry['queries']:,}"
        pair = f"{one.language}→{one.language}"
        alike.append([name, one.language, size, _both(figures, name, pair)])
    if any("–" in cell for row in across + alike for cell in row):
        return None
    head = ["query language", "English passages", "passages in the same language"]
    measured = ["collection", "language", "passages / queries", "nDCG@10 / recall@10"]
    return {"xquad": _table(head, across), "mono": _table(measured, alike)}


def fill_card(card: str, figures: Figures) -> str:
    """Return the card with its tables written anew; as it is where figures are missing."""
    tables = card_tables(figures)
    if tables is None:
        return card
    return _BLOCK.sub(lambda match: f"{match[1]}{tables[match[2]]}\n{match[3]}", card)


def main() -> None:
    """Write or check the page and the card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
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


def _json(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def _both(figures: Figures, name: str, pair: str) -> str:
    values = (figures.value(name, pair, "late", measure) for measure in ("nDCG@10", "R@10"))
    return " / ".join(map(_show, values))


def _show(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _best_bold(values: Sequence[float | None]) -> list[str]:
    best = max((value for value in values if value is not None), default=None)
    return [
        f"**{_show(value)}**" if value is not None and value == best else _show(value)
        for value in values
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


if __name__ == "__main__":
    main()
