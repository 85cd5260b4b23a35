"""Passages that come as parallel lists: one slot a text, and each id once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError, shown
from ..types import AddedIds, Passage
from .intake import Intake, content_id


@dataclass(frozen=True)
class Checked:
    """Passages that were given as parallel lists, checked.

    Attributes:
        slots: one a text: the passage; None where it is blank, or equals one before it.
        ids: one a text, also of those that are left out.
        left_out: places of blank texts.
        intake: what was made good on the way.
    """

    slots: tuple[Passage | None, ...]
    ids: tuple[str, ...]
    left_out: tuple[int, ...]
    intake: Intake

    @property
    def passages(self) -> list[Passage]:
        """Those to be stored, each id once."""
        return [passage for passage in self.slots if passage is not None]

    @property
    def added(self) -> AddedIds:
        """What the caller is told."""
        return AddedIds(self.ids, self.left_out)


def fill_slots(
    texts: Sequence[object], ids: Sequence[object], metadata: Sequence[object], intake: Intake
) -> Checked:
    """Take in passages that may come twice.

    Args:
        texts: their texts.
        ids: as many ids; None for those that are made of the content.
        metadata: as many mappings, or None.
        intake: takes them in.

    Raises:
        InputError: one cannot be taken in, or two that differ have one id.
    """
    for place, id in enumerate(ids):  # whoever mixed them up with texts is told that first
        if id is not None:
            intake.id(id, f"id {place}")
    slots = _Slots(intake)
    for place, fields in enumerate(zip(texts, ids, metadata, strict=True)):
        slots.add(place, *fields)
    return slots.checked()


class _Name:
    """Names a text in messages, if there are any."""

    __slots__ = ("_id", "_place")

    def __init__(self, place: int, id: object) -> None:
        self._place = place
        self._id = id

    def __str__(self) -> str:
        named = "" if self._id is None else f" (id {shown(self._id)})"
        return f"text {self._place}{named}"


class _Slots:
    """The slots that are filled until now."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._first: dict[str, int] = {}
        self._slots: list[Passage | None] = []
        self._ids: list[str] = []
        self._left_out: list[int] = []

    def add(self, place: int, text: object, id: object, metadata: object) -> None:
        """Take one text in, or leave its slot empty."""
        passage = self._intake.passage(text, id, metadata, _Name(place, id))
        if passage is None:
            self._left_out.append(place)
            known = content_id(str(text), {}) if id is None else self._intake.id(id, f"id {place}")
        else:
            known = passage.id
            passage = passage if self._is_new(passage, place, id) else None
        self._ids.append(known)
        self._slots.append(passage)

    def checked(self) -> Checked:
        """Return all slots."""
        return Checked(tuple(self._slots), tuple(self._ids), tuple(self._left_out), self._intake)

    def _is_new(self, passage: Passage, place: int, id: object) -> bool:
        first = self._first.setdefault(passage.id, place)
        if first == place:
            return True
        before = self._slots[first]
        assert before is not None  # the place of a passage that was kept
        if not _same(before, passage):
            raise InputError(
                f"id {shown(passage.id)} is given twice, for texts {first} and {place}, which "
                "differ; give each passage an id of its own."
            )
        if self._intake.strict:
            named = "" if id is None else f"id {shown(id)} is given twice: "
            raise InputError(
                f"{named}texts {first} and {place} are the same passage; give each once, or an id "
                "of its own."
            )
        return False


def _same(one: Passage, other: Passage) -> bool:
    """Tell whether two passages are equal as JSON, in which True is not 1."""
    return content_id(one.text, one.metadata) == content_id(other.text, other.metadata)
