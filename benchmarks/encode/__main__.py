"""Measure all contenders side by side, and write the result.

::

    python -m benchmarks.encode --scratch DIR

Environments and checkpoints are made in ``DIR`` when they are not there yet, in about 12 GB. Writes
``benchmarks/results/encode.json``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..harness import Busy, Results, command, in_turn, say
from ..harness.environments import interpreters
from ..harness.machine import load_average
from .checkpoints import TINY, Shape, write_checkpoints
from .contenders import CONTENDERS, ENVIRONMENTS, TORCH
from .figures import entry
from .rounds import Runs, Setting, run_probe, run_round
from .texts import make_texts

TOKENIZER = Path("../shared/data/lfm2_reference/tokenizer.json")
_QUIET = 0.15  # cores that others may keep busy
# Questions one at a time, questions in one call, documents.
_COUNTS = {"tiny": (4, 4, 8), "cpu": (40, 0, 64), "cuda": (100, 1000, 2000)}


def main() -> None:
    """Run the benchmark."""
    args = _arguments()
    before = Busy.now()
    time.sleep(0.2 if args.tiny else 5)
    foreign, load = before.foreign(0.0), load_average()
    if foreign > _QUIET:
        said = f"Others keep {foreign} cores busy (load average {load})"
        if not (args.busy_ok or args.tiny):
            sys.exit(f"{said}: figures would be noise. Wait, or say --busy-ok.")
        say(f"{said}: the figures are no more than a sign of life.")
    setting = _setting(args)
    named = (one for one in CONTENDERS if one.name.startswith(tuple(args.only or ("",))))
    runs = [Runs(one) for one in named if args.device == "cpu" or one.cuda]
    wanted = [ENVIRONMENTS[one.contender.environment] for one in runs]
    folder = (args.envs or args.scratch / "envs").resolve()
    pythons = interpreters(wanted, folder, args.torch, args.python)
    for one in runs:
        one.use(pythons[one.contender.environment])
    _measure(runs, setting, args.rounds)
    rounds = [each for one in runs for each in one.rounds]
    shares = [each["foreign_cores"] for each in rounds] or [foreign]
    usual = statistics.median(shares)
    results = Results(args.out, **_settings(args, setting))
    results.run["quiet"] = {
        "foreign_cores_before": foreign,
        "load_average_before": load,
        "foreign_cores_median": usual,
        "foreign_cores_most": max(shares),
        "is_quiet": max(foreign, usual) <= _QUIET,
    }
    if rounds and "device_name" in rounds[0]:
        results.run["machine"]["accelerator"] = rounds[0]["device_name"]
    for one in runs:
        results.put(one.contender.name, entry(one, setting))
    say(f"Written: {args.out}")


def _arguments() -> argparse.Namespace:
    parser = command(__doc__, "encode", "scratch", threads=2, rounds=2, queries=None, only=None,
                     python=[], tiny=False)  # fmt: skip
    parser.add_argument("--envs", type=Path, help="of the environments; default: SCRATCH/envs")
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER, help="tokenizer.json of LFM2")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for torch in bfloat16")
    parser.add_argument("--documents", type=int, help="number of documents")
    parser.add_argument("--torch", default=TORCH, help="requirement of torch everywhere")
    parser.add_argument("--busy-ok", action="store_true", help="though the machine is busy")
    parser.add_argument("--timeout", type=float, default=1500, help="seconds for one process")
    args = parser.parse_args()
    if args.out == parser.get_default("out"):  # each device has a file of its own
        kind = "" if args.device == "cpu" else "_" + args.device.partition(":")[0]
        args.out = args.out.with_stem(f"encode{kind}{'_tiny' if args.tiny else ''}")
    return args


def _setting(args: argparse.Namespace) -> Setting:
    """Write the checkpoints and make the texts."""
    scratch = args.scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    if not (args.tiny or args.tokenizer.exists()):
        sys.exit(f"No {args.tokenizer}: name the tokenizer.json of an LFM2 model by --tokenizer.")
    models = write_checkpoints(
        scratch / "models" / ("tiny" if args.tiny else "350m"),
        TINY if args.tiny else Shape(),
        None if args.tiny else args.tokenizer,
    )
    tokenizer = Tokenizer.from_file(str(models["pylate"] / "tokenizer.json"))
    queries, bulk, documents = _COUNTS["tiny" if args.tiny else args.device.partition(":")[0]]
    texts = make_texts(
        # The marker is one more position.
        lambda text: 1 + len(tokenizer.encode(text).ids),
        args.queries or queries,
        bulk,
        args.documents or documents,
    )
    return Setting(texts, models, scratch, args.device, args.threads, args.timeout)


def _settings(args: argparse.Namespace, setting: Setting) -> dict[str, Any]:
    texts = setting.texts
    shortest, median, longest = texts.lengths
    shape = "tiny" if args.tiny else "LFM2-ColBERT-350M"
    return {
        "model": f"random weights of the {shape} shape",
        "device": args.device,
        "threads": args.threads,
        "rounds": args.rounds,
        "queries": len(texts.queries),
        "queries_in_one_call": len(texts.bulk_queries),
        "documents": len(texts.documents),
        "document_tokens": texts.tokens,
        "document_lengths": {"shortest": shortest, "median": median, "longest": longest},
    }


def _measure(runs: Sequence[Runs], setting: Setting, rounds: int) -> None:
    """Probe everybody, then go round."""
    for one in runs:
        if not one.error:
            say(f"probe {one.contender.name}")
            run_probe(one, setting)
        if one.error:
            say(f"{one.contender.name}: {one.error}")
    for number, one in in_turn(runs, rounds):
        if not one.error:
            say(f"round {number + 1} {one.contender.name}")
            run_round(one, setting)


if __name__ == "__main__":
    main()
