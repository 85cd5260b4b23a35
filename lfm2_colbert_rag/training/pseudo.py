"""Questions for an index without labels: titles, first sentences, or of the user's own making.

They teach a model the words of its texts, and prove nothing: nobody asked them. What a question
was taken from is left out of its passage, else it would quote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .._support.characters import is_blank
from ..errors import InputError, shown, typed
from .labels import Labelled, Labels, merged, require_questions

if TYPE_CHECKING:
    from ..retriever import Retriever
    from ..types import Passage

__all__ = ["Generate", "body_of", "own_questions", "taken_from"]

Generate: TypeAlias = Callable[[str], Iterable[str]]
"""A function of the user's own: the text of a passage in, questions that it answers out."""

MOST = 2_000
"""Passages that are made questions of at most, evenly over the index."""
_LEAST = 3  # words, or characters where a script has no blanks, of a question and of what is left
_LONGEST_TITLE = 200  # characters
# The first end of a sentence; what abbreviates a word has a letter or a digit after its stop.
_END = re.compile(r"(?<=[.!?])\s+(?=\W?[^\W\d_a-z])|(?<=[。！？।؟])\s*|\n\s*\n")
_HEADING = re.compile(r"\s*(?:#+\s*)?(?P<title>[^\n]+?)\s*#*\s*\n(?P<body>.*)", re.DOTALL)


@dataclass(frozen=True)
class _Taken:
    """A question out of a passage, and what is left of its text."""

    question: str
    body: str


def own_questions(
    retriever: Retriever, generate: Generate | None = None, *, most: int = MOST
) -> Labels:
    """Return questions that passages of an index answer by how they were made.

    Args:
        retriever: the index.
        generate: makes questions of a text, such as a language model on the same machine; what it
            gives is taken as it is. Without it the title is the question (metadata ``"title"``, or
            a first line that is a heading), else the first sentence.
        most: of so many passages at most.

    Raises:
        InputError: no passage gives a question, or ``generate`` gave something else than texts.
    """
    found: list[Labelled] = []
    for passage in retriever.passages(limit=most):
        for question in _questions(passage, generate):
            found.append(Labelled(question, {passage.id: 1}))
    labels = Labels(merged(found), pseudo=True)
    require_questions(labels, "the passages themselves (no title, and no second sentence)")
    return labels


def taken_from(passage: Passage) -> str | None:
    """Return the question that is taken from a passage itself; None where there is none."""
    taken = _taken(passage)
    return None if taken is None else taken.question


def body_of(passage: Passage) -> str:
    r"""Return a text without the title or the first sentence that :func:`taken_from` takes.

    Example:
        >>> from lfm2_colbert_rag import Passage
        >>> body_of(Passage("1", "# Reset of the router\nHold the key for ten seconds."))
        'Hold the key for ten seconds.'
    """
    taken = _taken(passage)
    return passage.text if taken is None else taken.body


def _questions(passage: Passage, generate: Generate | None) -> Iterator[str]:
    if generate is None:
        taken = taken_from(passage)
        if taken is not None:
            yield taken
        return
    made = generate(passage.text)
    if isinstance(made, str) or not isinstance(made, Iterable):
        raise InputError(f"generate must give a list of questions, not {typed(made)}.")
    for one in made:
        if not isinstance(one, str):
            raise InputError(f"generate must give questions that are texts, not {shown(one)}.")
        if not is_blank(one):
            yield one.strip()


def _taken(passage: Passage) -> _Taken | None:
    text = passage.text
    for found in (_by_metadata(passage), _by_heading(text), _by_sentence(text)):
        if found is not None and min(_words(found.question), _words(found.body)) >= _LEAST:
            return found
    return None


def _by_metadata(passage: Passage) -> _Taken | None:
    title = passage.metadata.get("title")
    if not isinstance(title, str) or is_blank(title):
        return None
    title = title.strip()
    rest = passage.text.lstrip().removeprefix(title)
    return _Taken(title, rest.lstrip(" \t.:–—-\r\n") or passage.text)


def _by_heading(text: str) -> _Taken | None:
    """Take a short first line that does not end as a sentence does."""
    match = _HEADING.fullmatch(text)
    if match is None or len(match["title"]) > _LONGEST_TITLE or is_blank(match["body"]):
        return None
    is_marked = text.lstrip().startswith("#")
    if not is_marked and match["title"][-1] in ".!;,:。！；，":
        return None
    return _Taken(match["title"], match["body"].strip())


def _by_sentence(text: str) -> _Taken | None:
    parts = _END.split(text.strip(), maxsplit=1)
    if len(parts) < 2 or is_blank(parts[1]):
        return None
    return _Taken(" ".join(parts[0].split()), parts[1].strip())


def _words(text: str) -> int:
    words = len(text.split())
    return words if words >= _LEAST or text.isascii() else len(text) // _LEAST
