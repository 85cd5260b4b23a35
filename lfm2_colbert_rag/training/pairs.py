"""Labels in the forms that people have them: judgements, pairs, triplets, a log of clicks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .._support.lines import numbered_lines, parse_object
from .._support.paths import absolute_path
from ..errors import InputError, shown, typed
from .labels import Labelled, Labels, merged, require_questions
from .resolving import Resolver

if TYPE_CHECKING:
    from ..evaluation import Dataset
    from ..retriever import Retriever

__all__ = ["PairsLike", "read_judgements", "read_pairs"]

PairsLike: TypeAlias = "str | PathLike[str] | Mapping[str, Any] | Iterable[Any] | Dataset"
"""Labels: a file, a folder of judgements, ``{question: answers}``, pairs or triplets, a dataset."""

_QUESTION = ("query", "question")
# Under these names a line has what answers the question, and under those what does not.
_ANSWERS = ("id", "text", "positive", "positives", "pos", "clicked")
_NEGATIVES = ("negative", "negatives", "neg")
_FORMS = (
    '{"query", "id"}, {"query", "text"}, {"query", "positive", "negatives"}, '
    '{"query", "pos", "neg"} and {"query", "clicked"}'
)


@dataclass(frozen=True)
class _Said:
    """What one line says: a question, and names of passages, which are ids or texts."""

    question: str
    answers: tuple[str, ...]
    negatives: tuple[str, ...]


def read_pairs(retriever: Retriever, pairs: PairsLike) -> Labels:
    """Read labels, and find the passages that they name.

    A passage is named by its id, or by its whole text, with or without its title. What comes again
    counts once, and all answers of one question belong together.

    Args:
        retriever: the index.
        pairs: a file of JSON lines, each ``{"query", "id"}``, ``{"query", "text"}``, ``{"query",
            "positive", "negatives"}``, ``{"query", "pos", "neg"}`` or ``{"query", "clicked"}``; a
            folder with ``queries.jsonl`` and judgements, as :func:`~..evaluation.load_dataset`
            reads; a dataset; ``{question: passage}``; or pairs ``(question, passage)`` and triplets
            ``(question, passage, negatives)``. A passage may be a list of several.

    Raises:
        InputError: a line that cannot be used, which the message names; or no question has an
            answer in the index.
        OSError: a file cannot be read.
    """
    from ..evaluation import Dataset

    if isinstance(pairs, Dataset):
        return _of_dataset(retriever, pairs)
    if isinstance(pairs, str | PathLike):
        path = absolute_path(pairs)
        if path.is_dir():
            return _of_dataset(retriever, _load_folder(path))
        return _resolved(retriever, list(_of_file(path)), path.name)
    return _resolved(retriever, list(_of_objects(pairs)), "the pairs")


def read_judgements(retriever: Retriever, queries: Path | str, qrels: Path | str) -> Labels:
    """Read a file of queries and one of judgements, as ``lfm2-colbert evaluate`` does.

    Raises:
        InputError, OSError: see :func:`read_pairs`.
    """
    from ..evaluation import load_dataset

    return _of_dataset(retriever, load_dataset(queries=queries, qrels=qrels, missing="keep"))


def _load_folder(folder: Path) -> Dataset:
    """Read the judgements of a folder; where BEIR split them, those that are for training."""
    from ..evaluation.loading import find_file, find_judgements, load_dataset

    split = "train" if (folder / "qrels" / "train.tsv").is_file() else "test"
    queries, qrels = find_file(folder, "queries.jsonl"), find_judgements(folder, split)
    return load_dataset(queries=queries, qrels=qrels, missing="keep")


def _of_dataset(retriever: Retriever, dataset: Dataset) -> Labels:
    wanted = {id for grades in dataset.qrels.values() for id in grades}
    known = Resolver(retriever, wanted, by_text=False)
    found, dropped = [], 0
    for query, text in dataset.judged().items():
        said = dataset.qrels[query]
        grades = {id: grade for id, grade in said.items() if known.ids(id)}
        if any(grade > 0 for grade in grades.values()):
            found.append(Labelled(text, grades))
        else:
            dropped += any(grade > 0 for grade in said.values())
    labels = Labels(merged(found), known.missing, dropped)
    require_questions(labels, dataset.name)
    return labels


def _resolved(retriever: Retriever, said: list[_Said], source: str) -> Labels:
    names = {name for one in said for name in (*one.answers, *one.negatives)}
    known = Resolver(retriever, names)
    found, lost = [], set()
    for one in said:
        grades = {id: 1 for name in one.answers for id in known.ids(name)}
        negatives = (id for name in one.negatives for id in known.ids(name) if id not in grades)
        if grades:
            found.append(Labelled(one.question, grades, tuple(dict.fromkeys(negatives))))
        else:
            lost.add(one.question)
    questions = merged(found)
    labels = Labels(questions, known.missing, len(lost - {one.question for one in questions}))
    require_questions(labels, source)
    return labels


def _of_file(path: Path) -> Iterator[_Said]:
    for number, line in numbered_lines(path):
        if line.strip():
            place = f"{path.name}, line {number}"
            fields = parse_object(line, place)
            if fields.get("clicked") != []:  # a question after which nothing was opened
                yield _of_fields(fields, place)


def _of_objects(pairs: object) -> Iterator[_Said]:
    if isinstance(pairs, Mapping):
        pairs = list(pairs.items())
    if not isinstance(pairs, Iterable):
        raise InputError(
            f"pairs must be a file, a folder, a mapping or a list, not {typed(pairs)}."
        )
    for number, one in enumerate(pairs):
        place = f"pair {number:,}"
        if isinstance(one, Mapping):
            yield _of_fields(one, place)
        elif isinstance(one, tuple | list) and len(one) in (2, 3):
            question, answers, *negatives = one
            yield _said(question, answers, negatives[0] if negatives else (), place)
        else:
            raise InputError(
                f"{place}: a pair is (question, passage), a triplet (question, passage, "
                f"negatives), and not {shown(one)}."
            )


def _of_fields(fields: Mapping[str, Any], place: str) -> _Said:
    question = next((fields[name] for name in _QUESTION if name in fields), None)
    answers = [name for name in _ANSWERS if name in fields]
    if question is None or len(answers) != 1:
        raise InputError(f"{place}: it has {', '.join(map(str, fields))}; lines are {_FORMS}.")
    negatives = next((fields[name] for name in _NEGATIVES if fields.get(name)), ())
    return _said(question, fields[answers[0]], negatives, place)


def _said(question: object, answers: object, negatives: object, place: str) -> _Said:
    if not isinstance(question, str) or not question.strip():
        raise InputError(f"{place}: the question must be a text, not {typed(question)}.")
    named = _names(answers, place)
    if not named:
        raise InputError(f"{place}: the question {shown(question)} has no passage; name one.")
    return _Said(question.strip(), named, _names(negatives, place))


def _names(given: object, place: str) -> tuple[str, ...]:
    """Return the names of passages, of which one may stand by itself."""
    several = given if isinstance(given, list | tuple | set | frozenset) else [given]
    named = []
    for one in several:
        if isinstance(one, int) and not isinstance(one, bool):
            one = str(one)  # many exports number their rows
        if not isinstance(one, str) or not one.strip():
            raise InputError(
                f"{place}: a passage is named by its id or its text, not by {typed(one)}."
            )
        named.append(one)
    return tuple(named)
