"""What the first filter costs, and the first hybrid question after an ``add``.

::

    python -m benchmarks.first_times --texts FILE --scratch DIR --checkout OTHER .

``FILE`` has one JSON object with a ``text`` a line; texts are cut into passages of 120 words, of
which the last are added one by one and asked for by their first words. Indexes are made once by the
code that runs this, and kept in ``DIR``; each checkout (with its own .venv, if any) is measured in
processes of its own, in turns, and the least of its times counts.

Filters: an index of 200,000 passages with a vector each, of which most filters keep half;
``count(where)`` in a process that has asked nothing yet, once more, and after some passages were
added and deleted. Questions: collections of the sizes given, in a process that is warm: p50 and p95
of late and hybrid questions, of the first hybrid one after each ``add`` of a passage, and of the
``add``. Milliseconds, by the clock and of the processors. Writes
``benchmarks/results/first_times.json``, a case a checkout, named by its commit.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..harness import Results, command, say
from ..harness.children import run_child
from ..harness.machine import commit
from .child import Times, least

FILTERED = 200_000
_CHILD = Path(__file__).with_name("child.py")


def main() -> None:
    """Measure each checkout in turns, with a Python of its own, and show all side by side."""
    parser = command(__doc__, "first_times", "scratch", rounds=2, threads=2, model="nano")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--checkout", type=Path, nargs="+", default=[Path()])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1500])
    parser.add_argument("--filtered", type=int, default=FILTERED, help="passages to filter")
    args = parser.parse_args()
    args.scratch.mkdir(parents=True, exist_ok=True)
    folder = args.scratch.resolve()
    shared = {
        "texts": str(args.texts.resolve()), "folder": str(folder), "sizes": args.sizes,
        "filtered": args.filtered, "model": args.model,
    }  # fmt: skip

    def run(checkout: Path, **job: Any) -> dict[str, Any]:
        own = checkout / ".venv" / "bin" / "python"
        python = own if own.exists() else Path(sys.executable)
        base = folder / "job"
        found = run_child(
            python, _CHILD, shared | job | {"checkout": str(checkout)}, base,
            threads=args.threads, timeout=900, variables={"LFM2_COLBERT_KERNELS": "wait"},
        )  # fmt: skip
        if "error" in found:
            sys.exit(f"{checkout}: {found['error']}")
        return found

    run(Path(__file__).resolve().parents[2], do="build")
    indexes = {"filters": f"filtered-{args.filtered}"}
    indexes |= {f"{size} passages": f"{args.model}-{size}" for size in args.sizes}
    results = Results(args.out, sizes=args.sizes, filtered=args.filtered, model=args.model)
    best: dict[str, dict[str, Times]] = {}
    for _ in range(args.rounds):
        for checkout in map(Path.resolve, args.checkout):
            name = commit(checkout) or checkout.name
            say(name)
            for what, index in indexes.items():
                do = "filters" if what == "filters" else "questions"
                times = run(checkout, do=do, index=str(folder / index))["times"]
                known = best.setdefault(name, {}).setdefault(what, {})
                known |= {one: least(known.get(one), now) for one, now in times.items()}
            results.put(name, {"times": best[name]})
    print(table(results.cases))  # noqa: T201 - what it is for


def table(cases: dict[str, dict[str, Any]]) -> str:
    """Render p50 and p95 as Markdown, checkouts side by side."""
    rows = [["p50 / p95 / CPU, ms", *cases], ["---"] * (len(cases) + 1)]
    for what, times in next(iter(cases.values()))["times"].items():
        for one in times:
            found = [case["times"].get(what, {}).get(one) for case in cases.values()]
            shown = [
                ""
                if f is None
                else f"{f['p50_ms']:,.1f} / {f['p95_ms']:,.1f} / {f['cpu_p50_ms']:,.1f}"
                for f in found
            ]
            rows.append([f"{what}, {one}", *shown])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
