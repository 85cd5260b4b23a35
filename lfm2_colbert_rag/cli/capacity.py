"""``lfm2-colbert capacity``: what a collection of a given size needs on a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from .options import JsonFlag
from .output import byte_size, echo_json, make_console, note

if TYPE_CHECKING:
    from ..cluster.capacity import Capacity

__all__ = ["capacity"]

_POOLED = 2


def capacity(
    passages: Annotated[
        float,
        typer.Option("--passages", metavar="N", help="Such as 100e6.", show_default=False),
    ],
    tokens: Annotated[
        float,
        typer.Option("--tokens", metavar="N", help="Vectors a passage; 'stats' shows an index's."),
    ] = 98,
    replicas: Annotated[int, typer.Option("--replicas", min=1, help="Copies of everything.")] = 2,
    shards: Annotated[
        int | None,
        typer.Option(
            "--shards",
            min=1,
            help="Parts of the collection; by default none is larger than 10 million passages.",
            show_default=False,
        ),
    ] = None,
    candidates: Annotated[
        int, typer.Option("--candidates", min=1, help="Passages rescored for a query.")
    ] = 512,
    nprobe: Annotated[
        int, typer.Option("--nprobe", metavar="4|16|64", help="Centroids a vector of a query.")
    ] = 4,
    terms: Annotated[
        bool, typer.Option("--terms", help="Keep the terms of all passages as well.")
    ] = False,
    memory: Annotated[
        float, typer.Option("--machine-memory", metavar="BYTES", help="Of one machine.")
    ] = 128e9,
    disk: Annotated[
        float, typer.Option("--machine-disk", metavar="BYTES", help="Of one machine.")
    ] = 3.84e12,
    rate: Annotated[
        float,
        typer.Option("--encoding-rate", metavar="N", help="Tokens a second, by all encoders."),
    ] = 4_400,
    as_json: JsonFlag = False,
) -> None:
    """Estimate disk, memory and machines for so many passages in a vector database.

    One line for each way to keep token vectors, and for each with two vectors pooled to one
    (--pool-factor 2). The bytes behind it were measured with 20,000 passages in Qdrant's engine,
    not on a cluster.
    """
    from ..cluster.capacity import PRECISIONS, Machine, Workload, estimate

    workload = Workload(
        passages,
        tokens,
        replicas,
        shards=shards,
        candidates=candidates,
        nprobe=nprobe,
        terms=terms,
        encoding_rate=rate,
    )
    pooled = replace(workload, pool_factor=_POOLED)
    machine = Machine(memory, disk)
    found = [estimate(one, kept, machine) for one in (workload, pooled) for kept in PRECISIONS]
    if as_json:
        for one in found:
            echo_json(one.to_dict())
        return
    _show(found)


def _show(found: list[Capacity]) -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("vectors", no_wrap=True)
    for name in ("one copy", "disk", "memory", "machines", "read a query"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        pooled = "" if one.pool_factor == 1 else f", {one.pool_factor} pooled"
        table.add_row(
            f"{one.precision}{pooled}",
            byte_size(one.token_bytes + one.other_bytes),
            byte_size(one.disk),
            byte_size(one.memory),
            str(one.machines),
            byte_size(one.bytes_read),
        )
    make_console().print(table)
    first = found[0]
    note(
        f"{first.shards} shards of {first.passages_a_shard:,.0f} passages; a query reads "
        f"{first.postings:,.0f} postings and rescores {first.candidates_a_shard} passages in each. "
        f"Encoding takes {first.encoding_days:,.1f} days."
    )
    for name, text in {one.precision: one.note for one in found}.items():
        note(f"{name}: {text}.")
