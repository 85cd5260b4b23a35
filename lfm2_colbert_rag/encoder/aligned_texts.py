"""Questions and the passages that answer them, the same in several languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._support.safe_json import JsonError, parse_json
from ..errors import InputError, shown

_BUNDLED = Path(__file__).with_name("aligned.json")
_LEAST = 4  # texts: half of them tell how well the other half did
_QUESTION, _PASSAGE = "question", "passage"


@dataclass(frozen=True)
class AlignedTexts:
    """Texts that mean the same, language by language.

    Attributes:
        questions: of each language, in one order for all.
        passages: what answers them, in that order.
        name: where they are from, for people.

    Raises:
        InputError: fewer than two languages or four texts, or not the same number in each.

    Example:
        >>> texts = AlignedTexts.bundled()
        >>> len(texts.languages), texts.questions["es"][3]
        (17, '¿Cuándo está cerrado el museo?')
    """

    questions: Mapping[str, tuple[str, ...]]
    passages: Mapping[str, tuple[str, ...]]
    name: str

    def __post_init__(self) -> None:
        """Refuse what nothing can be learned from."""
        counts = {len(one) for side in (self.questions, self.passages) for one in side.values()}
        if len(self.questions) < 2 or len(counts) != 1 or min(counts) < _LEAST:
            raise InputError(
                f"aligned texts are at least {_LEAST} texts in at least 2 languages, as many in "
                f"each; {self.name} has {len(self.questions)} languages, texts {sorted(counts)}."
            )

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages, in the order of the file."""
        return tuple(self.questions)

    def __len__(self) -> int:
        """Return the number of texts in each language."""
        return len(self.questions[self.languages[0]])

    @classmethod
    def bundled(cls) -> AlignedTexts:
        """Return those that come with the library: everyday matters in 17 languages."""
        found: dict[str, list[dict[str, str]]] = parse_json(_BUNDLED.read_bytes())
        questions, passages = (
            {language: tuple(one[side] for one in texts) for language, texts in found.items()}
            for side in (_QUESTION, _PASSAGE)
        )
        return cls(questions, passages, "the bundled texts")

    @classmethod
    def read(cls, path: Path) -> AlignedTexts:
        """Read a file of JSON lines, one a text, with an entry a language.

        An entry is ``{"question": …, "passage": …}``, or a text that serves as both. Texts that
        lack a language that the first has are left out.

        Raises:
            InputError: the file is none of these; the message names the line.
            OSError: it cannot be read.
        """
        rows = [
            _row(line, f"{path}, line {number}")
            for number, line in enumerate(path.read_bytes().splitlines(), 1)
            if line.strip()
        ]
        languages = list(rows[0]) if rows else []
        whole = [row for row in rows if all(language in row for language in languages)]
        return cls(
            {language: tuple(row[language][0] for row in whole) for language in languages},
            {language: tuple(row[language][1] for row in whole) for language in languages},
            str(path),
        )


def _row(line: bytes, where: str) -> dict[str, tuple[str, str]]:
    try:
        found = parse_json(line)
    except JsonError as error:
        raise InputError(f"{where} is no JSON ({error}).") from None
    if not isinstance(found, dict):
        raise InputError(f"{where} is no object with an entry a language: {shown(found)}.")
    return {language: _pair(entry, f"{where}, {language!r}") for language, entry in found.items()}


def _pair(entry: Any, where: str) -> tuple[str, str]:
    """Return question and passage."""
    both: Iterable[Any] = (entry, entry)
    if isinstance(entry, dict):
        both = (entry.get(_QUESTION), entry.get(_PASSAGE))
    question, passage = both
    for one in (question, passage):
        if not isinstance(one, str) or not one.strip():
            raise InputError(
                f"{where}: an entry is a text, or an object with {_QUESTION!r} and {_PASSAGE!r}, "
                f"not {shown(entry)}."
            )
    return question, passage
