"""``lfm2-colbert index``: read files into an index."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError, LFM2ColBERTError
from .options import (
    BitsOption,
    LexicalOption,
    ModelOption,
    OverlapOption,
    PoolOption,
    StorageOption,
    TargetPlace,
    may_be_index,
)
from .output import count, make_progress, note
from .reading import (
    DelimiterOption,
    EncodingOption,
    IdColumnOption,
    KindOption,
    TextColumnOption,
    TypedOption,
    check_kind,
    describe_sources,
    read_options,
    tell_odd,
)

if TYPE_CHECKING:
    from ..files.corpus import Corpus
    from ..files.walk import Sources
    from ..retriever import Retriever

__all__ = ["ODD", "add_corpus", "index"]

BATCH = 1024
_DASH = Path("-")
_PLACES = 3
ODD = 3
"""Exit code where some of the files, or parts of them, could not be read."""


def index(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Files or folders; - is standard input.",
            show_default=False,
        ),
    ],
    into: TargetPlace,
    model: ModelOption = None,
    prefix: Annotated[
        str,
        typer.Option(
            "--prefix",
            metavar="NAME",
            help="Put before all ids that are made of paths, to keep folders of one name apart.",
            show_default=False,
        ),
    ] = "",
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Remove passages that were read from these files and folders before, and are no "
            "longer there.",
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Index nothing at all where something is unreadable, blank, or there twice.",
        ),
    ] = False,
    text_columns: TextColumnOption = None,
    id_column: IdColumnOption = None,
    delimiter: DelimiterOption = None,
    typed: TypedOption = False,
    encoding: EncodingOption = None,
    kind: KindOption = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Passages in a commit.")] = BATCH,
    window_overlap: OverlapOption = None,
    pool_factor: PoolOption = None,
    storage: StorageOption = None,
    nbits: BitsOption = None,
    lexical: LexicalOption = None,
) -> None:
    """Index files of many kinds, or whole folders of them.

    A line of JSON or a row of a table is a passage: its keys are id, text, and your own metadata
    (values of tables stay texts, unless --typed). A text is one passage, a document one a page or
    a section. Texts may be of any length: what is longer than the model reads at once is searched
    in overlapping windows, and found as one passage. A new index is made where --model names a
    model.

    Running the command again costs nothing for what has not changed, and replaces what has: a
    passage goes by the id that its file gives it, or else by the path of the file, beginning with
    the folder that was named; a line or a row without an id goes by its content. What was read
    from these files before and is gone is counted, and with --prune it is removed.

    Files that cannot be read, wholly or in parts, are listed at the end, and the exit code is 3;
    all others are indexed. Everything is read and checked before the first passage is added. Each
    batch is a commit; should the command be stopped, run it again to add the rest.
    """
    from ..files.corpus import Corpus
    from ..files.encodings import named_encoding
    from ..files.kinds import readers
    from ..retriever import Retriever

    if missing := next((one for one in paths if one != _DASH and not os.path.lexists(one)), None):
        raise typer.BadParameter(f"the path '{missing}' does not exist")
    if model is None and not may_be_index(into):
        Retriever.open(into)  # refuses, before anything is read
    options = read_options(text_columns, id_column, delimiter, typed)
    chosen = readers(options)
    of_texts = None if encoding is None else named_encoding(encoding)
    with ExitStack() as stack:
        sources = _find(paths, stack, prefix=prefix, kind=kind, target=Path(into), kinds=chosen)
        corpus = stack.enter_context(
            Corpus(chosen, prefix=prefix.strip("/"), encoding=of_texts, strict=strict)
        )
        _read(corpus, sources)
        if not len(corpus) and not (prune and not corpus.odd and may_be_index(into)):
            _refuse_nothing(paths, sources, corpus, list(chosen))
        retriever = stack.enter_context(
            Retriever.open(
                into,
                model=model,
                window_overlap=window_overlap,
                pool_factor=pool_factor,
                storage=storage,
                nbits=nbits,
                lexical=lexical,
            )
        )
        _update(
            retriever, sources, corpus, into, prefix=prefix.strip("/"), prune=prune, batch=batch
        )
        due = retriever.stats().optimize_due
    describe_sources(sources, corpus)
    if due:
        note(f"Time for 'lfm2-colbert optimize {into}': {due}.")
    if tell_odd([*sources.odd, *corpus.odd]):
        raise typer.Exit(ODD)


def add_corpus(retriever: Retriever, corpus: Corpus, batch: int = BATCH) -> None:
    """Add the passages of files in batches, one commit each, under a progress bar.

    Args:
        retriever: where to add them.
        corpus: the passages.
        batch: passages in a commit.

    Raises:
        LFM2ColBERTError: a batch could not be added; the ones before it stay.
    """
    try:
        with make_progress() as progress:
            task = progress.add_task("Indexing", total=len(corpus))
            advance = partial(progress.advance, task)
            retriever.add_stream(corpus, batch=batch, progress=advance)
    except LFM2ColBERTError:  # says itself what was committed
        raise
    except (OSError, KeyboardInterrupt):
        note(
            f"{retriever.path} holds {count(len(retriever), 'passage')} now. Run the same command "
            "again to add the rest."
        )
        raise


def _find(
    paths: list[Path],
    stack: ExitStack,
    *,
    prefix: str,
    kind: str | None,
    target: Path,
    kinds: Collection[str],
) -> Sources:
    """Find the files that are meant; standard input is kept as long as the stack."""
    from ..files.standard_input import standard_input
    from ..files.walk import find_sources

    suffix = None if kind is None else check_kind(kind, kinds)
    named = [path for path in paths if path != _DASH]
    sources = find_sources(named, kinds, prefix=prefix, kind=suffix, target=target)
    if len(named) < len(paths):
        sources.files.append(stack.enter_context(standard_input(suffix, prefix)))
    return sources


def _read(corpus: Corpus, sources: Sources) -> None:
    with make_progress() as progress:
        task = progress.add_task("Reading", total=len(sources.files))
        corpus.read(sources.files, partial(progress.advance, task))


def _refuse_nothing(paths: list[Path], sources: Sources, corpus: Corpus, kinds: list[str]) -> None:
    """Say why there is nothing to index.

    Raises:
        InputError: always.
    """
    odd = [*sources.odd, *corpus.odd]
    if len(odd) == 1:
        raise InputError(f"{odd[0].place}: {odd[0].reason}")
    places = ", ".join(map(str, paths))
    if odd:
        tell_odd(odd)
        raise InputError(f"nothing of {places} could be read; nothing was changed.")
    describe_sources(sources, corpus)
    if sources.files:
        raise InputError(f"{places} holds no text; nothing was changed.")
    raise InputError(
        f"{places} holds no file that can be read; the kinds are {', '.join(kinds)}, each also "
        "with .gz."
    )


def _update(
    retriever: Retriever,
    sources: Sources,
    corpus: Corpus,
    into: Path,
    *,
    prefix: str,
    prune: bool,
    batch: int,
) -> None:
    """Add what was read, then remove what is gone, and say what became of the index."""
    from ..files.provenance import Scope, find_replaced

    replaced = Counter(find_replaced(retriever, corpus))
    add_corpus(retriever, corpus, batch)
    scope = Scope(sources.roots, prefix, [*sources.unread, *corpus.unread])
    stale = scope.find_stale(retriever, corpus.ids())
    if stale and prune:
        retriever.delete(stale)
    files = count(corpus.files, "file")
    passages = count(len(corpus), "passage")
    typer.echo(f"Indexed {passages} from {files}; {into} holds {len(retriever):,}.")
    if replaced:
        note(_describe_replaced(replaced))
    if stale and prune:
        note(f"Removed {count(len(stale), 'passage')} no longer in the files.")
    elif stale:
        note(
            f"Still in the index, but no longer in the files: {count(len(stale), 'passage')}. The "
            "same command with --prune removes what is gone."
        )


def _describe_replaced(replaced: Counter[str]) -> str:
    places = [place or "no file" for place, _ in replaced.most_common(_PLACES)]
    more = f" and {len(replaced) - _PLACES:,} more" if len(replaced) > _PLACES else ""
    return (
        f"Replaced {count(replaced.total(), 'passage')} that came from another place "
        f"({', '.join(places)}{more}). Use --prefix to keep both."
    )
