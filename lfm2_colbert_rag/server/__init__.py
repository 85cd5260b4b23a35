"""An HTTP server for indexes on a machine of one's own; needs the extra ``server``.

``lfm2-colbert serve DIR`` runs it. Whoever makes tokens for its tenants uses :func:`mint`.
"""

from __future__ import annotations

from .access.tokens import mint

__all__ = ["mint"]
