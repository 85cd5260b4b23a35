"""Files of judgements: JSON Lines, TREC's four columns, BEIR's three, tables with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._support.lines import numbered_lines, parse_object
from ..errors import InputError
from ..filters.strings import composed
from .grades import read_grade

__all__ = ["Judged", "Judgements"]

# Names of columns and of keys in JSON, in lower case and with hyphens.
_QUERY = ("query", "query-id", "qid", "queryid", "topic", "topic-id")
_PASSAGE = (
    *("doc", "doc-id", "docid", "docno", "document", "document-id", "passage", "passage-id"),
    *("corpus-id", "corpusid", "pid"),
)
_GRADE = ("score", "relevance", "grade", "label", "rel", "rating", "judgement", "judgment")
_WIDTHS = (3, 4)  # columns without a header
_DELIMITERS = ("\t", None, ",", ";")  # None: any white space


@dataclass(frozen=True)
class Judged:
    """What a file of judgements says.

    Attributes:
        qrels: the grade of each judged passage of each query, as it is written.
        repeated: judgements that are there more than once, with the same grade.
    """

    qrels: dict[str, dict[str, int]]
    repeated: int


@dataclass(frozen=True)
class _Columns:
    """Where a line of a table has what; the grade is 1 where there is no column of it."""

    delimiter: str | None
    query: int
    passage: int
    grade: int | None


@dataclass(frozen=True)
class Judgements:
    """A file of judgements, one a line; its form is known by its lines, not by its name.

    JSON: ``{"query": …, "doc": …, "score": …}``, where the score is 1 if it is left out. TREC:
    query, anything, passage, grade, with white space between. BEIR: query, passage, grade, with
    tabs between. With a header the columns may be in any order, with tabs, commas, semicolons or
    white space between, and there may be others. Quotation marks around a value are no part of it.

    Attributes:
        path: the file.
    """

    path: Path

    def read(self) -> Judged:
        """Return the judgements.

        Raises:
            InputError: a line that cannot be used, a passage with two grades for one query, or no
                judgement at all; the message names file and line.
        """
        qrels: dict[str, dict[str, int]] = {}
        repeated = 0
        for place, query, passage, grade in self._lines():
            grades = qrels.setdefault(query, {})
            known = grades.setdefault(passage, grade)
            if known != grade:
                raise InputError(
                    f"{place}: passage {passage!r} is judged for query {query!r} before, in "
                    f"{self.place(query, passage)}, with the grade {known} and not {grade}. Keep "
                    "one of the two."
                )
            repeated += 1
        if not qrels:
            raise InputError(f"{self.path} holds no judgement.")
        return Judged(qrels, repeated - sum(map(len, qrels.values())))

    def place(self, query: str, passage: str) -> str:
        """Return the file and line of a judgement, by reading again until it comes."""
        for place, asked, judged, _ in self._lines():
            if (asked, judged) == (query, passage):
                return place
        return str(self.path)

    def _lines(self) -> Iterator[tuple[str, str, str, int]]:
        columns: _Columns | None = None
        first = True
        for number, line in numbered_lines(self.path):
            place = f"{self.path}, line {number}"
            if not line.strip():
                continue
            if line.lstrip().startswith("{"):
                yield place, *_from_object(parse_object(line, place), place)
            elif first and (columns := _header(line)) is not None:
                pass
            elif not (first and _names_a_grade(line)):
                yield place, *_from_columns(line, columns, place)
            first = False


def _from_object(fields: dict[str, Any], place: str) -> tuple[str, str, int]:
    named = {_name(key): value for key, value in fields.items()}
    query, passage = (_pick(named, names, place) for names in (_QUERY, _PASSAGE))
    given = [named[name] for name in _GRADE if name in named]
    return query, passage, read_grade(given[0], place) if given else 1


def _pick(fields: dict[str, Any], names: tuple[str, ...], place: str) -> str:
    for name in names:
        value = fields.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and value:
            return composed(value)
    raise InputError(
        f"{place}: a judgement needs an id under {names[0]!r}; this one has {', '.join(fields)}."
    )


def _header(line: str) -> _Columns | None:
    """Read a first line that names columns; None if it does not."""
    for delimiter in _DELIMITERS:
        names = [_name(cell) for cell in _cells(line, delimiter)]
        query, passage, grade = (_place(names, known) for known in (_QUERY, _PASSAGE, _GRADE))
        if query is not None and passage is not None and not any(map(_is_number, names)):
            return _Columns(delimiter, query, passage, grade)
    return None


def _names_a_grade(line: str) -> bool:
    """Tell whether a first line ends with the name of a grade, whatever the others are called."""
    return _name(line.split()[-1].split(",")[-1]) in _GRADE


def _from_columns(line: str, columns: _Columns | None, place: str) -> tuple[str, str, int]:
    found = columns or _without_header(line, place)
    cells = _cells(line, found.delimiter)
    wanted = [found.query, found.passage, *([] if found.grade is None else [found.grade])]
    if len(cells) <= max(wanted) or not all(cells[column] for column in wanted):
        raise InputError(f"{place}: a column of the header is missing: {line.strip()[:60]!r}")
    query, passage = composed(cells[found.query]), composed(cells[found.passage])
    return query, passage, 1 if found.grade is None else read_grade(cells[found.grade], place)


def _without_header(line: str, place: str) -> _Columns:
    """Find the columns of a line in a file without a header, by their number."""
    for delimiter in _DELIMITERS:
        width = len(cells := _cells(line, delimiter))
        if width in _WIDTHS and all(cells):
            return _Columns(delimiter, 0, width - 2, width - 1)
    raise InputError(
        f"{place}: {len(line.split())} columns, but a judgement has four (query, 0, passage, "
        "grade: TREC) or three with tabs between (query, passage, grade: BEIR): "
        f"{line.strip()[:60]!r}"
    )


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter in (",", ";") and '"' in line:
        cells: Sequence[str] = next(csv.reader([line.strip()], delimiter=delimiter), [])
    else:
        cells = line.strip("\r\n").split(delimiter)
    return [_unquoted(cell.strip()) for cell in cells]


def _unquoted(cell: str) -> str:
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _name(text: str) -> str:
    return "-".join(_unquoted(text.strip()).lower().replace("_", " ").split())


def _place(names: Sequence[str], known: tuple[str, ...]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _is_number(text: str) -> bool:
    return text.lstrip("+-").replace(".", "", 1).isdecimal()
