"""Clients of ``lfm2-colbert serve``: an index on another machine, asked as one here is."""

from __future__ import annotations

from .async_client import AsyncClient
from .client import Client

__all__ = ["AsyncClient", "Client"]
