"""What a collection needs on the machines of a vector database: disk, memory, machines, work.

Bytes a token and a passage are what Qdrant's engine took for 20,000 passages of 98 tokens in twelve
languages, 128 dimensions, and were not measured on a cluster: a plan to order machines by, not a
promise. Everything else is arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import ConfigError

__all__ = ["PRECISIONS", "Capacity", "Machine", "Precision", "Workload", "estimate"]

# Bytes a passage, whatever the precision of its tokens: the sparse vector of its centroids with the
# index of it, the mean of its vectors in float16, the graph over the means, text and payload.
CENTROIDS, MEAN, GRAPH, PAYLOAD = 1_114, 256, 60, 600
# The sparse vector of all its terms, where they are kept: 260 terms a passage.
TERMS = 4_700
# Bytes a passage that stay in memory: its mean, the graph, and the lists of the centroids.
LISTS = 250
# An engine writes segments anew while it serves the old ones.
HEADROOM = 1.5
# Of a machine's memory, what may be taken for good; the rest caches token vectors.
PINNED = 0.5
# Postings read for a query, as a share of a shard's passages, by the centroids probed for each of
# its vectors.
POSTINGS = {4: 0.12, 16: 0.48, 64: 1.8}
LEAST_MACHINES = 3
"""A cluster agrees by a majority, which two machines have only as long as both run."""
PASSAGES_A_SHARD = 10_000_000
LEAST_CANDIDATES, SPARE_CANDIDATES = 16, 1.5
QUERY_VECTORS, DIM = 18, 128
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Precision:
    """How a database keeps token vectors.

    Attributes:
        name: for people.
        bytes: of a token, overheads of the engine included.
        note: what it costs in quality.
    """

    name: str
    bytes: int
    note: str


PRECISIONS = (
    Precision("float16", 256, "as an index of our own keeps them"),
    Precision("turbo8", 132, "recall@10 .992 of float16's"),
    Precision("turbo4", 68, "recall@10 .954 of float16's: not advised"),
)
"""The precisions that are compared."""


@dataclass(frozen=True)
class Machine:
    """One machine of the cluster.

    Attributes:
        memory: bytes.
        disk: bytes.

    Raises:
        ConfigError: a size that is not positive.
    """

    memory: float = 128e9
    disk: float = 3.84e12

    def __post_init__(self) -> None:
        _require_positive("the memory of a machine", self.memory)
        _require_positive("the disk of a machine", self.disk)


@dataclass(frozen=True)
class Workload:
    """What is to be kept and asked.

    Attributes:
        passages: how many.
        tokens: vectors a passage, on average, before pooling.
        replicas: copies of everything.
        pool_factor: how many vectors of a passage become one.
        shards: parts of the collection; None for as many as keep each below 10 million passages,
            the same number on every machine.
        candidates: passages rescored for a query, over all shards.
        nprobe: centroids probed for each vector of a query: 4, 16 or 64.
        terms: whether all terms of the passages are kept as well.
        encoding_rate: tokens a second that all encoders together make.

    Raises:
        ConfigError: a number that is not positive, or an ``nprobe`` that was not measured.

    Example:
        >>> Workload(1e6).replicas
        2
    """

    passages: float
    tokens: float = 98
    replicas: int = 2
    pool_factor: int = 1
    shards: int | None = None
    candidates: int = 512
    nprobe: int = 4
    terms: bool = False
    encoding_rate: float = 4_400

    def __post_init__(self) -> None:
        for name in ("passages", "tokens", "replicas", "pool_factor", "candidates"):
            _require_positive(name, getattr(self, name))
        _require_positive("encoding_rate", self.encoding_rate)
        if self.shards is not None:
            _require_positive("shards", self.shards)
        if self.nprobe not in POSTINGS:
            known = ", ".join(map(str, POSTINGS))
            raise ConfigError(f"nprobe must be one of {known}, not {self.nprobe!r}.")


@dataclass(frozen=True)
class Capacity:
    """What a workload needs at one precision.

    Attributes:
        precision: how token vectors are kept.
        pool_factor: how many vectors of a passage become one.
        note: what the precision costs in quality.
        token_bytes: of one copy's token vectors.
        other_bytes: of all else in one copy.
        disk: bytes of all copies, with room for the engine to write segments anew.
        memory: bytes of all copies that stay in memory.
        machines: how many are needed.
        shards: parts of the collection.
        passages_a_shard: in each of them.
        postings: read for a query in one shard.
        candidates_a_shard: passages rescored for a query in one shard.
        bytes_read: of token vectors, for a query.
        operations: floating-point operations of a query's MaxSim.
        encoding_days: for which the encoders work.

    Example:
        >>> estimate(Workload(100e6), PRECISIONS[0]).machines
        3
    """

    precision: str
    pool_factor: int
    note: str
    token_bytes: float
    other_bytes: float
    disk: float
    memory: float
    machines: int
    shards: int
    passages_a_shard: float
    postings: float
    candidates_a_shard: int
    bytes_read: float
    operations: float
    encoding_days: float

    def to_dict(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return asdict(self)


def estimate(workload: Workload, precision: Precision, machine: Machine | None = None) -> Capacity:
    """Say what a workload needs.

    Args:
        workload: what is to be kept and asked.
        precision: how token vectors are kept.
        machine: of what size machines are; 128 GB and 3.84 TB when None.

    Example:
        >>> round(estimate(Workload(100e6), PRECISIONS[1]).disk / 1e12, 1)
        4.5
    """
    machine = machine or Machine()
    passages, copies = workload.passages, workload.replicas
    kept = workload.tokens / workload.pool_factor
    token_bytes = passages * kept * precision.bytes
    other = CENTROIDS + MEAN + GRAPH + PAYLOAD + (TERMS if workload.terms else 0)
    disk = copies * HEADROOM * (token_bytes + passages * other)
    memory = copies * passages * (MEAN + GRAPH + LISTS)
    machines = _count_machines(disk, memory, copies, machine)
    shards = workload.shards or _count_shards(passages, machines)
    rescored = max(LEAST_CANDIDATES, math.ceil(SPARE_CANDIDATES * workload.candidates / shards))
    return Capacity(
        precision=precision.name,
        pool_factor=workload.pool_factor,
        note=precision.note,
        token_bytes=token_bytes,
        other_bytes=passages * other,
        disk=disk,
        memory=memory,
        machines=machines,
        shards=shards,
        passages_a_shard=passages / shards,
        postings=POSTINGS[workload.nprobe] * passages / shards,
        candidates_a_shard=rescored,
        bytes_read=shards * rescored * kept * precision.bytes,
        operations=2.0 * DIM * QUERY_VECTORS * kept * shards * rescored,
        encoding_days=passages * workload.tokens / workload.encoding_rate / _SECONDS_A_DAY,
    )


def _count_machines(disk: float, memory: float, copies: int, machine: Machine) -> int:
    least = LEAST_MACHINES if copies > 1 else 1
    for_disk = math.ceil(disk / machine.disk)
    return max(least, copies, for_disk, math.ceil(memory / (PINNED * machine.memory)))


def _count_shards(passages: float, machines: int) -> int:
    """Return so many that none is too large, and every machine has the same number."""
    return machines * math.ceil(passages / PASSAGES_A_SHARD / machines)


def _require_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} must be a number above 0, not {value!r}.")
