"""An index for agents: search, fetch and stats over the Model Context Protocol.

Needs the extra ``mcp``. ``lfm2-colbert mcp DIR`` runs it on stdin and stdout.
"""

from __future__ import annotations

from .answers import FetchAnswer, FetchedPassage, FoundPassage, IndexSummary, SearchAnswer
from .server import make_server

__all__ = [
    "FetchAnswer",
    "FetchedPassage",
    "FoundPassage",
    "IndexSummary",
    "SearchAnswer",
    "make_server",
]
