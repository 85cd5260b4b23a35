"""Write the tables of ``docs/quality.md`` from the committed results, and from nothing else.

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

from benchmarks.quality.sets import FAMILY, MONOLINGUAL, TRAINED, UNTRAINED

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "quality.md"
SYSTEMS = ("late", "lexical", "hybrid", "bm25s", "bm25s best")
MODES = SYSTEMS[:3]
_BLOCK = re.compile(r"(<!-- ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Model = dict[str, Any]


class Figures:
    """The committed results of one model, the teacher's, and the published ones.

    Args:
        model: the entry of a model in ``quality.json``.
        teacher: ``teacher.json``.
        published: ``published.json``.
    """

    def __init__(self, model: Model, teacher: Model, published: Model) -> None:
        self.model = model
        self.teacher = teacher
        self.published = published

    def value(self, name: str, pair: str, system: str, measure: str = "nDCG@10") -> float | None:
        """Return a mean, or None where it was not measured."""
        systems = self.model["sets"].get(name, {}).get("pairs", {}).get(pair, {}).get("systems", {})
        return systems[system][measure][0] if system in systems else None

    def taught(self, name: str, pair: str, measure: str = "nDCG@10") -> float | None:
        """Return the teacher's figure, or None where it has none."""
        values = self.teacher["sets"].get(name, {}).get(pair)
        return None if values is None else values[self.teacher["measures"].index(measure)]


def monolingual(figures: Figures) -> str:
    """Sets of one language: every system, nDCG@10; the best of a row is bold."""
    rows = []
    for name, one in MONOLINGUAL.items():
        pair = f"{one.language}→{one.language}"
        entry = figures.model["sets"].get(name)
        size = f"{entry['passages']:,} / {entry['queries']:,}" if entry else "–"
        values = [figures.value(name, pair, system) for system in SYSTEMS]
        rows.append([name, size, *_best_bold(values), _show(figures.taught(name, pair))])
    head = ["set", "passages / queries", *SYSTEMS, "teacher"]
    return _table(head, rows)


def languages(figures: Figures) -> str:
    """XQuAD by query language: against English passages, and against the same language."""
    rows = []
    for language in TRAINED + UNTRAINED:
        cells = [language if language in TRAINED else f"{language} (not trained)"]
        for passages in ("en", language):
            name, pair = f"{FAMILY}/{passages}", f"{language}→{passages}"
            systems = MODES if passages == "en" else SYSTEMS
            cells += [_show(figures.value(name, pair, system)) for system in systems]
            cells.append(_show(figures.taught(name, pair)))
        rows.append(cells)
    head = ["query", *(f"{m}, English" for m in (*MODES, "teacher"))]
    head += [f"{s}, own" for s in (*SYSTEMS, "teacher")]
    return _table(head, rows)


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


def settings(figures: Figures) -> str:
    """What bm25s was set to where it did best."""
    rows = []
    for name in sorted(figures.model["sets"]):
        for pair, entry in figures.model["sets"][name]["pairs"].items():
            best = entry.get("bm25s best settings")
            if best is not None:
                rows.append([f"{name} {pair}", *(str(value) for value in best.values())])
    head = ["set", "tokens", "stop words", "stemmer", "method", "k1", "b"]
    return _table(head, rows)


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
    return Figures(models[chosen], _json("teacher"), _json("published"))


def main() -> None:
    """Write or check the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--model", help="fingerprint of a model in the results")
    args = parser.parse_args()
    page = PAGE.read_text(encoding="utf-8")
    filled = fill(page, read(args.model))
    if args.check:
        raise SystemExit(0 if filled == page else f"{PAGE} is not what the results give.")
    PAGE.write_text(filled, encoding="utf-8")


def _json(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


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
