"""What the page says beside its main tables: settings, conditions, and figures of others."""

from __future__ import annotations

from .figures import Figures, show, table


def learned(figures: Figures) -> str:
    """Weights learned from 30 queries, on the rest: means over all pairs where this was done."""
    found = [
        pair["learned"]
        for entry in figures.sets.values()
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
        for name, entry in sorted(figures.words.items())
        if "settings" in entry
    ]
    return table(["set", "tokens", "stop words", "stemmer", "method", "k1", "b"], rows)


def published(figures: Figures) -> str:
    """The vendor's figures of the 350M models."""
    parts = [f"Published: {figures.published['source']}."]
    for title, one in figures.published["tables"].items():
        rows = [[name, *map(show, values)] for name, values in one["models"].items()]
        parts.append(table([title, *one["languages"]], rows))
    return "\n\n".join(parts)


def measured(figures: Figures) -> str:
    """When, on what, and for how long."""
    run = figures.run
    versions = ", ".join(f"{name} {value}" for name, value in run["versions"].items() if value)
    seconds = sum(entry["seconds"] for entry in figures.sets.values())
    machine = run["machine"]
    return (
        f"Model `{run['settings']['model']}`, {len(figures.sets)} indexes, "
        f"{seconds / 60:.0f} minutes in all on {machine['cores']} cores "
        f"of {machine['cpu']}; {versions}; last measured "
        f"{run['measured'][:10]}. Teacher: {figures.teacher['name']}; "
        f"{figures.teacher['how']}."
    )
