"""Datasets from files: our JSON Lines, BEIR's folders, TREC's judgements, XQuAD's languages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._support.lines import numbered_lines, parse_object
from .._support.validation import check_streamed
from ..errors import ConfigError, InputError
from ..types import Passage
from .datasets import Dataset, DatasetFamily, Missing
from .judgements import Judgements

__all__ = ["CorpusFile", "is_family", "load_dataset", "load_family"]

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
    name: str | None = None,
) -> Dataset:
    """Read a dataset from a folder or from single files.

    ``corpus.jsonl`` has a passage a line, ``{"id": …, "text": …}`` with an optional ``"title"``;
    ``queries.jsonl`` a query a line, ``{"id": …, "text": …}``, or lines of id, tab and text. BEIR
    writes ``"_id"``, which is fine. Judgements are JSON Lines, ``{"query": …, "doc": …,
    "score": …}``, TREC's four columns, or BEIR's three with or without their header. The corpus
    is read line by line, whenever it is gone through; it is never held in memory.

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
        missing: what becomes of judgements of passages that are not there; see
            :data:`~lfm2_colbert_rag.evaluation.datasets.Missing`.
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
    asked = _named(queries, home, "queries.jsonl", "queries")
    judged = Path(qrels).expanduser() if qrels is not None else _find_qrels(home, split)
    passages = None if corpus is None and home is None else _named(corpus, home, "corpus.jsonl", "")
    if home is not None and corpus is None and is_family(home):
        raise ConfigError(f"{home} is in several languages; say which with load_family.")
    judgements = Judgements(judged)
    return Dataset(
        None if passages is None else CorpusFile(passages, titles=titles, line_break=line_break),
        _read_queries(asked, "text", line_break),
        judgements.read(),
        name or (home or (passages or asked).parent).resolve().name,
        missing=missing,
        place=judgements.place,
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
    found = _languages(home)
    if not found:
        raise ConfigError(f"{home} is in one language only; read it with load_dataset.")
    name = home.resolve().name
    judgements = Judgements(_find_qrels(home, "test"))
    qrels = judgements.read()

    def make(asked: str, searched: str) -> Dataset:
        corpus = CorpusFile(
            home / "corpus.jsonl", key=searched, titles=titles, line_break=line_break
        )
        queries = _read_queries(home / "queries.jsonl", asked, line_break)
        return Dataset(
            corpus,
            queries,
            qrels,
            f"{name} {asked}→{searched}",
            (asked, searched),
            missing,
            judgements.place,
        )

    family = DatasetFamily(name, found, make)
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
            id = _id(fields, place)
            text = _text(fields, self.key, place, self.line_break)
            title = _text(fields, "title", place, None) if fields.get("title") else ""
            if title and ("_id" in fields if self.titles is None else self.titles):
                text = f"{title}\n{text}"
            if not text.strip():
                self.blank += 1
                continue
            item = {"id": id, "text": text, "metadata": {"title": title} if title else {}}
            try:
                yield check_streamed(item, 0), place
            except InputError as error:
                raise InputError(f"{place}: {error}") from None


def _read_queries(path: Path, name: str, line_break: str | None) -> dict[str, str]:
    queries: dict[str, str] = {}
    places: dict[str, int] = {}
    for number, line in numbered_lines(path):
        place = f"{path}, line {number}"
        if not line.strip():
            continue
        if line.lstrip().startswith("{"):
            fields = parse_object(line, place)
            id, text = _id(fields, place), _text(fields, name, place, line_break)
        else:
            id, text = (part.strip() for part in line.partition("\t")[::2])
            if "\t" not in line or not id:
                raise InputError(
                    f"{place}: neither a JSON object nor an id, a tab and a text, but "
                    f"{line.strip()[:40]!r}"
                )
        if not text.strip():
            raise InputError(f"{place}: query {id!r} is empty. Give it a text, or remove it.")
        if id in places:
            raise InputError(f"{place}: query {id!r} was there before, in line {places[id]}.")
        queries[id], places[id] = text, number
    if not queries:
        raise InputError(f"{path} holds no query.")
    return queries


def _objects(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    for number, line in numbered_lines(path):
        if line.strip():
            place = f"{path}, line {number}"
            yield parse_object(line, place), place


def _id(fields: dict[str, Any], place: str) -> str:
    id = fields.get("id", fields.get("_id"))
    if isinstance(id, int) and not isinstance(id, bool):
        return str(id)  # many exports number their rows
    if not isinstance(id, str) or not id:
        raise InputError(f"{place}: the id must be a text or a whole number, not {id!r:.40}.")
    return id


def _text(fields: dict[str, Any], name: str, place: str, line_break: str | None) -> str:
    text = fields.get(name)
    if not isinstance(text, str):
        found = f"it is {text!r:.40}" if name in fields else f"there is no {name!r}"
        raise InputError(f"{place}: the text is under {name!r}, and {found}.")
    return text if line_break is None else text.replace(line_break, "\n")


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
    return home / default


def _find_qrels(home: Path | None, split: str) -> Path:
    if home is None:
        raise ConfigError("no file of judgements was named; give a folder, or qrels=.")
    names = ("qrels.jsonl", "qrels.tsv", "qrels.txt", "qrels.trec", f"qrels/{split}.tsv")
    for name in names:
        if (home / name).is_file():
            return home / name
    there = sorted(path.name for path in (home / "qrels").glob("*.tsv"))
    more = f" Its folder qrels holds {', '.join(there)}." if there else ""
    raise InputError(f"{home} holds no judgements under {', '.join(names)}.{more}")


def _languages(folder: Path) -> tuple[str, ...]:
    """Return the keys that hold a text both in the first passage and in the first query."""
    found = []
    for name in ("corpus.jsonl", "queries.jsonl"):
        path = folder / name
        first = next(_objects(path), None) if path.is_file() else None
        if first is None or "text" in first[0]:
            return ()
        found.append([key for key, value in first[0].items() if isinstance(value, str)])
    return tuple(key for key in found[0] if key in found[1] and key not in _SKIPPED)
