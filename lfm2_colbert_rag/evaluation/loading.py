"""Datasets from files: our JSON Lines, BEIR's folders, TREC's judgements, XQuAD's languages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._support.characters import is_blank
from .._support.lines import numbered_lines, parse_object
from .._support.validation import check_streamed
from ..errors import ConfigError, InputError
from ..types import Passage
from .datasets import Dataset, Missing
from .families import DatasetFamily
from .judgements import Judged, Judgements
from .queries import QueriesFile, read_id, read_text

__all__ = [
    "CorpusFile",
    "find_file",
    "find_judgements",
    "is_family",
    "load_dataset",
    "load_family",
]

_SKIPPED = ("id", "_id", "title", "metadata", "text", "answers")


def load_dataset(
    folder: Path | str | None = None,
    *,
    corpus: Path | str | None = None,
    queries: Path | str | None = None,
    qrels: Path | str | None = None,
    split: str = "test",
    titles: bool | None = None,
    line_break: str | None = None,
    missing: Missing = "error",
    leave_out_own: bool | None = None,
    name: str | None = None,
) -> Dataset:
    """Read a dataset from a folder or from single files.

    ``corpus.jsonl`` has a passage a line, ``{"id": …, "text": …}`` with an optional ``"title"``;
    ``queries.jsonl`` a query a line, ``{"id": …, "text": …}``, or lines of id, tab and text. BEIR
    writes ``"_id"``, which is fine. Judgements are JSON Lines, ``{"query": …, "doc": …,
    "score": …}``, TREC's four columns, BEIR's three, or a table with a header, see
    :class:`~lfm2_colbert_rag.evaluation.judgements.Judgements`. Files may be packed by gzip
    (``.jsonl.gz``), in UTF-8, or in another Unicode encoding with its mark. The corpus is read
    line by line, whenever it is gone through; it is never held in memory. What is left out or
    read in another way than it is written is in the dataset's notes.

    Args:
        folder: holds ``corpus.jsonl``, ``queries.jsonl`` and the judgements: ``qrels.jsonl``,
            ``qrels.tsv``, ``qrels.txt`` or BEIR's ``qrels/test.tsv``.
        corpus: another file of passages; without a folder it may be left out where the passages
            are in an index.
        queries: another file of queries.
        qrels: another file of judgements.
        split: which judgements of a BEIR folder, such as ``"dev"``.
        titles: put each title as a line before its text. By default as BEIR does where the ids
            are ``"_id"``, and not otherwise.
        line_break: a mark in texts that stands for a line break, such as ``" [SEP] "``.
        missing: what becomes of judgements of queries and passages that are not there; see
            :data:`~lfm2_colbert_rag.evaluation.datasets.Missing`.
        leave_out_own: leave out of each query's hits the passage with the query's own id. By
            default as BEIR does where the ids of the queries are ``"_id"``, and not otherwise.
        name: what to call it; the name of the folder by default.

    Raises:
        ConfigError: files are named in a way that leaves one open.
        InputError: a line cannot be used, or the files do not fit together; the message names
            file and line.
        OSError: a file cannot be read.

    Example:
        >>> load_dataset("scifact", titles=True)  # doctest: +SKIP
        >>> load_dataset(corpus="docs.jsonl", queries="q.tsv", qrels="qrels.txt")  # doctest: +SKIP
    """
    home = None if folder is None else _folder(folder)
    queries_path = _named(queries, home, "queries.jsonl", "queries")
    judged = Path(qrels).expanduser() if qrels is not None else find_judgements(home, split)
    passages = None if corpus is None and home is None else _named(corpus, home, "corpus.jsonl", "")
    if home is not None and corpus is None and is_family(home):
        raise ConfigError(f"{home} is in several languages; say which with load_family.")
    asked = QueriesFile(queries_path, line_break=line_break)
    judgements = Judgements(judged)
    found = judgements.read()
    return Dataset(
        None if passages is None else CorpusFile(passages, titles=titles, line_break=line_break),
        asked.texts,
        found.qrels,
        name or (home or (passages or asked.path).parent).resolve().name,
        missing=missing,
        place=judgements.place,
        leave_out_own=asked.beir if leave_out_own is None else leave_out_own,
        notes=_notes(asked, found),
    )


def load_family(
    folder: Path | str,
    *,
    languages: Iterable[str] | None = None,
    titles: bool | None = None,
    line_break: str | None = None,
    missing: Missing = "error",
) -> DatasetFamily:
    """Read a folder whose texts are in several languages under the same ids, as XQuAD's.

    A passage is ``{"id": …, "en": …, "de": …}``, and so is a query; judgements hold for all.

    Args:
        folder: holds ``corpus.jsonl``, ``queries.jsonl`` and the judgements.
        languages: which of the languages, in this order; all when None.
        titles: see :func:`load_dataset`.
        line_break: see :func:`load_dataset`.
        missing: see :func:`load_dataset`.

    Raises:
        ConfigError: the folder is in one language, or lacks one that was named.
        InputError: a line cannot be used.
        OSError: a file cannot be read.
    """
    home = _folder(folder)
    known = _languages(home)
    if not known:
        raise ConfigError(f"{home} is in one language only; read it with load_dataset.")
    name = home.resolve().name
    judgements = Judgements(find_judgements(home, "test"))
    found = judgements.read()

    def make(asked: str, searched: str) -> Dataset:
        corpus = CorpusFile(
            find_file(home, "corpus.jsonl"), key=searched, titles=titles, line_break=line_break
        )
        queries = QueriesFile(find_file(home, "queries.jsonl"), asked, line_break)
        return Dataset(
            corpus,
            queries.texts,
            found.qrels,
            f"{name} {asked}→{searched}",
            (asked, searched),
            missing,
            judgements.place,
            notes=_notes(queries, found),
        )

    family = DatasetFamily(name, known, make)
    if languages is None:
        return family
    chosen = tuple(dict.fromkeys(languages))
    family.only(chosen)  # refuses those that are not there
    return DatasetFamily(name, chosen, make)


def is_family(folder: Path | str) -> bool:
    """Tell whether the texts of a folder are in several languages under the same ids."""
    return bool(_languages(Path(folder).expanduser()))


@dataclass
class CorpusFile:
    """Passages in JSON Lines, read anew each time they are gone through.

    Attributes:
        path: the file.
        key: under which a text is.
        titles: see :func:`load_dataset`.
        line_break: see :func:`load_dataset`.
        blank: passages without any text that the last pass left out.
    """

    path: Path
    key: str = "text"
    titles: bool | None = None
    line_break: str | None = None
    blank: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[Passage]:
        """Yield the passages."""
        return (passage for passage, _ in self.records())

    def records(self) -> Iterator[tuple[Passage, str]]:
        """Yield each passage with its file and line.

        Raises:
            InputError: a line that cannot be used.
        """
        self.blank = 0
        for fields, place in _objects(self.path):
            id = read_id(fields, place)
            text = read_text(fields, self.key, place, self.line_break)
            title = read_text(fields, "title", place, None) if fields.get("title") else ""
            if title and ("_id" in fields if self.titles is None else self.titles):
                text = f"{title}\n{text}"
            if is_blank(text):
                self.blank += 1
                continue
            item = {"id": id, "text": text, "metadata": {"title": title} if title else {}}
            try:
                yield check_streamed(item, 0), place
            except InputError as error:
                raise InputError(f"{place}: {error}") from None


def _notes(queries: QueriesFile, judged: Judged) -> tuple[str, ...]:
    repeated = f"{judged.repeated:,} judgements that are there twice count once."
    return (*queries.notes(), *([repeated] if judged.repeated else []))


def _objects(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    for number, line in numbered_lines(path):
        if line.strip():
            place = f"{path}, line {number}"
            yield parse_object(line, place), place


def _folder(folder: Path | str) -> Path:
    home = Path(folder).expanduser()
    if not home.is_dir():
        raise InputError(
            f"{home} is no folder; it should hold corpus.jsonl, queries.jsonl and the judgements."
        )
    return home


def _named(path: Path | str | None, home: Path | None, default: str, what: str) -> Path:
    if path is not None:
        return Path(path).expanduser()
    if home is None:
        raise ConfigError(f"no file of {what} was named; give a folder, or {what}=.")
    return find_file(home, default)


def find_file(home: Path, name: str) -> Path:
    """Return a file of a folder, or the packed one in its place."""
    packed = home / f"{name}.gz"
    return packed if packed.is_file() and not (home / name).exists() else home / name


def find_judgements(home: Path | None, split: str) -> Path:
    """Return the file of judgements of a folder, BEIR's of a split included.

    Raises:
        ConfigError: there is no folder.
        InputError: it holds none.
    """
    if home is None:
        raise ConfigError("no file of judgements was named; give a folder, or qrels=.")
    names = ("qrels.jsonl", "qrels.tsv", "qrels.txt", "qrels.trec", f"qrels/{split}.tsv")
    for name in names:
        if (path := find_file(home, name)).is_file():
            return path
    there = sorted(path.name for path in (home / "qrels").glob("*.tsv*"))
    more = f" Its folder qrels holds {', '.join(there)}." if there else ""
    raise InputError(f"{home} holds no judgements under {', '.join(names)}.{more}")


def _languages(folder: Path) -> tuple[str, ...]:
    """Return the keys that hold a text both in the first passage and in the first query."""
    found = []
    for name in ("corpus.jsonl", "queries.jsonl"):
        path = find_file(folder, name)
        first = next(_objects(path), None) if path.is_file() else None
        if first is None or "text" in first[0]:
            return ()
        found.append([key for key, value in first[0].items() if isinstance(value, str)])
    return tuple(key for key in found[0] if key in found[1] and key not in _SKIPPED)
