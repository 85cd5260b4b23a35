"""After a purge no byte of what was deleted is left, and the receipt says so; or there is none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import IndexBusyError, IndexLockedError, ReadOnlyError
from lfm2_colbert_rag.storage import forgetting

from .test_forgetting import Secrets, be_careless, fill, search_in_threads


def test_nothing_is_left_and_the_receipt_says_so(folder, monkeypatch):
    be_careless(monkeypatch)
    secrets = Secrets(1)
    with Retriever.open(folder, model="hash") as retriever:
        retriever.create_filter_index("owner")
        fill(retriever, secrets, commits=2)
        search_in_threads(retriever)
        retriever.delete(secrets.ids[:4])
        retriever.add(["w1", "w2"], ids=secrets.ids[4:])  # their ids stay, and nothing else
        assert secrets.left_in(folder)
        receipt = retriever.purge()
        assert receipt.passages == len(secrets.ids)
        assert receipt.generation == retriever.stats().generation
        assert receipt.files > 0
        assert receipt.bytes > 0
        told = datetime.fromisoformat(receipt.when)
        assert timedelta(0) <= datetime.now(UTC) - told < timedelta(minutes=5)
        retriever.delete(secrets.ids[4:])
        assert retriever.purge().passages == 2
        assert secrets.left_in(folder) == set()
        assert retriever.purge().to_dict()["passages"] == 0
        assert retriever.verify() == []
    assert secrets.left_in(folder) == set()


def test_no_receipt_while_something_may_be_left(folder, monkeypatch):
    monkeypatch.setattr(forgetting, "_PAUSE", 0.001)
    secrets = Secrets(2)
    with Retriever.open(folder, model="hash") as retriever:
        fill(retriever, secrets, commits=1)
        with closing(sqlite3.connect(folder / "catalog.sqlite", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM passages").fetchone() == (len(retriever),)
            retriever.delete(secrets.ids)
            with pytest.raises(IndexBusyError, match="may still lie"):
                retriever.purge()
            assert secrets.left_in(folder)
        assert retriever.purge().passages == 0  # they were dropped, and now are gone
        assert secrets.left_in(folder) == set()


def test_a_tenant_purges_what_is_his(folder):
    secrets = {name: Secrets(seed) for seed, name in enumerate(("acme", "beta"), 3)}
    with Retriever.open(folder, model="hash") as retriever:
        for name, one in secrets.items():
            view = retriever.view(tenant=name)
            view.add([*one.texts, "w1 w2"], ids=[*one.ids, "stays"], metadata=[*one.metadata, {}])
            view.delete(one.ids)
        receipt = retriever.view(tenant="acme").purge()
        assert receipt.passages == len(secrets["acme"].ids)
        assert (receipt.generation, receipt.files, receipt.bytes) == (None, None, None)
        content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        both = {name: set(one.needles()) for name, one in secrets.items()}
        assert [one for one in both["acme"] - both["beta"] if one in content] == []
        assert [one for one in both["beta"] - both["acme"] if one in content]
        assert retriever.view(tenant="acme").purge().passages == 0
        assert retriever.view(tenant="beta").purge().passages == len(secrets["beta"].ids)
        assert secrets["beta"].left_in(folder) == set()
        assert [one.id for one in retriever.view(tenant="beta").passages()] == ["stays"]
        assert retriever.verify() == []


def test_who_may_not_write_purges_nothing(folder):
    with Retriever.open(folder, model="hash") as writer:
        writer.add(["w1"], ids=["x"])
        with (
            Retriever.open(folder, read_only=True) as reader,
            pytest.raises(ReadOnlyError),
        ):
            reader.purge()
        with (
            Retriever.open(folder) as other,
            writer._store.locks.optimizing(timeout=0),
            pytest.raises(IndexLockedError),
        ):
            other.purge()
