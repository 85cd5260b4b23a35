"""The command line of a benchmark: options that mean the same in every one of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results"
PLOTS = RESULTS.with_name("plots")
OPTIONS: dict[str, dict[str, Any]] = {
    "data": {"type": Path, "help": "folder of the judged sets, a folder each"},
    "vectors": {"type": Path, "help": "a vector set of benchmarks.search.vectors"},
    "scratch": {"type": Path, "help": "folder for what is made on the way; indexes are replaced"},
    "model": {"help": "anything load_encoder takes"},
    "only": {"nargs": "*", "help": "names of what to measure, or beginnings of names"},
    "passages": {"type": int, "help": "passages at most"},
    "queries": {"type": int, "help": "queries of a set at most"},
    "threads": {"type": int, "help": "threads that may be used"},
    "rounds": {"type": int, "help": "how often each is measured, in turn"},
    "again": {"action": "store_true", "help": "measure what is there again"},
    "python": {
        "nargs": "*",
        "metavar": "ENVIRONMENT=PATH",
        "help": "interpreters to use in place of environments made here",
    },
    "tiny": {"action": "store_true", "help": "as little as possible: does everything run?"},
}


def command(
    doc: str | None, result: str, *required: str, **defaults: Any
) -> argparse.ArgumentParser:
    """Return a parser; what only one benchmark has, it adds itself.

    Args:
        doc: the docstring of the benchmark.
        result: name of its result file, which ``--out`` changes.
        *required: names of common options that must be given.
        **defaults: common options that need not, and what they are then.

    Example:
        >>> args = command("Counts.", "walks", "data", queries=3).parse_args(["--data", "here"])
        >>> args.data.name, args.queries, args.out.name
        ('here', 3, 'walks.json')
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in required:
        parser.add_argument(f"--{name}", required=True, **OPTIONS[name])
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", default=default, **OPTIONS[name])
    out = RESULTS / f"{result}.json"
    parser.add_argument("--out", type=Path, default=out, help=f"default: results/{result}.json")
    return parser
