"""``lfm2-colbert index``: read files into an index."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import LFM2ColBERTError
from .options import (
    BitsOption,
    LexicalOption,
    ModelOption,
    OverlapOption,
    PoolOption,
    StorageOption,
)
from .output import count, make_progress, note

if TYPE_CHECKING:
    from collections import Counter

    from ..retriever import Retriever
    from .sources import SourceFile

__all__ = ["add_files", "index"]

BATCH = 1024


def index(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", exists=True, help="Files or folders.", show_default=False),
    ],
    into: Annotated[
        Path,
        typer.Option(
            "--into",
            metavar="DIR",
            help="The folder of the index; made if it is not there.",
            show_default=False,
        ),
    ],
    model: ModelOption = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Passages in a commit.")] = BATCH,
    window_overlap: OverlapOption = None,
    pool_factor: PoolOption = None,
    storage: StorageOption = None,
    nbits: BitsOption = None,
    lexical: LexicalOption = None,
) -> None:
    """Index .txt, .md, .csv and .jsonl files, or whole folders of them.

    A line of JSON or a row of CSV is a passage: its keys are id, text, and your own metadata
    (values from CSV stay texts). A .txt or .md file is one passage. Running the command again
    replaces the passages that have the same ids, which are the paths where a file gives none. A new
    index is made where --model names a model.

    Texts may be of any length: what is longer than the model reads at once is searched in
    overlapping windows, and found as one passage.

    Everything is read and checked before the first passage is added, and then read again bit by
    bit: files may be larger than memory. Each batch is a commit; should the command be stopped,
    run it again to add the rest.
    """
    from ..retriever import Retriever
    from .sources import check, find_sources

    sources = find_sources(paths, exclude=into)
    total = check(sources.files)
    with Retriever.open(
        into,
        model=model,
        window_overlap=window_overlap,
        pool_factor=pool_factor,
        storage=storage,
        nbits=nbits,
        lexical=lexical,
    ) as retriever:
        add_files(retriever, sources.files, total, batch)
        held, due = len(retriever), retriever.stats().optimize_due
    files = count(len(sources.files), "file")
    typer.echo(f"Indexed {count(total, 'passage')} from {files}; {into} holds {held:,}.")
    if sources.skipped:
        note(_describe_skipped(sources.skipped))
    if due:
        note(f"Time for 'lfm2-colbert optimize {into}': {due}.")


def add_files(
    retriever: Retriever, files: Iterable[SourceFile], total: int, batch: int = BATCH
) -> None:
    """Add the passages of checked files in batches, one commit each, under a progress bar.

    Args:
        retriever: where to add them.
        files: files that :func:`~lfm2_colbert_rag.cli.sources.check` has read without complaint.
        total: number of passages in them.
        batch: passages in a commit.

    Raises:
        LFM2ColBERTError: a batch could not be added; the ones before it stay.
    """
    from .sources import read

    passages = (record.passage for record in read(files))
    try:
        with make_progress() as progress:
            task = progress.add_task("Indexing", total=total)
            retriever.add_stream(passages, batch=batch, progress=partial(progress.advance, task))
    except LFM2ColBERTError:  # says itself what was committed
        raise
    except (OSError, KeyboardInterrupt):
        note(
            f"{retriever.path} holds {count(len(retriever), 'passage')} now. Run the same command "
            "again to add the rest."
        )
        raise


def _describe_skipped(skipped: Counter[str]) -> str:
    kinds = ", ".join(f"{number:,} {suffix}" for suffix, number in sorted(skipped.items()))
    return f"Skipped {count(skipped.total(), 'file')} of other kinds: {kinds}."
