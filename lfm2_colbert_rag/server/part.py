"""What somebody may see of an index, as it is told to the process that writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from ..retriever.facade import Retriever
    from ..retriever.view import View


class Part(Struct, frozen=True):
    """What somebody may see of an index.

    Attributes:
        tenant: whose passages; None for all.
        tenant_field: the key of metadata under which tenants stand.
        where: what they must match besides.
        fields: keys of metadata that are seen; None for all.
    """

    tenant: str | None
    tenant_field: str
    where: dict[str, Any] | None = None
    fields: list[str] | None = None

    def view(self, retriever: Retriever) -> View:
        """Return a view of it.

        Raises:
            ConfigError, FilterError: a name or a filter that cannot be one.
        """
        if self.tenant is None:
            return retriever.view_of_all(where=self.where, fields=self.fields)
        return retriever.view(
            tenant=self.tenant, field=self.tenant_field, where=self.where, fields=self.fields
        )
