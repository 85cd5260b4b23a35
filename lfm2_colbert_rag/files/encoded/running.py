"""Source files encoded one after the other, or by workers of a Ray cluster; the same code in both.

Ray gives a file to whichever worker is free, and gives it to another where a machine is lost. All
machines see the files and the outputs under the same paths.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..._support.extras import require
from ...encoder.lazy import require_same_model
from ...errors import ConfigError
from ..records import Odd, SourceFile
from .record import read_record
from .worker import Outcome, Worker

if TYPE_CHECKING:
    from .job import Job

__all__ = ["AUTO", "Cluster", "RayWorker", "encode_files", "encode_files_on_ray", "outcome_of"]

AUTO = "auto"
"""The address of the cluster that this machine belongs to."""


def encode_files(job: Job, sources: Sequence[SourceFile]) -> Iterator[Outcome]:
    """Encode source files in this process.

    Args:
        job: how.
        sources: the files.

    Yields:
        What became of each file, as it is done.

    Raises:
        LFM2ColBERTError: see :meth:`.worker.Worker.encode`; what was made until then stays.

    Example:
        >>> from pathlib import Path
        >>> from .job import Job
        >>> list(encode_files(Job("hash", Path("/data/encoded")), []))
        []
    """
    worker = Worker(job)
    for source in sources:
        yield worker.encode(source)


class RayWorker:
    """A worker as Ray Data calls it: a batch is one source file, given by its place.

    Args:
        job: how.
        sources: the files.
    """

    def __init__(self, job: Job, sources: Sequence[SourceFile]) -> None:
        self._worker = Worker(job)
        self._sources = sources

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Encode the files of a batch, and tell of each what is told of it."""
        places = [int(place) for place in batch["id"]]
        found = [self._worker.encode(self._sources[place]) for place in places]
        return {
            "place": places,
            "made": [one.made for one in found],
            "whole": [one.record is not None for one in found],
            "odd": [json.dumps([asdict(each) for each in one.odd]) for one in found],
        }


@dataclass(frozen=True)
class Cluster:
    """What the workers of a Ray cluster may take.

    Attributes:
        address: of the cluster; ``"auto"`` for the one that this machine belongs to.
        workers: how many at most; None for as many as there is room for.

    Raises:
        ConfigError: fewer than one worker.

    Example:
        >>> Cluster("auto").workers is None
        True
    """

    address: str = AUTO
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"workers must be 1 or more, not {self.workers!r}.")


def encode_files_on_ray(
    job: Job, sources: Sequence[SourceFile], cluster: Cluster
) -> Iterator[Outcome]:
    """Encode source files by the workers of a Ray cluster, each of which holds one encoder.

    Args:
        job: how; each worker takes ``threads`` CPUs, 1 where that is None, and a GPU where the
            device is ``"cuda"``.
        sources: the files.
        cluster: where.

    Yields:
        What became of each file, as it is done.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: there is no such cluster, or no room in it for one worker.
        IndexMismatchError: a machine has another model under this name.
        LFM2ColBERTError: see :meth:`.worker.Worker.encode`; what was made until then stays.

    Example:
        >>> list(encode_files_on_ray(job, sources, Cluster("auto")))  # doctest: +SKIP
    """
    if not sources:
        return
    ray, data = require("ray", extra="ray"), require("ray.data", extra="ray")
    if not ray.is_initialized():
        _join(ray, cluster.address)
    needs = {"num_cpus": job.threads or 1, "num_gpus": 1 if job.device == "cuda" else 0}
    most = cluster.workers or _room(ray, needs)
    # A block is what a machine is given at a time, and gives back as a whole: one file.
    items = [{"id": place} for place in range(len(sources))]
    places = data.from_items(items, override_num_blocks=len(items))
    found = places.map_batches(
        RayWorker,
        fn_constructor_args=(job, list(sources)),
        batch_size=1,
        concurrency=(1, min(most, len(sources))),
        **needs,
    )
    fingerprint = job.recipe()["fingerprint"]
    for row in found.iter_rows():
        outcome = outcome_of(job, sources[row["place"]], row)
        if outcome.record is not None:
            output = job.output(sources[row["place"]])
            require_same_model(output, outcome.record.recipe["fingerprint"], fingerprint)
        yield outcome


def _join(ray: Any, address: str) -> None:
    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster answers at {address!r} ({error}). Start one with 'ray start --head', "
            "or leave --ray out."
        ) from None


def _room(ray: Any, needs: dict[str, int]) -> int:
    """Return how many workers the cluster has room for at this moment.

    Raises:
        ConfigError: it has none for one of them.
    """
    has = ray.cluster_resources()
    known = {"num_cpus": has.get("CPU", 0), "num_gpus": has.get("GPU", 0)}
    room = min(int(known[name] // wanted) for name, wanted in needs.items() if wanted)
    if room < 1:
        raise ConfigError(
            f"a worker takes {needs['num_cpus']} CPUs and {needs['num_gpus']} GPUs, but the whole "
            f"cluster has {known['num_cpus']:.0f} and {known['num_gpus']:.0f}. Name fewer threads, "
            "or another device."
        )
    return room


def outcome_of(job: Job, source: SourceFile, row: dict[str, Any]) -> Outcome:
    """Return what became of a file, of which a worker told a row."""
    odd = tuple(Odd(**one) for one in json.loads(row["odd"]))
    record = read_record(job.output(source)) if row["whole"] else None
    return Outcome(source.name, row["made"], record, odd)
