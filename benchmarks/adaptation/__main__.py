"""Does adaptation pay, and what does it cost elsewhere? Three sets, three seeds each.

::

    python -m benchmarks.adaptation --data DIR --scratch DIR [--only SET ...] [--model nano]

Half of a set's judged questions train, the other half judges; no passage is on both sides but
where more than half of the questions hang together by their passages. Negatives are mined with
the original model. What is forgotten shows on XQuAD: every tenth question in five languages about
English passages. Writes ``benchmarks/results/adaptation.json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from lfm2_colbert_rag.training.mining import Mining
from lfm2_colbert_rag.training.settings import TrainingSettings

from ..harness import Results, command, say
from .corpora import SETS, read, xquad
from .indexes import Indexed
from .trials import Bench, Trial

BELOW_LEXICAL = 10  # hits of BM25 that are no negatives of titles
SEEDS = (0, 1, 2)


def trials(titles: bool) -> Iterator[tuple[str, Trial]]:
    """Yield what is tried on a set, by name."""
    ways: list[tuple[str, dict[str, Any]]] = [
        ("query", {"method": "query"}),
        ("layers", {"method": "layers"}),
        ("layers, not mixed", {"method": "layers", "mix": 1.0}),
        ("lora", {"method": "lora"}),
        ("head", {"method": "head"}),
    ]
    for name, way in ways:
        yield f"labels {name}", Trial("labels", TrainingSettings(**way), Mining())
    if not titles:
        return
    filtered = Mining(below_lexical=BELOW_LEXICAL)
    for name, way in ways[:2]:
        yield f"titles {name}", Trial("titles", TrainingSettings(**way), filtered)
    unmixed = TrainingSettings(method="layers", mix=1.0)
    yield "titles layers, not mixed, of BM25", Trial("titles", unmixed, Mining(lexical=True))


def show(results: Results) -> None:
    """Print the medians over seeds."""
    table = Table("set, source, method", "late", "p", "unseen", "hybrid", "XQuAD", "p", "CPU s")
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, case in results.cases.items():
        rows.setdefault(name.rpartition(" ")[0], []).append(case)
    for name, cases in rows.items():
        late, unseen, hybrid, left = (
            _median([one[part] for one in cases], "change", "+.3f")
            for part in ("late", "unseen", "hybrid", "forgetting")
        )
        ps = [_median([one[part] for one in cases], "p", ".3f") for part in ("late", "forgetting")]
        seconds = f"{median(one['training']['cpu_seconds'] for one in cases):.0f}"
        table.add_row(name, late, ps[0], unseen, hybrid, left, ps[1], seconds)
    Console().print(table)


def _median(parts: Sequence[dict[str, Any]], name: str, form: str) -> str:
    known = [one[name] for one in parts if one["queries"]]
    return f"{median(known):{form}}" if known else "–"


def main() -> None:
    """Measure what was not measured yet."""
    parser = command(__doc__, "adaptation", "data", "scratch", only=[*SETS], model="nano",
                     again=False)  # fmt: skip
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS, help="of the division")
    parser.add_argument("--ways", nargs="*", default=[""], help="beginnings of what to try")
    args = parser.parse_args()
    args.scratch.mkdir(parents=True, exist_ok=True)
    results = Results(args.out, model=args.model)
    forgetting = xquad(args.data)
    other = Indexed(
        list(forgetting[0].corpus or ()), args.model, args.scratch / "xquad.index", ["late"]
    )
    for name in args.only:
        passages, questions = read(name, args.data)
        own = Indexed(passages, args.model, args.scratch / f"{name}.index")
        bench = Bench(own, questions, other, forgetting, args.scratch)
        for way, trial in trials(SETS[name].titles):
            for seed in args.seeds:
                case = f"{name} {way} {seed}"
                known = case in results.cases and not args.again
                if known or not way.startswith(tuple(args.ways)):
                    continue
                results.put(case, bench.run(trial, seed))
                late, left = (results.cases[case][part] for part in ("late", "forgetting"))
                say(f"{case}: {late['before']} → {late['after']} (p {late['p']}), "
                    f"XQuAD {left['change']:+}")  # fmt: skip
    show(results)


if __name__ == "__main__":
    main()
