"""What machines a collection needs: the figures of the published table, and laws of the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.cluster.capacity import PRECISIONS, Machine, Workload, estimate
from lfm2_colbert_rag.errors import ConfigError

from ..cli.conftest import Run, run

__all__ = ["run"]

FLOAT16, TURBO8, TURBO4 = PRECISIONS
# Of 100 million passages of 98 vectors, two copies; worked out by hand from bytes that an engine
# took: token vectors of one copy, and the disk of both, in TB.
TABLE = [
    (FLOAT16, 1, 2.51, 8.1),
    (TURBO8, 1, 1.29, 4.5),
    (TURBO8, 2, 0.65, 2.5),
    (TURBO4, 1, 0.67, 2.6),
]


@pytest.mark.parametrize(("precision", "pool_factor", "copy", "disk"), TABLE)
def test_a_hundred_million(precision, pool_factor, copy, disk):
    found = estimate(Workload(100e6, pool_factor=pool_factor), precision)
    assert round(found.token_bytes / 1e12, 2) == copy
    assert round(found.other_bytes / 1e12, 2) == 0.20
    assert round(found.disk / 1e12, 1) == disk
    assert round(found.memory / 1e9) == 113
    assert (found.machines, found.shards) == (3, 12)
    assert round(found.encoding_days) == 26


def test_what_a_query_costs():
    found = estimate(Workload(100e6), FLOAT16)
    assert round(found.passages_a_shard / 1e6, 1) == 8.3
    assert round(found.postings / 1e6, 1) == 1.0
    assert found.candidates_a_shard == 64
    assert round(found.bytes_read / 1e6) == 19
    assert round(found.operations / 1e9, 2) == 0.35
    assert round(estimate(Workload(100e6, nprobe=64), FLOAT16).postings / 1e6) == 15


def test_terms_cost_as_much_as_is_said():
    with_terms = estimate(Workload(100e6, terms=True), FLOAT16)
    without = estimate(Workload(100e6), FLOAT16)
    assert round((with_terms.other_bytes - without.other_bytes) / 1e12, 2) == 0.47
    assert round((with_terms.disk - without.disk) / 1e12, 1) == 1.4


@given(
    st.floats(1, 1e10),
    st.floats(1, 2_000),
    st.integers(1, 5),
    st.sampled_from(PRECISIONS),
    st.floats(1e9, 1e13),
    st.floats(1e9, 1e14),
)
def test_the_machines_hold_it(passages, tokens, replicas, precision, memory, disk):
    machine = Machine(memory, disk)
    found = estimate(Workload(passages, tokens, replicas), precision, machine)
    assert found.machines * machine.disk >= found.disk
    assert found.machines * machine.memory / 2 >= found.memory
    assert found.machines >= replicas
    assert found.shards % found.machines == 0
    assert found.passages_a_shard <= 10_000_000
    assert found.shards * found.candidates_a_shard >= 512
    fewer = estimate(Workload(passages / 2, tokens, replicas), precision, machine)
    assert fewer.disk == pytest.approx(found.disk / 2)
    assert fewer.machines <= found.machines


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"passages": 0}, "passages must be a number above 0, not 0"),
        ({"passages": float("nan")}, "passages must be a number above 0, not nan"),
        ({"passages": 1, "nprobe": 5}, "nprobe must be one of 4, 16, 64, not 5"),
        ({"passages": 1, "shards": -1}, "shards must be a number above 0, not -1"),
    ],
)
def test_senseless_workloads(values, said):
    with pytest.raises(ConfigError, match=said):
        Workload(**values)


def test_senseless_machines():
    with pytest.raises(ConfigError, match="the disk of a machine must be a number above 0, not 0"):
        Machine(disk=0)


def test_the_command_tells_people_and_programs(run: Run) -> None:
    outcome = run("capacity", "--passages", "100e6", "--tokens", 98, "--replicas", 2)
    assert outcome.code == 0
    rows = [" ".join(line.split()) for line in outcome.out.splitlines()]
    assert "turbo8, 2 pooled 849.8 GB 2.5 TB 113.2 GB 3 5.0 MB" in rows
    assert "12 shards of 8,333,333 passages" in outcome.err
    outcome = run("capacity", "--passages", "100e6", "--json")
    told = [json.loads(line) for line in outcome.out.splitlines()]
    assert [(one["precision"], one["pool_factor"]) for one in told][:4] == [
        ("float16", 1),
        ("turbo8", 1),
        ("turbo4", 1),
        ("float16", 2),
    ]
    assert told[0] == estimate(Workload(100e6), FLOAT16).to_dict()


def test_the_command_names_what_is_wrong(run: Run) -> None:
    outcome = run("capacity", "--passages", "-3")
    assert outcome.code == 1
    assert outcome.err == "error: passages must be a number above 0, not -3.0.\n"
