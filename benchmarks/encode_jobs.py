"""Does a Ray cluster encode as many tokens a second as a plain loop?

The same files are encoded by a loop in this process, with as many threads as there are machines,
and by a Ray cluster of that many machines on this one, a worker of one thread each; its start is
not counted, that of its workers is. In the environment of ``make test-ray``::

    python -m benchmarks.encode_jobs --scratch DIR

Figures are seconds, vectors a second, and whether the outputs are the same bytes. Writes
``benchmarks/results/encode_jobs.json``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from lfm2_colbert_rag.files.encoded.job import Job
from lfm2_colbert_rag.files.encoded.running import Cluster, encode_files, encode_files_on_ray
from lfm2_colbert_rag.files.kinds import READERS
from lfm2_colbert_rag.files.walk import find_sources

from .harness import Clock, Results, command, say

MACHINES = 2
WORDS = 60


def write_files(folder: Path, files: int, passages: int) -> None:
    """Write files of passages that all differ."""
    folder.mkdir(parents=True)
    for number in range(files):
        first = number * passages
        texts = (_text(place) for place in range(first, first + passages))
        lines = (json.dumps({"text": text}) for text in texts)
        (folder / f"{number:04}.jsonl").write_text("\n".join(lines), encoding="utf-8")


def _text(place: int) -> str:
    return " ".join(f"word{(place + 1) * step % 997}" for step in range(1, WORDS))


def outputs(folder: Path) -> str:
    """Return one SHA-256 of all outputs."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def measure(source: Path, into: Path, *, on_ray: bool) -> dict[str, Any]:
    """Encode the files once."""
    files = find_sources([source], READERS).files
    job = Job("nano", into, threads=1 if on_ray else MACHINES)
    with Clock() as clock:
        if on_ray:
            found = list(encode_files_on_ray(job, files, Cluster()))
        else:
            found = list(encode_files(job, files))
    vectors = sum(one.record.vectors for one in found if one.record is not None)
    rate = round(vectors / clock.seconds)
    return {"seconds": round(clock.seconds, 1), "vectors": vectors, "vectors a second": rate}


def main() -> None:
    """Encode by both, one after the other, and as often as is asked for."""
    parser = command(__doc__, "encode_jobs", "scratch", passages=40, rounds=2)
    parser.add_argument("--files", type=int, default=32, help="files of so many passages each")
    args = parser.parse_args()
    from ray import init
    from ray.cluster_utils import Cluster as Machines

    source = args.scratch / "files"
    shutil.rmtree(source, ignore_errors=True)
    write_files(source, args.files, args.passages)
    machines = Machines(initialize_head=True, head_node_args={"num_cpus": 1})
    for _ in range(MACHINES - 1):
        machines.add_node(num_cpus=1)
    machines.wait_for_nodes()
    init(address=machines.address, log_to_driver=False)
    results = Results(args.out, files=args.files, passages=args.passages, machines=MACHINES)
    digests = set()
    for number in range(args.rounds):
        for name in ("loop", "ray"):
            into = args.scratch / name
            shutil.rmtree(into, ignore_errors=True)
            told = measure(source, into, on_ray=name == "ray")
            digests.add(outputs(into))
            results.put(f"{name}, round {number}", told)
            say(name, str(told))
    results.put("outputs", {"the same bytes": len(digests) == 1})
    machines.shutdown()


if __name__ == "__main__":
    main()
