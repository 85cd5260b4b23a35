"""Posting lists in the catalog: how they grow, and what that takes."""

from __future__ import annotations

import sqlite3

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.index.lexical.inversion import in_parts, invert_texts
from lfm2_colbert_rag.storage.catalog import FILE_NAME, Catalog
from lfm2_colbert_rag.storage.commits import Commit, StoredPassage
from lfm2_colbert_rag.storage.posting_sql import RECENT
from lfm2_colbert_rag.types import Passage

from ..inside import SETTINGS


def texts(number: int) -> list[str]:
    return [f"common word{n} about{n % 7} Häuser-{n % 50}" for n in range(number)]


def commit(catalog: Catalog, several: list[str]) -> None:
    first = catalog.counts(catalog.generation()).passages + 1
    stored = [StoredPassage(first + n, Passage(str(first + n), text, {}), 1, 1)
              for n, text in enumerate(several)]  # fmt: skip
    catalog.commit(Commit(catalog.generation() + 1, stored, postings=in_parts(several)))


def check(catalog: Catalog, reader: Catalog, several: list[str]) -> None:
    """Compare what both read with the lists of all texts."""
    whole = invert_texts(several, 1)
    for one in (catalog, reader):
        found = one.postings.read([*whole.terms, "nowhere"])
        assert found.is_complete
        assert {
            term: (rows.tolist(), counts.tolist()) for term, (rows, counts) in found.lists.items()
        } == {term: (rows.tolist(), counts.tolist()) for term, rows, counts in whole}


def test_lists_hold_every_commit_however_large(tmp_path):
    """Also what is kept apart, what is merged, and what another process has read before."""
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    reader = Catalog(tmp_path / FILE_NAME)
    everything = texts(4 * RECENT)
    end = 0
    for size in (1, 2, RECENT - 4, 1, 1, 40, 2 * RECENT, 3, RECENT - 3, 5):
        commit(catalog, everything[end : end + size])
        end += size
        check(catalog, reader, everything[:end])
    catalog.postings.prune()
    check(catalog, reader, everything[:end])
    catalog.close()
    reader.close()


def test_lists_that_were_dropped_can_be_filled_again_in_other_pieces(tmp_path):
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    reader = Catalog(tmp_path / FILE_NAME)
    everything = texts(60)
    commit(catalog, everything[:40])
    check(catalog, reader, everything[:40])
    catalog.postings.disable()
    commit(catalog, everything[40:])
    catalog.postings.enable()
    for _ in range(2):
        pending = catalog.postings.pending(50)
        postings = invert_texts([text for _, text in pending])
        assert catalog.postings.fill([row for row, _ in pending], postings)
    check(catalog, reader, everything)
    catalog.close()
    reader.close()


@pytest.mark.parametrize(("number", "limit"), [(1, 40), (100, 400)])
def test_an_add_takes_few_statements(folder, monkeypatch, number, limit):
    """Whatever number of terms the passages have."""
    seen: list[str] = []
    connect = sqlite3.connect

    def traced(*args: object, **options: object) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.set_trace_callback(seen.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    long = [" ".join(f"w{n}x{i}" for i in range(60)) for n in range(200 + number)]
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add(long[:200])
        seen.clear()
        retriever.add(long[200:])
        assert 0 < len(seen) <= limit
