"""What callers pass in, checked before anything is changed.

Each function names the offending passage and value, and says what to do instead.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence

from ..errors import ConfigError, InputError, shown, typed
from ..filters.meaning import matches_everything
from ..filters.parsing import LIMITS, Limits, parse_where
from ..filters.tree import Filter
from ..types import Passage, Where
from .characters import is_blank
from .intake import Intake
from .slots import Checked, fill_slots

_FIELDS = ("id", "text", "metadata")


def check_query(query: object, *, filtered: bool = False) -> str:
    """Return the query if it can be answered.

    Args:
        query: what was asked.
        filtered: it comes with a filter, and may then be blank.

    Raises:
        InputError: it is no string, blank, or holds a lone surrogate.
    """
    text = check_text(query, "the query")
    if not filtered and is_blank(text):
        raise InputError(
            f"the query {text!r} is empty; ask with at least one word, or with a filter (where) "
            "for all that match it."
        )
    return text


def check_queries(queries: object, *, filtered: bool = False) -> list[str]:
    """Return a list of queries if each can be answered.

    Args:
        queries: what was asked.
        filtered: see :func:`check_query`.

    Raises:
        InputError: it is no list, or one of them is no string, blank, or holds a lone surrogate.
    """
    listed = _listed(queries, "queries", "a list of strings (for a single one use search())")
    return [check_query(query, filtered=filtered) for query in listed]


def whole_number(number: object) -> int | None:
    """Return an integer, one of NumPy's included, as Python has it; None for anything else."""
    if isinstance(number, bool):
        return None
    try:
        return operator.index(number)  # type: ignore[arg-type]
    except TypeError:
        return None


def check_k(k: object, name: str = "k") -> int:
    """Return k if it is a positive integer, one of NumPy's included.

    Raises:
        InputError: anything else.
    """
    number = whole_number(k)
    if number is None or number < 1:
        raise InputError(f"{name} must be a positive integer, not {shown(k)}.")
    return number


def check_count(number: object, name: str) -> int:
    """Return an option that counts something.

    Raises:
        ConfigError: it is no positive whole number.
    """
    count = whole_number(number)
    if count is None or count < 1:
        raise ConfigError(f"{name} must be a positive whole number, not {shown(number)}.")
    return count


def check_ids(ids: object, what: str = "ids") -> list[str]:
    """Return ids as an index knows them, whichever iterable they are in.

    Raises:
        InputError: a bare string, or an id that is no string, or empty.
    """
    intake = Intake()
    return [
        intake.id(one, f"id {place}")
        for place, one in enumerate(_listed(ids, what, "a list of strings"))
    ]


def check_deletion(
    ids: object, where: Where | None, everything: object, limits: Limits = LIMITS
) -> tuple[list[str] | None, Filter | None]:
    """Return what is to be deleted: ids, or a filter.

    Args:
        ids: the ids.
        where: the filter.
        everything: whether one that leaves no passage out is meant.
        limits: how large the filter may be.

    Raises:
        InputError: none or several of them, or such a filter that is not meant.
        FilterError: the filter is malformed.
    """
    if not isinstance(everything, bool):
        raise InputError(f"all must be True or False, not {shown(everything)}.")
    if (ids is None) == (where is None and not everything):
        raise InputError("delete takes ids, where, or all=True; give exactly one of them.")
    if ids is not None:
        return check_ids(ids), None
    condition = parse_where({} if where is None else where, limits)
    if everything != matches_everything(condition):
        raise InputError(
            f"all=True deletes every passage, but {shown(where)} leaves some; give one of them."
            if everything
            else f"the filter {shown(where)} would delete every passage; say all=True if you mean "
            "that."
        )
    return None, condition


def check_passages(
    texts: object, ids: object = None, metadata: object = None, *, strict: bool = False
) -> Checked:
    """Turn parallel lists into passages.

    Args:
        texts: the passages' texts, in any iterable.
        ids: their ids; those that are None, and all when None, are made of the content.
        metadata: their metadata; empty when None.
        strict: refuse whatever would not come back as it was given.

    Raises:
        InputError: something that cannot be made good, see :class:`~.intake.Intake`; lists of
            different lengths; or one id for two passages that differ. The message names the
            passage by its place, and by its id where it was given one.
    """
    given = _listed(texts, "texts", "a list of strings")
    given_ids = None if ids is None else _listed(ids, "ids", "a list of strings")
    given_metadata = (
        None
        if metadata is None
        else _listed(metadata, "metadata", "a list with one mapping a text")
    )
    for name, values in (("ids", given_ids), ("metadata", given_metadata)):
        if values is not None:
            _check_in_step(name, values, given, (texts, ids, metadata))
    none = [None] * len(given)
    return fill_slots(given, given_ids or none, given_metadata or none, Intake(strict=strict))


