"""What somebody may see and write of an index: which passages, under which ids, which fields.

A passage of a tenant is stored under an id that begins with the tenant's name and
:data:`SEPARATOR`, and says in its metadata whose it is. Both must hold: so nobody's id can replace
another's passage, and nobody becomes a tenant by what he writes into metadata. On the way out both
are taken away again: a tenant's passages look as they would in an index of their own.

Where an index is one tenant's, a scope without a tenant is all of it, or what a filter leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .._support.characters import find_unstorable
from ..errors import ConfigError, FilterError, InputError, LFM2ColBERTError, shown
from ..filters.names import field_name, parse_field
from ..filters.parsing import parse_where
from ..filters.prefixing import comparisons, with_id_prefix
from ..filters.strings import composed, decomposed
from ..filters.tree import ID_PATH, LANGUAGE_PATH, Comparison, Filter
from ..types import RESERVED_KEYS, Metadata, Passage, Where

SEPARATOR = "\x1f"
"""Stands between a tenant's name, which cannot hold it, and an id: ASCII's unit separator."""

_LONGEST = 256  # characters of a tenant's name
_AFTER = chr(ord(SEPARATOR) + 1)


@dataclass(frozen=True)
class Scope:
    """What a tenant may see and write.

    Attributes:
        tenant: the tenant's name; None for all of the index.
        field: the key in the metadata of passages under which it stands; None without a tenant.
        where: what passages must match besides, in the tenant's terms; None for all.
        fields: the keys of metadata that are seen; None for all.

    Raises:
        ConfigError: a name that cannot be one.
    """

    tenant: str | None
    field: str | None
    where: Filter | None = None
    fields: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.fields is not None and self.field in self.fields:
            raise ConfigError(
                f"{shown(self.field)} says whose passages are, and is not among the fields of a "
                "view; leave it out."
            )

    @classmethod
    def of(
        cls,
        tenant: str,
        field: str,
        where: Where | None = None,
        fields: Iterable[str] | None = None,
    ) -> Scope:
        """Check what a caller wrote; see ``Retriever.view`` for arguments and errors."""
        _check_tenant(tenant)
        return cls(tenant, _key(field, "field"), _condition(where), _seen_fields(fields))

    @classmethod
    def of_all(cls, where: Where | None = None, fields: Iterable[str] | None = None) -> Scope:
        """Check what a caller wrote; see ``Retriever.view_of_all`` for arguments and errors."""
        return cls(None, None, _condition(where), _seen_fields(fields))

    @property
    def prefix(self) -> str:
        """What the tenant's ids begin with as they are stored."""
        return "" if self.tenant is None else self.tenant + SEPARATOR

    @property
    def key(self) -> tuple[object, ...]:
        """All that it consists of; as text it tells scopes apart, as it tells 1 from True."""
        seen = None if self.fields is None else sorted(self.fields)
        return self.tenant, self.field, self.where, seen

    @property
    def is_whole(self) -> bool:
        """Whether it shows all that the tenant has."""
        return self.where is None and self.fields is None

    @cached_property
    def conditions(self) -> tuple[Filter, ...]:
        """What all of the tenant's passages match as they are stored."""
        own: tuple[Filter, ...] = ()
        if self.tenant is not None and self.field is not None:
            own = (
                Comparison((self.field,), "$eq", self.tenant),
                Comparison(ID_PATH, "$gte", self.prefix),
                Comparison(ID_PATH, "$lt", self.tenant + _AFTER),
            )
        more = () if self.where is None else (with_id_prefix(self.where, self.prefix),)
        return (*own, *more)

    def within(self, where: Filter) -> Filter:
        """Return what a tenant's filter asks of passages as they are stored.

        Raises:
            FilterError: it asks for a field that is not seen.
        """
        for one in comparisons(where):
            self._require_seen(one)
        return with_id_prefix(where, self.prefix)

    def stored_id(self, id: str) -> str:
        """Return an id as it is stored."""
        return self.prefix + id

    def stored(self, passage: Passage) -> Passage:
        """Return a tenant's passage as it is stored.

        Raises:
            InputError: its metadata say that it is somebody else's.
        """
        if self.field is None:
            return passage
        metadata = dict(passage.metadata)
        for key in {self.field, decomposed(self.field)} & metadata.keys():
            if metadata.pop(key) != self.tenant:
                raise InputError(
                    f"the metadata of the passage {shown(passage.id)} set the field "
                    f"{shown(self.field)}, which its view sets by itself; leave it out."
                )
        return Passage(
            self.stored_id(passage.id), passage.text, {**metadata, self.field: self.tenant}
        )

    def shown(self, passage: Passage) -> Passage:
        """Return a stored passage as the tenant sees it."""
        id = passage.id.removeprefix(self.prefix)
        return replace(passage, id=id, metadata=self._seen(passage.metadata))

    @contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Let errors name ids as the tenant knows them."""
        try:
            yield
        except LFM2ColBERTError as error:
            error.args = tuple(map(self._plain, error.args))
            raise

    def _plain(self, part: object) -> object:
        if not isinstance(part, str) or not self.prefix:
            return part
        for written in (self.prefix, repr(self.prefix)[1:-1], ascii(self.prefix)[1:-1]):
            part = part.replace(written, "")
        return part

    def _require_seen(self, one: Comparison) -> None:
        key = one.path[0]
        if one.path in (ID_PATH, LANGUAGE_PATH) or self._is_seen(key):
            return
        raise FilterError(f"this view shows no field {shown(field_name(one.path))} to filter by.")

    def _is_seen(self, key: str) -> bool:
        return key != self.field and (self.fields is None or key in self.fields)

    def _seen(self, metadata: Metadata) -> dict[str, Any]:
        return {key: value for key, value in metadata.items() if self._is_seen(composed(key))}


def _condition(where: Where | None) -> Filter | None:
    return None if where is None else parse_where(where)


def _seen_fields(fields: Iterable[str] | None) -> frozenset[str] | None:
    if isinstance(fields, str) or not isinstance(fields, Iterable | None):
        raise ConfigError(f"fields must be a list of names of fields, not {shown(fields)}.")
    return None if fields is None else frozenset(_key(one, "a field") for one in fields)


def _key(name: object, what: str) -> str:
    """Return a key of metadata that a filter can name."""
    try:
        path = parse_field(name)
    except FilterError as error:
        raise ConfigError(f"{what} of a view: {error}") from None
    if len(path) != 1 or not path[0] or path[0] in RESERVED_KEYS:
        raise ConfigError(
            f"{what} of a view is one key of the metadata, not {shown(name)}; a dot of its own is "
            'written "\\.".'
        )
    return path[0]


def _check_tenant(tenant: object) -> None:
    if not isinstance(tenant, str) or not tenant:
        raise ConfigError(f"tenant must be a name, not {shown(tenant)}.")
    odd = find_unstorable(tenant) or any(ord(character) < ord(" ") for character in tenant)
    if odd or len(tenant) > _LONGEST or composed(tenant) != tenant:
        raise ConfigError(
            f"{shown(tenant)} cannot be a tenant's name: it has control characters, more than "
            f"{_LONGEST} characters, or is not in Unicode's normal form C."
        )
