"""The one rule for texts, ids and metadata that come in, wherever they come from.

Blank texts are left out, metadata values with an obvious form in JSON are translated, characters
that no index can keep are replaced, and ids are brought into one normal form. What cannot be made
good is refused by name.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, shown, typed
from ..filters.strings import composed
from ..types import Metadata, Passage
from .characters import find_unstorable, is_blank, storable
from .json_values import JsonObject, to_json_object

_SHOWN = 40
_DIGITS = 32


class Intake:
    """Takes passages in, and remembers what it left out, replaced or translated; one a call.

    Args:
        strict: refuse whatever would not come back as it was given, instead of making it good.

    Example:
        >>> intake = Intake()
        >>> intake.passage(" ", "page-1", None, "page 1") is None
        True
        >>> intake.passage("Hold the key.", "page-2", {"on": (1, 2)}, "page 2").metadata
        {'on': [1, 2]}
        >>> intake.left_out
        1
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self._blank, self._translated, self._replaced = _Remark(), _Remark(), _Remark()

    @property
    def left_out(self) -> int:
        """How many passages were blank until now."""
        return self._blank.number

    def passage(self, text: object, id: object, metadata: object, what: object) -> Passage | None:
        """Return a passage as it is to be stored.

        Args:
            text: its text.
            id: its id; :func:`content_id` when None.
            metadata: its metadata; none when None.
            what: how messages name it, such as ``"text 3"``; only its ``str()`` counts.

        Returns:
            The passage, which shares nothing with what was given; None for one that is blank and
            left out.

        Raises:
            InputError: something that cannot be made good; with ``strict``, anything at all that
                would not come back as it was.
        """
        known = None if id is None else self.id(id, what, of="the id of ")
        given = _string(text, what)
        if is_blank(given):
            self._leave_out(given, what)
            return None
        odd = self._odd(given, what)
        if odd is None and known is not None:
            odd = self._odd(_string(id, what), f"the id of {what}")
        read = self._metadata(metadata, what)
        if read.translated:
            self._translated.add(read.translated)
        if first := odd or read.replaced:
            self._replaced.add(first)
        cleaned = storable(given)
        return Passage(known or content_id(cleaned, read.value), cleaned, read.value)

    def id(self, id: object, what: object, *, of: str = "") -> str:
        """Return an id as it is stored, and looked for: storable, in Unicode's normal form C.

        Args:
            id: the id.
            what: how messages name it.
            of: stands before that.

        Raises:
            InputError: it is no string, or empty; with ``strict``, it would be another one.
        """
        if not isinstance(id, str):
            raise InputError(f"{of}{what} must be a string, not {typed(id)}; write str(id).")
        if not id:
            raise InputError(
                f"{of}{what} is empty; give each passage an id, or None to have one made."
            )
        given = str.__str__(id)
        result = composed(storable(given))
        if self.strict and result != given:
            odd = find_unstorable(given)
            raise InputError(
                f"{of}{what} holds {odd}; remove it."
                if odd
                else f"{of}{what} is {shown(given)} in decomposed letters; write "
                "unicodedata.normalize('NFC', id)."
            )
        return result

    def text(self, text: object, what: object) -> str:
        """Return a text as it is stored; blanks are not looked for.

        Raises:
            InputError: it is no string; with ``strict``, it holds what cannot be stored.
        """
        given = _string(text, what)
        if odd := self._odd(given, what):
            self._replaced.add(odd)
        return storable(given)

    def candidate(self, text: object, what: object) -> str:
        """Return a text as it can be encoded, and a blank one as it is.

        Raises:
            InputError: see :meth:`text`; with ``strict``, it is blank.
        """
        given = _string(text, what)
        if not is_blank(given):
            return self.text(given, what)
        if self.strict:
            self._leave_out(given, what)
        return given

    def remark(self) -> str | None:
        """Say in one line what was left out, translated and replaced; None if nothing was."""
        parts = [
            self._blank.sentence("{} blank {passages} left out"),
            self._translated.sentence("the metadata of {} {passages} translated to JSON"),
            self._replaced.sentence("characters that cannot be stored, in {} {passages}, replaced"),
        ]
        told = [part for part in parts if part]
        return "; ".join(told) + "." if told else None

    def report(self, logger: logging.Logger) -> None:
        """Log :meth:`remark` as one warning, if there is something to tell."""
        if remark := self.remark():
            logger.warning("%s", remark)

    def _odd(self, text: str, what: object) -> str | None:
        """Say in words what of a text is going to be replaced."""
        if (odd := find_unstorable(text)) is None:
            return None
        if self.strict:
            raise InputError(
                f"{what} holds {odd}, which cannot be stored. Remove it, or leave out strict=True."
            )
        return f"{what} holds {odd}"

    def _leave_out(self, text: str, what: object) -> None:
        if self.strict:
            raise InputError(f"{what} is empty: {text[:_SHOWN]!r}. Leave it out.")
        self._blank.add(str(what))

    def _metadata(self, metadata: object, what: object) -> JsonObject:
        if metadata is None:
            return JsonObject({}, None, None)
        if not isinstance(metadata, Mapping):
            raise InputError(
                f"metadata of {what} must be a mapping or None, not {typed(metadata)}."
            )
        return to_json_object(metadata, what, strict=self.strict)


@dataclass
class _Remark:
    """How often something was met, and where first."""

    number: int = field(default=0, init=False)
    first: str = field(default="", init=False)

    def add(self, first: str) -> None:
        self.first = self.first or first
        self.number += 1

    def sentence(self, what: str) -> str:
        """Fill in how many passages it were, and name the first; empty without any."""
        if not self.number:
            return ""
        passages = "passage" if self.number == 1 else "passages"
        first = self.first if self.number == 1 else f"first: {self.first}"
        return f"{what.format(f'{self.number:,}', passages=passages)} ({first})"


def _string(text: object, what: object) -> str:
    if not isinstance(text, str):
        raise InputError(f"{what} must be a string, not {typed(text)}.")
    return str.__str__(text)


def content_id(text: str, metadata: Metadata) -> str:
    """Return the id of a passage that was given none: a digest of its text and metadata.

    Args:
        text: the text, as it is stored.
        metadata: a JSON object.

    Returns:
        32 hexadecimal digits, the same for the same content in every process.

    Example:
        >>> content_id("Hold the reset key.", {}) == content_id("Hold the reset key.", {})
        True
    """
    content = json.dumps([text, metadata], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()[:_DIGITS]


def plain_metadata(metadata: Metadata, *, strict: bool = False) -> dict[str, Any]:
    """Return metadata as an index keeps them: dates, sets, NumPy's numbers and so on as JSON.

    Args:
        metadata: a mapping, such as a loader of documents makes.
        strict: refuse whatever would not come back as it was.

    Returns:
        A JSON object that shares nothing with the mapping.

    Raises:
        InputError: no mapping, or a value without an obvious form in JSON, by its name.

    Example:
        >>> import datetime
        >>> plain_metadata({"created": datetime.date(2024, 1, 5), "size": (210, 297)})
        {'created': '2024-01-05', 'size': [210, 297]}
    """
    return Intake(strict=strict)._metadata(metadata, "the passage").value
