"""Who asks, and what for, as the rest of the server sees it."""

from __future__ import annotations

from dataclasses import dataclass

from ...types import Where

SCOPES = frozenset({"search", "rerank", "read", "write", "admin", "metrics", "audit"})
"""What a key may be for."""

PARTIAL_SCOPES = frozenset({"search", "rerank", "read", "write"})
"""What may be done with a part of an index; the others speak of all that the server holds."""


@dataclass(frozen=True)
class Caller:
    """Who asks, as the gate found out.

    Attributes:
        key_id: the public part of the key, which the token was made of if there was one.
        name: what the key was called by whoever made it.
        scopes: what the caller may do.
        indexes: the indexes that it may know of; None for all.
        tenant: whose passages it sees; None where nothing narrows it to those of one.
        where: filters that all it sees must match; not to be changed.
        fields: the keys of metadata that it sees; None for all.
        rate: requests a second that the key may ask; None where nothing was said.
        subject: on whose behalf, as the token says; for the audit log only.
        expires: when this ends, in seconds since 1970; None for never.
        is_token: whether a token was given, and not the key itself.
    """

    key_id: str
    name: str
    scopes: frozenset[str]
    indexes: frozenset[str] | None = None
    tenant: str | None = None
    where: tuple[Where, ...] = ()
    fields: frozenset[str] | None = None
    rate: float | None = None
    subject: str | None = None
    expires: float | None = None
    is_token: bool = False

    def may(self, scope: str) -> bool:
        """Tell whether the caller has a scope."""
        return scope in self.scopes

    def sees(self, index: str) -> bool:
        """Tell whether the caller may know of an index."""
        return self.indexes is None or index in self.indexes

    @property
    def filter(self) -> Where | None:
        """All of :attr:`where` as one filter; None if there is none."""
        return conjunction(self.where) if self.where else None


def conjunction(filters: tuple[Where, ...]) -> Where:
    """Return one filter that matches what all of them match."""
    return filters[0] if len(filters) == 1 else {"$and": list(filters)}
