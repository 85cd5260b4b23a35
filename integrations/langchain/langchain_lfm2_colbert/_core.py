"""What does the work: an index in a folder, in an engine, or on a server."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

from lfm2_colbert_rag import Client, RemoteRetriever, Retriever

T = TypeVar("T")

Core: TypeAlias = Retriever | RemoteRetriever | Client


def split_client_options(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part what a client is made with (``timeout``) from the options of an adapter (``k``)."""
    known = inspect.signature(Client).parameters
    of_client = {name: value for name, value in options.items() if name in known}
    return of_client, {name: value for name, value in options.items() if name not in known}


def commits(core: Core, passages: Sequence[T]) -> Iterator[slice]:
    """Yield which passages to add in one commit: all of them, or as many as a server takes."""
    most = Client.most_passages if isinstance(core, Client) else max(1, len(passages))
    for start in range(0, len(passages), most):
        yield slice(start, start + most)
