"""``lfm2-colbert encode``: files to vectors, on this machine or on many, for a later import."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import InputError
from .index import ODD
from .options import OverlapOption
from .output import count, make_progress, note
from .reading import (
    DelimiterOption,
    EncodingOption,
    IdColumnOption,
    KindOption,
    TextColumnOption,
    TypedOption,
    check_kind,
    read_options,
    tell_odd,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..files.encoded.job import Job
    from ..files.encoded.worker import Outcome
    from ..files.walk import Sources

__all__ = ["encode"]


def encode(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Files or folders.", show_default=False),
    ],
    into: Annotated[
        Path,
        typer.Option(
            "--into", metavar="DIR", help="The folder of the outputs.", show_default=False
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model", metavar="NAME", help="nano, a hub id, or a folder.", show_default=False
        ),
    ],
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="ADDRESS|auto",
            help="Let the workers of a Ray cluster do it; auto: of the one that this machine "
            "belongs to.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="How many at most, on a Ray cluster; by default as many as it has room for.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        Literal["cpu", "cuda"], typer.Option("--device", help="What an encoder computes on.")
    ] = "cpu",
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            min=1,
            help="Of one encoder; on a Ray cluster 1 by default.",
            show_default=False,
        ),
    ] = None,
    prefix: Annotated[
        str,
        typer.Option("--prefix", metavar="NAME", help="As for 'lfm2-colbert index'."),
    ] = "",
    text_columns: TextColumnOption = None,
    id_column: IdColumnOption = None,
    delimiter: DelimiterOption = None,
    typed: TypedOption = False,
    encoding: EncodingOption = None,
    kind: KindOption = None,
    window_overlap: OverlapOption = None,
    pool_factor: Annotated[
        int,
        typer.Option("--pool-factor", metavar="N", min=1, help="As for 'lfm2-colbert index'."),
    ] = 1,
) -> None:
    """Encode files without an index, one output a file; 'lfm2-colbert import DIR' adds them to one.

    Files are read as by 'lfm2-colbert index'. Each output is an export of its own, named like its
    file, and appears whole or not at all. Running the command again encodes only files that are
    new or changed, so that whoever is stopped goes on.

    With --ray (extra 'ray') the workers of a cluster share the files, and what a lost machine was
    at, another takes over. All of them must see files and outputs under the same paths.

    Files that cannot be read, wholly or in parts, are listed at the end, and the exit code is 3.
    """
    from ..files.encoded.job import Job
    from ..files.kinds import readers
    from ..files.walk import find_sources

    if missing := next((one for one in paths if not os.path.lexists(one)), None):
        raise typer.BadParameter(f"the path '{missing}' does not exist")
    if ray is None and workers is not None:
        raise typer.BadParameter("--workers is for --ray; --threads is how many compute here")
    options = read_options(text_columns, id_column, delimiter, typed)
    prefix = prefix.strip("/")
    job = Job(
        model=_lasting(model),
        into=Path(os.path.abspath(into)),  # noqa: PTH100 - ``resolve`` would follow links
        prefix=prefix,
        encoding=encoding,
        options=options,
        window_overlap=window_overlap,
        pool_factor=pool_factor,
        device=device,
        threads=1 if ray is not None and threads is None else threads,
    )
    kinds = readers(options)
    suffix = None if kind is None else check_kind(kind, kinds)
    sources = find_sources(paths, kinds, prefix=prefix, kind=suffix, target=job.into)
    if not sources.files:
        places = ", ".join(map(str, paths))
        raise InputError(f"{places} holds no file that can be read.")
    if _encode(job, sources, into, ray, workers):
        raise typer.Exit(ODD)


def _encode(
    job: Job, sources: Sources, into: Path, address: str | None, workers: int | None
) -> bool:
    """Encode files under a progress bar; tells whether anything was odd."""
    odd, made, kept, vectors, remarks = [*sources.odd], 0, 0, 0, 0
    with make_progress() as progress:
        advance = partial(progress.advance, progress.add_task("Encoding", total=len(sources.files)))
        for outcome in _outcomes(job, sources, address, workers):
            odd += outcome.odd
            made += outcome.made
            if (record := outcome.record) is not None:
                kept += not outcome.made
                vectors += record.vectors if outcome.made else 0
                remarks += record.remark is not None
            advance(1)
    typer.echo(f"Encoded {count(made, 'file')} ({count(vectors, 'vector')}) into {into}.")
    if kept:
        note(f"Kept {count(kept, 'output')} of files that did not change.")
    if remarks:
        note(
            f"Of {count(remarks, 'file')} something was left out or replaced; encoded.json beside "
            "the vectors says what."
        )
    return tell_odd(odd)


def _outcomes(
    job: Job, sources: Sources, address: str | None, workers: int | None
) -> Iterator[Outcome]:
    from ..files.encoded.running import Cluster, encode_files, encode_files_on_ray

    if address is None:
        return encode_files(job, sources.files)
    return encode_files_on_ray(job, sources.files, Cluster(address, workers))


def _lasting(model: str) -> str:
    """Name a model so that it means the same in another working directory."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if folder.is_dir() and model not in ("nano", "small") else model
