"""What a model is trained on: a question, and passages by their ids."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError, shown, typed


@dataclass(frozen=True)
class Example:
    """A question, the ids of passages that answer it, and of some that do not.

    Attributes:
        question: its text.
        positives: ids of passages that answer it, at least one.
        negatives: ids of passages that do not, mined or judged.

    Raises:
        InputError: the question is blank, there is no positive, an id is no string, or one is on
            both sides.

    Example:
        >>> Example("Where is the reset key?", ("reset",), ("coffee",)).positives
        ('reset',)
    """

    question: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what nothing can be learned from."""
        if not isinstance(self.question, str) or not self.question.strip():
            raise InputError(
                f"the question of an example must be text, not {typed(self.question)}."
            )
        for name in ("positives", "negatives"):
            ids = getattr(self, name)
            if not isinstance(ids, tuple) or not all(isinstance(one, str) for one in ids):
                raise InputError(
                    f"{name} of an example must be a tuple of ids (strings), not {typed(ids)}."
                )
        if not self.positives:
            raise InputError(
                f"the example {shown(self.question)} names no passage that answers it; name one."
            )
        both = sorted(set(self.positives) & set(self.negatives))
        if both:
            raise InputError(
                f"the example {shown(self.question)} names {shown(both[0])} both as an answer and "
                "as none; leave it out on one side."
            )
