"""Files of judgements: JSON Lines, TREC's four columns, BEIR's three."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._support.lines import numbered_lines, parse_object
from ..errors import InputError
from .datasets import grade_problem

__all__ = ["Judgements"]

_QUERY = ("query", "query_id", "query-id", "qid")
_PASSAGE = ("doc", "doc_id", "passage", "passage_id", "corpus-id", "corpus_id", "docid", "pid")
_GRADE = ("score", "relevance", "grade", "label", "rel")
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)


@dataclass(frozen=True)
class Judgements:
    """A file of judgements, one a line; its form is known by its lines, not by its name.

    JSON: ``{"query": …, "doc": …, "score": …}``, where the score is 1 if it is left out. TREC:
    query, anything, passage, grade, with white space between. BEIR: query, passage, grade, with
    tabs between, and a header or none.

    Attributes:
        path: the file.
    """

    path: Path

    def read(self) -> dict[str, dict[str, int]]:
        """Return the grade of each judged passage of each query.

        Raises:
            InputError: a line that cannot be used, a passage that is judged twice for a query,
                or no judgement at all; the message names file and line.
        """
        qrels: dict[str, dict[str, int]] = {}
        for place, query, passage, grade in self._lines():
            grades = qrels.setdefault(query, {})
            if passage in grades:
                first = self.place(query, passage)
                raise InputError(
                    f"{place}: passage {passage!r} is judged for query {query!r} before, in "
                    f"{first}. Keep one of the two."
                )
            grades[passage] = grade
        if not qrels:
            raise InputError(f"{self.path} holds no judgement.")
        return qrels

    def place(self, query: str, passage: str) -> str:
        """Return the file and line of a judgement, by reading again until it comes."""
        for place, asked, judged, _ in self._lines():
            if (asked, judged) == (query, passage):
                return place
        return str(self.path)

    def _lines(self) -> Iterator[tuple[str, str, str, int]]:
        first = True
        for number, line in numbered_lines(self.path):
            place = f"{self.path}, line {number}"
            if not line.strip():
                continue
            if line.lstrip().startswith("{"):
                yield place, *_from_object(parse_object(line, place), place)
            elif not (first and _is_header(line)):
                yield place, *_from_columns(line, place)
            first = False


def _from_object(fields: dict[str, Any], place: str) -> tuple[str, str, int]:
    query, passage = (_pick(fields, names, place) for names in (_QUERY, _PASSAGE))
    given = [fields[name] for name in _GRADE if name in fields]
    return query, passage, _check_grade(given[0], place) if given else 1


def _check_grade(grade: Any, place: str) -> int:
    if problem := grade_problem(grade):
        raise InputError(f"{place}: {problem}")
    return int(grade)


def _pick(fields: dict[str, Any], names: tuple[str, ...], place: str) -> str:
    for name in names:
        value = fields.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and value:
            return value
    raise InputError(
        f"{place}: a judgement needs an id under {names[0]!r}; this one has {', '.join(fields)}."
    )


def _is_header(line: str) -> bool:
    """Tell whether a first line names columns: BEIR's does, with 'score' where grades are."""
    last = line.split()[-1].lower()
    return last in _GRADE and len(_columns(line)) in (3, 4)


def _columns(line: str) -> list[str]:
    """Split at tabs where ids may hold spaces, that is in BEIR's form; else at white space."""
    by_tabs = [part.strip() for part in line.rstrip("\r\n").split("\t")]
    return by_tabs if len(by_tabs) in (3, 4) else line.split()


def _from_columns(line: str, place: str) -> tuple[str, str, int]:
    columns = _columns(line)
    if len(columns) not in (3, 4) or not all(columns):
        raise InputError(
            f"{place}: {len(columns)} columns, but a judgement has four (query, 0, passage, grade: "
            f"TREC) or three with tabs between (query, passage, grade: BEIR): {line.strip()[:60]!r}"
        )
    query, passage, grade = columns[0], columns[-2], columns[-1]
    if not _WHOLE.fullmatch(grade):
        raise InputError(
            f"{place}: the grade {grade!r} is no whole number; 0 is not relevant, 1 or more is."
        )
    return query, passage, _check_grade(int(grade), place)
