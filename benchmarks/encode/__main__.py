"""Measure all contenders side by side, and write the result.

::

    python -m benchmarks.encode --scratch DIR

Environments and checkpoints are made in ``DIR`` when they are not there yet, in about 12 GB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console
from tokenizers import Tokenizer

from . import machine
from .checkpoints import TINY, Shape, write_checkpoints
from .contenders import CONTENDERS, ENVIRONMENTS, TORCH, Contender
from .environments import EnvironmentFailedError, Interpreter, make
from .rounds import Runs, Setting, agreement, run_probe, run_round, summary, vectors_file
from .texts import make_texts

RESULTS = Path(__file__).resolve().parents[1] / "results"
TOKENIZER = Path("../shared/data/lfm2_reference/tokenizer.json")
_REFERENCE = "pylate-float32"
_QUIET = 0.15  # cores that others may keep busy
# Questions one at a time, questions in one call, documents.
_COUNTS = {"tiny": (4, 4, 8), "cpu": (40, 0, 64), "cuda": (100, 1000, 2000)}

_ARGUMENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--scratch", {"type": Path, "required": True, "help": "folder for checkpoints and jobs"}),
    ("--envs", {"type": Path, "help": "folder of the environments; default: SCRATCH/envs"}),
    ("--tokenizer", {"type": Path, "default": TOKENIZER, "help": "tokenizer.json of LFM2"}),
    ("--device", {"default": "cpu", "help": "cpu, or cuda for torch in bfloat16"}),
    ("--threads", {"type": int, "default": 2}),
    ("--rounds", {"type": int, "default": 2}),
    ("--queries", {"type": int, "help": "number of questions asked one at a time"}),
    ("--documents", {"type": int, "help": "number of documents"}),
    ("--only", {"nargs": "*", "help": "names of contenders, or beginnings of names"}),
    ("--python", {"nargs": "*", "default": [], "metavar": "ENVIRONMENT=PATH",
                  "help": "interpreters to use in place of environments made here"}),
    ("--torch", {"default": TORCH, "help": "requirement of torch in every environment"}),
    ("--tiny", {"action": "store_true", "help": "tiny model, few texts: does everything run?"}),
    ("--busy-ok", {"action": "store_true", "help": "measure though the machine is busy"}),
    ("--timeout", {"type": float, "default": 1500, "help": "seconds for one process"}),
    ("--out", {"type": Path, "help": "default: results/encode.json beside this package"}),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for name, options in _ARGUMENTS:
        parser.add_argument(name, **options)
    args = parser.parse_args(arguments)
    console = Console(stderr=True)
    foreign, load = machine.foreign_cores(0.2 if args.tiny else 5), machine.load_average()
    if foreign > _QUIET:
        said = f"Others keep {foreign} cores busy (load average {load})"
        if not (args.busy_ok or args.tiny):
            sys.exit(f"{said}: figures would be noise. Wait, or say --busy-ok.")
        console.print(f"[yellow]{said}: the figures are no more than a sign of life.")
    setting = _setting(args)
    runs = [Runs(contender) for contender in _chosen(args)]
    report: dict[str, Any] = {
        "measured": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "quiet": {"foreign_cores_before": foreign, "load_average_before": load},
        "settings": _settings(args, setting),
    }
    _prepare(runs, args, console)
    _measure(runs, setting, args.rounds, console)
    report["contenders"] = {one.contender.name: _entry(one, setting) for one in runs}
    rounds = [each for one in runs for each in one.rounds]
    shares = [each["foreign_cores"] for each in rounds]
    usual = statistics.median(shares) if shares else foreign
    report["quiet"] |= {
        "foreign_cores_median": usual,
        "foreign_cores_most": max(shares, default=foreign),
        "is_quiet": max(foreign, usual) <= _QUIET,
    }
    if rounds and "device_name" in rounds[0]:
        report["machine"]["accelerator"] = rounds[0]["device_name"]
    out = args.out or RESULTS / _file_name(args)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(f"Written: {out}")


def _file_name(args: argparse.Namespace) -> str:
    kind = "" if args.device == "cpu" else "_" + args.device.partition(":")[0]
    return f"encode{kind}{'_tiny' if args.tiny else ''}.json"


def _chosen(args: argparse.Namespace) -> list[Contender]:
    wanted = tuple(args.only or ("",))
    return [
        contender
        for contender in CONTENDERS
        if contender.name.startswith(wanted) and (args.device == "cpu" or contender.cuda)
    ]


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


def _prepare(runs: Sequence[Runs], args: argparse.Namespace, console: Console) -> None:
    """Make the environments that are asked for."""
    given = dict(pair.split("=", 1) for pair in args.python)
    made: dict[str, Interpreter | str] = {
        name: Interpreter(Path(path), None) for name, path in given.items()
    }
    for one in runs:
        name = one.contender.environment
        if name not in made:
            console.print(f"environment {name}")
            try:
                folder = (args.envs or args.scratch / "envs").resolve()
                made[name] = make(ENVIRONMENTS[name], folder, args.torch)
            except EnvironmentFailedError as error:
                made[name] = str(error)
        found = made[name]
        if isinstance(found, str):
            one.error = found
        else:
            one.interpreter = found


def _measure(runs: Sequence[Runs], setting: Setting, rounds: int, console: Console) -> None:
    """Probe everybody, then go round; every other round goes backwards."""
    for one in runs:
        if not one.error:
            console.print(f"probe {one.contender.name}")
            run_probe(one, setting)
        if one.error:
            console.print(f"{one.contender.name}: {one.error}", style="red", markup=False)
    for number in range(rounds):
        for one in runs[:: -1 if number % 2 else 1]:
            if not one.error:
                console.print(f"round {number + 1} {one.contender.name}")
                run_round(one, setting)


def _entry(one: Runs, setting: Setting) -> dict[str, Any]:
    """Return what the result says of a contender."""
    contender = one.contender
    entry: dict[str, Any] = {
        "label": contender.label,
        "library": contender.library,
        "backend": contender.backend,
        "dtype": contender.dtype,
        "environment": contender.environment,
        "environment_mb": one.interpreter and one.interpreter.size_mb,
        "environment_note": ENVIRONMENTS[contender.environment].note,
        "versions": one.probe.get("versions", {}),
    }
    if one.error:
        return entry | {"error": one.error}
    reference = next(c for c in CONTENDERS if c.name == _REFERENCE)
    return entry | {
        "batch": one.best_batch,
        "document_seconds_by_batch": one.probe["document_seconds"],
        "agreement_with_pylate_float32": agreement(
            vectors_file(setting, contender), vectors_file(setting, reference)
        ),
        **summary(one, setting),
        "rounds": one.rounds,
    }


if __name__ == "__main__":
    main()
