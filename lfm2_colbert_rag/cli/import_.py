"""``lfm2-colbert import``: vectors that were made elsewhere, into an index."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..cluster.address import is_address
from ..errors import InputError
from .options import ModelOption, TargetPlace, may_be_index
from .output import count, make_progress, note

if TYPE_CHECKING:
    from ..retriever import Retriever
    from ..retriever.options import IndexOptions
    from ..storage.exchange.formats import Dump
    from ..types import Passage

__all__ = ["import_"]


def import_(
    dump: Annotated[
        Path, typer.Argument(metavar="DUMP", help="A file or a folder.", show_default=False)
    ],
    into: TargetPlace,
    texts: Annotated[
        Path | None,
        typer.Option(
            "--texts",
            metavar="FILE",
            exists=True,
            help="The texts, as .jsonl or .csv with id and text. Not for our own exports.",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = None,
) -> None:
    """Add passages whose vectors were made elsewhere, with the same model, in one commit.

    DUMP may be a folder of 'lfm2-colbert export'; a .npz or .safetensors file with one array a
    passage under its id; a .npy file with all vectors, and token_counts.npy, lengths.npy or
    doclens.*.json beside it; or an index of fast-plaid or PyLate. The last two know no ids: give
    the texts in their order.

    Everything is read and checked before the first passage is added.

    DUMP may also be a folder that 'lfm2-colbert encode' wrote into. What it holds is added in
    batches of one commit each; should the command be stopped, run it again to add the rest.
    """
    from .._support.validation import check_listed
    from ..files.encoded.record import find_outputs
    from ..storage.exchange.formats import open_dump
    from ..storage.exchange.given_vectors import given_windows
    from ..storage.exchange.own import is_export

    if texts is None and not is_export(dump) and any(find_outputs(dump)):
        _load(dump, into, model)
        return
    opened = open_dump(dump)
    passages = opened.match(None if texts is None else _read(texts))
    for _ in given_windows(opened.vectors(), check_listed(passages).slots, opened.dim):
        pass
    with _open(into, model, opened) as retriever:
        added = retriever.import_dump(dump, None if texts is None else passages)
        held = len(retriever)
    stored = count(len(added) - len(added.left_out), "passage")
    typer.echo(f"Imported {stored} from {dump} ({opened.kind}); {into} holds {held:,}.")


def _load(outputs: Path, into: Path, model: str | None) -> None:
    """Add the outputs in a folder, under a progress bar."""
    from ..files.encoded.loading import count_passages, load_outputs
    from ..files.encoded.record import find_outputs, read_record
    from ..retriever import Retriever

    first = read_record(next(find_outputs(outputs)))
    factor = None if first is None else first.recipe["pool_factor"]
    known = may_be_index(into) and not is_address(into)
    options: IndexOptions = {} if known else {"pool_factor": factor}
    with Retriever.open(into, model=model, **options) as retriever, make_progress() as progress:
        task = progress.add_task("Importing", total=count_passages(outputs))
        loaded = load_outputs(retriever, outputs, progress=partial(progress.advance, task))
        held = len(retriever)
    typer.echo(
        f"Imported {count(loaded.added, 'passage')} from {count(loaded.outputs, 'output')} in "
        f"{outputs}; {into} holds {held:,}."
    )
    if loaded.kept:
        note(f"Skipped {count(loaded.kept, 'passage')} that it held already.")


def _read(texts: Path) -> list[Passage]:
    from ..files.corpus import read_exactly
    from ..files.kinds import READERS
    from ..files.walk import find_sources

    return list(read_exactly(find_sources([texts], READERS).files, READERS))


def _open(into: Path, model: str | None, dump: Dump) -> Retriever:
    """Open the index; a new one is made only if the vectors have the width of its model's."""
    from ..encoder import load_encoder
    from ..retriever import Retriever

    if model is None or (may_be_index(into) and not is_address(into)):
        return Retriever.open(into, model=model)
    encoder = load_encoder(model)
    if encoder.dim != dump.dim:
        raise InputError(
            f"{dump.path} holds vectors of width {dump.dim}, but those of {encoder.name} have "
            f"{encoder.dim}. Name the model that made them with --model."
        )
    return Retriever.open(into, model=encoder)
