"""Run contenders, each in fresh processes, in turn, and again; then take medians."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..harness.children import run_child
from ..harness.environments import Interpreter
from .contenders import Contender
from .texts import Texts

Result = dict[str, Any]

_CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Setting:
    """What all contenders have in common.

    Attributes:
        texts: to encode.
        models: the checkpoint's folder, by layout.
        scratch: for jobs and vectors.
        device: as torch spells it.
        threads: of each contender.
        timeout: seconds that one process may take.
    """

    texts: Texts
    models: Mapping[str, Path]
    scratch: Path
    device: str
    threads: int
    timeout: float


@dataclass
class Runs:
    """What is known of a contender.

    Attributes:
        contender: the contender.
        interpreter: what runs it; None when there is none.
        error: why it cannot be measured.
        probe: the first run, which fills caches and tries batch sizes.
        rounds: the measurements.
    """

    contender: Contender
    interpreter: Interpreter | None = None
    error: str = ""
    probe: Result = field(default_factory=dict)
    rounds: list[Result] = field(default_factory=list)

    def use(self, found: Interpreter | str) -> None:
        """Take an interpreter, or the reason why there is none."""
        if isinstance(found, str):
            self.error = found
        else:
            self.interpreter = found

    @property
    def best_batch(self) -> int | None:
        """The batch size in which documents took least time in the probe."""
        times = self.probe["document_seconds"]
        best = min(times, key=times.__getitem__)
        return None if best == "None" else int(best)


def run_probe(runs: Runs, setting: Setting) -> None:
    """Run a contender for the first time."""
    runs.probe = _run(runs, setting, "probe", runs.contender.batches_on(setting.device))
    runs.error = runs.probe.get("error", "")


def run_round(runs: Runs, setting: Setting) -> None:
    """Measure a contender once."""
    result = _run(runs, setting, "measure", (runs.best_batch,))
    runs.error = result.get("error", "")
    if not runs.error:
        runs.rounds.append(result)


def _run(runs: Runs, setting: Setting, task: str, batches: Sequence[int | None]) -> Result:
    """Run one process to its end and return what it measured."""
    assert runs.interpreter is not None
    contender = runs.contender
    job = {
        "task": task,
        "library": contender.library,
        "backend": contender.backend,
        "dtype": contender.dtype,
        "device": setting.device,
        "threads": setting.threads,
        "model": str(setting.models[contender.layout]),
        "batches": list(batches),
        "exported": str(setting.models[contender.layout]) + f".{contender.backend}",
        "vectors": str(vectors_file(setting, contender)),
        **asdict(setting.texts),
        "spawned": time.monotonic(),
    }
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    return run_child(
        runs.interpreter.python, _CHILD, job, setting.scratch / f"{contender.name}.{task}",
        threads=setting.threads, timeout=setting.timeout,
        variables=offline | {"LFM2_COLBERT_CACHE": str(setting.scratch / "converted")},
    )  # fmt: skip


def vectors_file(setting: Setting, contender: Contender) -> Path:
    """Return the file in which a contender's first vectors are kept."""
    return setting.scratch / f"{contender.name}.vectors.npz"
