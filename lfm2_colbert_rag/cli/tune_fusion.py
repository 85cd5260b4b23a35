"""``lfm2-colbert tune-fusion``: learn from judged queries how to search by meaning and words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from .options import IndexFolder, JsonFlag
from .output import echo_json, make_console

__all__ = ["tune_fusion"]


def tune_fusion(
    folder: IndexFolder,
    queries: Annotated[
        Path,
        typer.Option(help='JSON lines: {"id": ..., "text": ...}.', show_default=False),
    ],
    qrels: Annotated[
        Path,
        typer.Option(
            help='JSON lines: {"query": id, "doc": id, "score": grade}, or a TREC file.',
            show_default=False,
        ),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Learn how much words count in --mode hybrid, and remember it with the index.

    Some 30 judged queries are enough; where they do not show a gain, the default stays.
    """
    from ..retriever import Retriever

    texts = {
        str(_get(row, "id", queries)): str(_get(row, "text", queries)) for row in _rows(queries)
    }
    grades = _read_qrels(qrels)
    with Retriever.open(folder) as retriever:
        report = retriever.tune_fusion(texts, grades)
    if as_json:
        echo_json(report.to_dict())
        return
    result = "adopted" if report.adopted else "not adopted; the default stays"
    make_console().print(
        f"{report.measure} on {report.queries} queries: default {report.default:.4f}, learned "
        f"{report.learned:.4f} ({result}). The lexical weight is {report.fusion.weight:.3g}."
    )


def _read_qrels(path: Path) -> dict[str, dict[str, int]]:
    grades: dict[str, dict[str, int]] = {}
    with path.open(encoding="utf-8") as lines:
        is_json = lines.read(1) == "{"
    for row in _rows(path) if is_json else _trec(path):
        score = row.get("score", 1)
        if isinstance(score, bool) or not isinstance(score, int):
            raise InputError(f"{path} has the grade {score!r}; grades are whole numbers.")
        known = grades.setdefault(str(_get(row, "query", path)), {})
        known[str(_get(row, "doc", path))] = score
    return grades


def _trec(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        try:
            query, _, doc, grade = fields
            rows.append({"query": query, "doc": doc, "score": int(grade)})
        except ValueError:
            raise InputError(
                f"line {number} of {path} is not 'query 0 passage grade': {line[:60]!r}."
            ) from None
    return rows


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"line {number} of {path} is not JSON ({error}).") from None
        if not isinstance(row, dict):
            raise InputError(f"line {number} of {path} is not a JSON object: {line[:60]!r}.")
        rows.append(row)
    return rows


def _get(row: dict[str, Any], key: str, path: Path) -> Any:
    if key not in row:
        raise InputError(f"a line of {path} has no {key!r}: {json.dumps(row)[:80]}.")
    return row[key]
