"""Texts of a client's own, put in order within the tokens that a request may have encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import TooManyTokensError
from .problems import Problem

if TYPE_CHECKING:
    from ..retriever.view import View
    from ..types import Hit, Passage
    from .request import Request


def rank(
    request: Request,
    view: View,
    query: str,
    candidates: Sequence[str | Passage],
    *,
    most_tokens: int | None = None,
    **options: Any,
) -> list[Hit]:
    """Order texts for a query; ids of bare texts are their places.

    Args:
        request: what asks.
        view: what it may see.
        query: the query.
        candidates: the texts.
        most_tokens: fewer than the server allows; None for these.
        **options: of :meth:`View.rerank`.

    Raises:
        Problem: they have more tokens that must be encoded.
    """
    most = request.services.settings.capacity.rerank_tokens
    most = most if most_tokens is None else min(most, most_tokens)
    try:
        return view.rerank(query, candidates, max_tokens=most, **options)
    except TooManyTokensError:
        said = f"The texts have more than {most:,} tokens that must be encoded; send fewer of them."
        raise Problem("too-many-tokens", said) from None
