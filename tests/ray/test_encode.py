"""Two machines of a real Ray cluster encode files, and one of them dies meanwhile.

In an environment of its own, `make test-ray`: Ray is large, and needs nothing else that is tested.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ray = pytest.importorskip("ray", reason="make test-ray runs it, in an environment of its own")

from lfm2_colbert_rag.files.encoded.job import Job  # noqa: E402
from lfm2_colbert_rag.files.encoded.running import (  # noqa: E402
    Cluster,
    encode_files,
    encode_files_on_ray,
)
from lfm2_colbert_rag.files.kinds import READERS  # noqa: E402
from lfm2_colbert_rag.files.walk import find_sources  # noqa: E402

from ..files.encoded.fleet import hashes, write_corpus  # noqa: E402

FILES, PASSAGES = 16, 12

# What Ray and the libraries that it brings warn of is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def machines():
    """Return a cluster of two machines, each with room for one worker, and the second of them."""
    from ray.cluster_utils import Cluster as Machines

    machines = Machines(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    second = machines.add_node(num_cpus=1)
    machines.wait_for_nodes()
    ray.init(address=machines.address, log_to_driver=False)
    yield machines, second
    ray.shutdown()
    machines.shutdown()


def sources(folder: Path) -> list:
    return find_sources([folder], READERS).files


def test_a_machine_dies_and_nothing_is_missing(machines, tmp_path: Path) -> None:
    cluster, second = machines
    corpus = write_corpus(tmp_path / "corpus", FILES, PASSAGES)
    plain = list(encode_files(Job("nano", tmp_path / "plain", threads=1), sources(corpus)))
    assert all(one.made for one in plain)

    job = Job("nano", tmp_path / "shared", threads=1)
    done = []
    for outcome in encode_files_on_ray(job, sources(corpus), Cluster()):
        done.append(outcome)
        if len(done) == 3:
            cluster.remove_node(second, allow_graceful=False)
    assert sorted(one.source for one in done) == sorted(one.source for one in plain)
    # A file that the lost machine had done, and not yet told of, is found done.
    assert all(one.record is not None and not one.odd for one in done)
    assert hashes(tmp_path / "shared") == hashes(tmp_path / "plain")

    again = list(encode_files_on_ray(job, sources(corpus), Cluster()))
    assert not any(one.made for one in again)
    (corpus / "torn.pdf").write_bytes(b"%PDF-1.7 torn")
    odd = [one for one in encode_files_on_ray(job, sources(corpus), Cluster()) if one.odd]
    assert [(one.source, one.record) for one in odd] == [("corpus/torn.pdf", None)]