def list_passages(passages: object) -> list[Passage]:
    """Return passages, or mappings like them, as a list of passages that are not checked yet.

    Raises:
        InputError: no iterable, or something else in it.
    """
    listed = _listed(passages, "passages", "a list of passages")
    fields = [_fields(item, f"passage {place}") for place, item in enumerate(listed)]
    return [Passage(*map(one.get, _FIELDS)) for one in fields]  # type: ignore[arg-type]


def check_listed(passages: Sequence[Passage], *, strict: bool = False) -> Checked:
    """Do what :func:`check_passages` does with passages in one list."""
    return check_passages(
        [one.text for one in passages],
        [one.id for one in passages],
        [one.metadata for one in passages],
        strict=strict,
    )


def check_stream(passages: object) -> Iterable[object]:
    """Return what passages are to be streamed from.

    Raises:
        InputError: it cannot be iterated over, or is a single passage.
    """
    if isinstance(passages, (str, Mapping, Passage)) or not isinstance(passages, Iterable):
        raise InputError(
            f"passages must be an iterable of passages, not a {type(passages).__name__}."
        )
    return passages


def take_streamed(item: object, place: int, intake: Intake) -> Passage | None:
    """Return one passage of a stream; None for a blank one.

    Args:
        item: a passage, or a mapping with ``text`` and perhaps ``id`` and ``metadata``.
        place: how many came before it.
        intake: takes it in.

    Raises:
        InputError: it is neither, has other keys, or cannot be stored.
    """
    what = f"the passage at place {place:,} of the stream"
    fields = _fields(item, what)
    id = fields.get("id")
    known = None if id is None else intake.id(id, f"the id of {what}")
    named = what if known is None else f"{what} (id {shown(known)})"
    return intake.passage(fields.get("text"), known, fields.get("metadata"), named)


def check_streamed(item: object, place: int) -> Passage:
    """Return one passage of a corpus, in which each has an id and a text.

    Raises:
        InputError: it has none, or cannot be stored.
    """
    what = f"the passage at place {place:,} of the stream"
    if not _fields(item, what).get("id"):
        raise InputError(f"{what} has no id. Give each one of its own, by which it is judged.")
    passage = take_streamed(item, place, Intake())
    if passage is None:
        raise InputError(f"{what} is empty. Leave it out.")
    return passage


def check_candidates(candidates: object, *, strict: bool = False) -> tuple[list[Passage], Intake]:
    """Return texts to be ranked as passages, one each, the blank ones too; and what was made good.

    Args:
        candidates: texts, passages, or mappings like them, in any iterable; what has no id gets
            its place. Ids and metadata are left as they are.
        strict: refuse blank texts, and characters that cannot be encoded.

    Raises:
        InputError: a text that is no string, or metadata that are no mapping.
    """
    intake = Intake(strict=strict)
    passages = []
    for place, one in enumerate(_listed(candidates, "candidates", "a list of texts or passages")):
        what = f"candidate {place}"
        fields = {"text": one} if isinstance(one, str) else _fields(one, what)
        id, metadata = fields.get("id"), fields.get("metadata")
        if not (metadata is None or isinstance(metadata, Mapping)):
            raise InputError(f"metadata of {what} must be a mapping, not {typed(metadata)}.")
        text = intake.candidate(fields.get("text"), what)
        passages.append(Passage(str(place) if id is None else id, text, metadata or {}))  # type: ignore[arg-type]
    return passages, intake


def check_text(text: object, what: str) -> str:
    """Return a text as it can be encoded: lone surrogates and NUL become U+FFFD.

    Raises:
        InputError: it is no string.
    """
    return Intake().text(text, what)


def _fields(item: object, what: str) -> Mapping[str, object]:
    if isinstance(item, Passage):
        return vars(item)
    if not isinstance(item, Mapping):
        raise InputError(
            f"{what} must be a Passage, or a mapping with id, text and metadata, not {typed(item)}."
        )
    if unknown := [key for key in item if key not in _FIELDS]:
        raise InputError(
            f"{what} has the key {shown(unknown[0])}; known are id, text and metadata. Put fields "
            "of your own into the metadata."
        )
    return item


def _listed(values: object, name: str, wanted: str) -> list[object]:
    """Return what an iterable holds; a data frame would give the names of its columns."""
    if not isinstance(values, (str, bytes, bytearray, Mapping)) and not hasattr(values, "iterrows"):
        try:
            items = iter(values)  # type: ignore[call-overload]
        except TypeError:
            pass
        else:
            return list(items)
    raise InputError(f"{name} must be {wanted}, not {typed(values)}.")


def _check_in_step(
    name: str, values: Sequence[object], texts: Sequence[object], given: Iterable[object]
) -> None:
    if any(isinstance(one, set | frozenset) for one in given):
        raise InputError(
            f"texts and {name} must be in one order, but one of them is a set, which has none; "
            "give lists."
        )
    if len(values) != len(texts):
        raise InputError(f"{len(values)} {name} for {len(texts)} texts; give one for each.")
