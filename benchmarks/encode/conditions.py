"""What was measured of the contenders, and under which conditions."""

from __future__ import annotations

from typing import Any

from ..harness import Results

Entry = dict[str, Any]


def measured(results: Results) -> dict[str, Entry]:
    """Return the contenders that have figures."""
    return {name: one for name, one in results.cases.items() if "error" not in one}


def last_run(results: Results) -> Entry:
    """Return the run that measured the contenders."""
    return results.runs[max(results.runs, key=int)]


def conditions(results: Results) -> str:
    """Say what one must know to read the figures."""
    run = last_run(results)
    settings, machine = run["settings"], run["machine"]
    lengths = settings["document_lengths"]
    flags = ", ".join(flag for flag, there in machine["flags"].items() if there) or "none"
    sentences = [
        f"Model: {settings['model']}. {_where(run)}, {settings['threads']} threads; "
        f"{machine['cpu']} ({machine['cores']} cores, of the vector extensions asked for: "
        f"{flags}).",
        f"Medians of {settings['rounds']} rounds, every contender in a fresh process, in turns; "
        f"{settings['queries']} different queries of 32 positions one at a time; "
        f"{settings['documents']} documents of {lengths['shortest']}–{lengths['longest']} tokens "
        f"(median {lengths['median']}) in one call. {_batches(results)}",
        "Peak memory is the process's high-water mark, mapped files included; the environment is "
        "all of site-packages but pip; the start is that of a second process, caches warm.",
    ]
    notes = {one["environment_note"] for one in results.cases.values()} - {""}
    sentences += sorted(notes)
    quiet = run["quiet"]
    if not quiet["is_quiet"]:
        sentences.insert(
            0,
            f"**Not quiet:** other programs kept {quiet['foreign_cores_median']} cores busy "
            f"(median; at most {quiet['foreign_cores_most']}), so these figures are noise.",
        )
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _where(run: Entry) -> str:
    return run["machine"].get("accelerator") or run["settings"]["device"].upper()


def _batches(results: Results) -> str:
    """Say which batch sizes the peers' figures are from."""
    said = []
    for one in measured(results).values():
        tried = list(one["document_seconds_by_batch"])
        if len(tried) > 1:
            said.append(f"{one['batch']} for {one['label']} (of {', '.join(tried)})")
    return f"Documents in the best batch size: {'; '.join(said)}." if said else ""
