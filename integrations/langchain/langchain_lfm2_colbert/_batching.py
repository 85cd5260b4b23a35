"""Many questions at once, as if each had been asked alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from lfm2_colbert_rag import Hit, Retriever, is_blank
from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.filters import settled

from ._core import Core
from ._questions import asks_nothing

Options: TypeAlias = dict[str, Any]


def options_of_each(options: Mapping[str, Any], questions: int) -> list[Options]:
    """Give each question its options: a list holds one value a question, all else is for all.

    Raises:
        ConfigError: a list of another length.

    Example:
        >>> options_of_each({"k": [1, 2], "where": {"lang": "es"}}, 2)
        [{'k': 1, 'where': {'lang': 'es'}}, {'k': 2, 'where': {'lang': 'es'}}]
    """
    if "where" in options:
        options = {**options, "where": settled(options["where"])}
    for name, value in options.items():
        if isinstance(value, list) and len(value) != questions:
            raise ConfigError(
                f"{name} is a list of {len(value)}, but {questions} questions were asked; give one "
                "value for all, or a list with one for each."
            )
    return [
        {name: value[i] if isinstance(value, list) else value for name, value in options.items()}
        for i in range(questions)
    ]


def search_each(
    retriever: Core, queries: Sequence[str], searches: Sequence[Options]
) -> list[list[Hit] | Exception]:
    """Search for each question with its own arguments; all of them are encoded in one pass.

    Args:
        retriever: what to ask.
        queries: the questions.
        searches: ``k``, ``where`` and ``mode`` of the core's ``search``, one mapping a question.

    Returns:
        Hits, or the error that a question met, in order.
    """
    groups: dict[str, list[int]] = {}
    for place, search in enumerate(searches):
        groups.setdefault(json.dumps(search, sort_keys=True, default=repr), []).append(place)
    if len(groups) > 1 and isinstance(retriever, Retriever):
        # The encoder remembers its last questions. What is wrong with one shows below.
        with suppress(Exception):
            retriever.encoder.encode_query([query for query in queries if not is_blank(query)])
    found: list[list[Hit] | Exception] = [[] for _ in queries]
    for places in groups.values():
        asked = [queries[place] for place in places]
        for place, hits in zip(places, _search(retriever, asked, searches[places[0]]), strict=True):
            found[place] = hits
    return found


def _search(
    retriever: Core, queries: list[str], search: Options
) -> Sequence[list[Hit] | Exception]:
    asked = [query for query in queries if not asks_nothing(query, search["where"])]
    try:
        found = iter(retriever.search_many(asked, **search) if asked else ())
    except Exception as error:
        if len(queries) == 1:
            return [error]
        # One bad question must not spoil the others.
        return [_search(retriever, [query], search)[0] for query in queries]
    return [[] if asks_nothing(query, search["where"]) else next(found) for query in queries]
