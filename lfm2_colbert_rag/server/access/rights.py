"""What a caller may do, and how it becomes less, never more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..._support.safe_json import JsonError, parse_json
from ...errors import InputError, shown
from ...filters.parsing import LIMITS_OF_VIEWS, parse_where
from ...filters.prefixing import comparisons
from ...filters.tree import ID_PATH, LANGUAGE_PATH
from ...storage.scope import Scope
from ...types import Where
from .callers import PARTIAL_SCOPES, SCOPES, conjunction

INDEX_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""What an index may be called."""

# Scopes are checked by themselves here: whose part it is, and under which key of the metadata
# tenants stand, is known where a view is made.
_ANYBODY, _NO_FIELD = "anybody", "\x7f"


@dataclass(frozen=True)
class Rights:
    """What may be done, with which part of what.

    Attributes:
        scopes: what for; some of :data:`SCOPES`.
        indexes: the names of the indexes; None for all.
        tenant: whose passages; None for those of all.
        where: filters that passages must match, all of them; not to be changed.
        fields: the keys of metadata that are shown; None for all.

    Raises:
        InputError: no scopes or unknown ones; a name of an index that cannot be one; ``admin``,
            ``metrics`` or ``audit`` for a part of an index.
        ConfigError: a tenant's or a field's name that cannot be one.
        FilterError: a filter that is malformed, or all of them together are too large.
    """

    scopes: frozenset[str]
    indexes: frozenset[str] | None = None
    tenant: str | None = None
    where: tuple[Where, ...] = ()
    fields: frozenset[str] | None = None

    def __post_init__(self) -> None:
        _check_scopes(self.scopes)
        for name in self.indexes or ():
            if not isinstance(name, str) or not INDEX_NAME.fullmatch(name):
                raise InputError(
                    f"{shown(name)} cannot be the name of an index: it has up to 63 of a-z, 0-9, "
                    "- and _, and begins with a letter or a digit."
                )
        Scope.of(_ANYBODY if self.tenant is None else self.tenant, _NO_FIELD, None, self.fields)
        if self.where:
            parse_where(conjunction(self.where), LIMITS_OF_VIEWS)
        too_many = self.scopes - PARTIAL_SCOPES
        if self.is_partial and too_many:
            raise InputError(
                f"the scope {shown(min(too_many))} is about all that an index holds, and cannot "
                "be narrowed by a tenant, a filter or fields; make a key of its own for it."
            )

    @classmethod
    def of(
        cls,
        scopes: Iterable[str],
        indexes: Iterable[str] | None = None,
        tenant: str | None = None,
        where: Where | None = None,
        fields: Iterable[str] | None = None,
    ) -> Rights:
        """Check what somebody wrote; the errors are those of the class.

        Example:
            >>> rights = Rights.of(["search", "read"], tenant="acme")
            >>> sorted(rights.narrowed(scopes=["search"]).scopes)
            ['search']
        """
        names = None if indexes is None else _names(indexes, "indexes")
        if names is not None and not names:
            raise InputError("indexes is an empty list; leave it out for all of them.")
        return cls(
            _names(scopes, "scopes"),
            names,
            tenant,
            _filters(where),
            None if fields is None else _names(fields, "fields"),
        )

    @property
    def is_partial(self) -> bool:
        """Whether it is about a part of an index only."""
        return self.tenant is not None or bool(self.where) or self.fields is not None

    def narrowed(
        self,
        *,
        scopes: Iterable[str] | None = None,
        indexes: Iterable[str] | None = None,
        tenant: str | None = None,
        where: Where | None = None,
        fields: Iterable[str] | None = None,
    ) -> Rights:
        """Return these rights, made less by what is given; what is left out stays.

        Scopes that a part of an index cannot have fall away if they are not asked for by name.

        Raises:
            InputError: something would become more; what is no right at all is told as by the
                class.
        """
        partial = self.is_partial or not (tenant is None and not where and fields is None)
        own = self.scopes & PARTIAL_SCOPES if partial else self.scopes
        tenant = _same(self.tenant, tenant)
        less = Rights(
            own if scopes is None else _part(own, _names(scopes, "scopes"), "scopes"),
            _part_of_all(self.indexes, indexes, "indexes"),
            tenant,
            (*self.where, *_filters(where)),
            _part_of_all(self.fields, fields, "fields"),
        )
        if where:
            self._require_seen(where)
        return less

    def _require_seen(self, where: Where) -> None:
        """Refuse a filter by what is hidden: its hits would tell what is in there."""
        for one in comparisons(parse_where(where, LIMITS_OF_VIEWS)):
            own = one.path in (ID_PATH, LANGUAGE_PATH)
            if self.fields is not None and not own and one.path[0] not in self.fields:
                raise InputError(f"the filter asks for the hidden field {shown(one.path[0])}.")


def plain_filter(where: Where | None) -> Where | None:
    """Return a filter as it will be read back, which shares nothing with what was given.

    Raises:
        InputError: it has no form in JSON.
    """
    if where is None:
        return None
    try:
        copy = parse_json(json.dumps(where, allow_nan=False))
    except (TypeError, ValueError, RecursionError, JsonError):
        raise InputError(
            f"the filter must be JSON, of at most 100 levels, not {shown(where)}."
        ) from None
    if not isinstance(copy, dict):
        raise InputError(f"a filter is a JSON object, not {shown(where)}.")
    return copy


def _filters(where: object) -> tuple[Where, ...]:
    if where is None:
        return ()
    if not isinstance(where, Mapping):
        raise InputError(f"where must be a filter, which is a JSON object, not {shown(where)}.")
    return (where,) if where else ()


def _names(names: Any, what: str) -> frozenset[str]:
    if not isinstance(names, list | tuple | set | frozenset):
        raise InputError(f"{what} must be a list of names, not {shown(names)}.")
    if odd := [one for one in names if not isinstance(one, str)]:
        raise InputError(f"{what} must be a list of names, and {shown(odd[0])} is none.")
    return frozenset(names)


def _check_scopes(scopes: frozenset[str]) -> None:
    known = ", ".join(sorted(SCOPES))
    if not scopes:
        raise InputError(f"there are no scopes; give at least one of {known}.")
    if unknown := scopes - SCOPES:
        raise InputError(f"there is no scope {shown(min(unknown))}; known are {known}.")


def _part(own: frozenset[str], asked: frozenset[str], what: str) -> frozenset[str]:
    if not asked <= own:
        raise InputError(f"the {what} {shown(sorted(asked))} are more than {shown(sorted(own))}.")
    return asked


def _part_of_all(
    own: frozenset[str] | None, asked: Iterable[str] | None, what: str
) -> frozenset[str] | None:
    if asked is None:
        return own
    names = _names(asked, what)
    return names if own is None else _part(own, names, what)


def _same(own: str | None, asked: str | None) -> str | None:
    if own is not None and asked not in (None, own):
        raise InputError(f"the tenant is {shown(own)} and cannot become {shown(asked)}.")
    return own if asked is None else asked
