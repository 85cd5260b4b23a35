"""An index with some passages, for each module."""

from __future__ import annotations

import itertools

import pytest

PASSAGES = {
    "hours": ("The library opens at nine.", {"title": "Hours", "year": 2024, "lang": "en"}),
    "öffnung": ("Die Bibliothek öffnet um neun.", {"source": "faq.md", "year": 2021, "lang": "de"}),
    "reset": ("Hold the reset key for ten seconds.", {"maker": {"country": "ie"}, "tags": ["a"]}),
}
_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def filled(server):
    """Make an index with the passages, and return its name."""
    name = f"filled-{next(_NUMBERS)}"
    server.make(name)
    passages = [
        {"id": id, "text": text, "metadata": metadata} for id, (text, metadata) in PASSAGES.items()
    ]
    added = server.ask("PUT", f"/v1/indexes/{name}/passages", {"passages": passages})
    assert added.status_code == 200, added.text
    return name


@pytest.fixture(scope="module")
def key(server, filled):
    """Make a key that sees this index alone."""
    return server.key(indexes=[filled])
