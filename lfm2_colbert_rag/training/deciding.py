"""The rules of the gate: when a model may take the place of the present one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..evaluation.statistics import holm
from .verdict import Figure

__all__ = ["corrected", "reasons_against"]

LEAST = 30
"""Judged questions below which nothing is proven: they show a gain of .06 at best."""
LEVEL = 0.05
"""p below which a difference is no chance."""
DROP = 0.01
"""What a guard, or a way of searching, may lose at most."""


def corrected(judged: Mapping[str, float], model: str) -> float:
    """Correct a model's p for all models that were judged on the same questions.

    Example:
        >>> corrected({"first": 0.5, "second": 0.02}, "second")
        0.04
    """
    return holm(judged)[model]


def reasons_against(
    tests: Sequence[Figure], guards: Sequence[Figure], *, quoted: float = 0.0
) -> tuple[str, ...]:
    """Return why a model may not take the place of the present one; nothing where it may.

    Late interaction, which is all that a model changes, must gain by more than chance; and no way
    of searching may lose.

    Args:
        tests: of the judging questions, one a mode, late interaction first and with corrected p.
        guards: of the guards.
        quoted: the share of the judging questions that quote their passage.
    """
    return tuple(_reasons(tests, guards, quoted))


def _reasons(tests: Sequence[Figure], guards: Sequence[Figure], quoted: float) -> Iterator[str]:
    if not tests or not tests[0].questions:
        yield "No labelled question judges it, so that nothing is proven."
        return
    if tests[0].questions < LEAST:
        yield (
            f"{tests[0].questions} judged questions prove nothing; label so many that at least "
            f"{LEAST} judge."
        )
    if quoted > 0.5:
        yield (
            f"{quoted:.0%} of the judging questions quote their passage word for word: any model "
            "answers them, and they say nothing about others."
        )
    lost = [one for one in tests if _loses(one)]
    yield from (f"The questions lose with {one.mode} search: {_told(one)}." for one in lost)
    if not lost and not _gains(tests[0]):
        yield f"No gain is proven: {_told(tests[0])} with {tests[0].mode} search."
    for one in guards:
        if _loses(one):
            yield f"It forgets: the guard {one.name!r} falls, {_told(one)}."


def _gains(one: Figure) -> bool:
    return one.gain > 0 and one.corrected is not None and one.corrected < LEVEL


def _loses(one: Figure) -> bool:
    return round(one.gain, 6) < -DROP or (one.gain < 0 and one.p < LEVEL)


def _told(one: Figure) -> str:
    p = one.p if one.corrected is None or one.gain < 0 else one.corrected
    return f"nDCG@10 {one.before:.3f} → {one.after:.3f} ({one.gain:+.3f}, p {p:.4f})"
