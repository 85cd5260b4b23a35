"""Questions that are copied out of a passage: every model finds it, and nothing is proved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..filters.strings import composed

if TYPE_CHECKING:
    from ..retriever import Retriever
    from .labels import Labelled

_LEAST = 12  # letters of a question; what is shorter stands in many texts
_AT_ONCE = 500


def quoting(retriever: Retriever, questions: Sequence[Labelled]) -> list[int]:
    """Return the places of questions that stand in a passage which answers them.

    Upper and lower case and everything but letters and figures make no difference.
    """
    found = []
    for start in range(0, len(questions), _AT_ONCE):
        some = questions[start : start + _AT_ONCE]
        ids = sorted({id for one in some for id in one.positives})
        texts = {passage.id: _letters(passage.text) for passage in retriever.get(ids)}
        for place, one in enumerate(some, start):
            asked = _letters(one.question)
            if len(asked) >= _LEAST and any(asked in texts.get(id, "") for id in one.positives):
                found.append(place)
    return found


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, composed(text).casefold()))
