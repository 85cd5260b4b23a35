"""What errors tell programs and strangers: a name and a sentence, and nothing of what was asked."""

from __future__ import annotations

import inspect
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever, errors
from lfm2_colbert_rag.errors import LFM2ColBERTError

CANARY = "canary7Q"
CLASSES = [
    one
    for one in vars(errors).values()
    if inspect.isclass(one) and issubclass(one, LFM2ColBERTError)
]


def test_every_class_has_a_name_and_a_sentence_of_its_own():
    assert {one.__name__ for one in CLASSES} == set(errors.__all__)
    for one in CLASSES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", vars(one)["code"]), one
        assert re.fullmatch(r"[A-Z][a-z ,;']+\.", vars(one)["public"]), one
    for names in ({one.code for one in CLASSES}, {one.public for one in CLASSES}):
        assert len(names) == len(CLASSES)


def test_names_stay_the_same():
    """Programs compare with them, and a server's clients know them."""
    assert sorted(one.code for one in CLASSES) == [
        *("access-denied", "audit-unavailable", "config", "error", "filter", "forked-process"),
        *("index", "index-busy", "index-corrupt", "index-exists", "index-format", "index-gone"),
        *("index-locked", "index-mismatch", "index-not-found", "index-unavailable", "input"),
        *("key-file", "key-refused", "missing-extra", "model", "model-format", "model-not-found"),
        *("partial-write", "passage-not-found", "read-only", "remote-unavailable"),
        *("retriever-closed", "server", "server-answer", "server-unavailable", "storage-full"),
        "too-many-tokens",
    ]


@pytest.fixture
def provoked(tmp_path: Path) -> list[LFM2ColBERTError]:
    """Return errors about queries, texts, ids, filters, folders and locks with canaries in them."""
    folder = tmp_path / CANARY
    index = Retriever.open(folder, model="hash")
    index.add([f"{CANARY} text"], ids=[CANARY], metadata=[{"owner": CANARY}])
    view, deep = index.view(tenant=CANARY), {"n": 1}
    for _ in range(2000):
        deep = {"$not": deep}
    found = [
        *(lambda: index.search(" \u200b"), lambda: index.search(7, where={CANARY: 1})),
        lambda: index.search(CANARY, where={CANARY: {"$near": 1}}),
        lambda: index.search(CANARY, where=deep),
        *(lambda: index.search("key", mode=CANARY), lambda: index.search("key", k=CANARY)),
        *(lambda: index.explain("key", f"{CANARY}2"), lambda: index.vectors([f"{CANARY}2"])),
        *(lambda: index.add(["a"], metadata=[{CANARY: object()}]), lambda: index.add([CANARY, 7])),
        *(lambda: index.add(["a", "b"], ids=[CANARY, CANARY]), lambda: index.delete(where={})),
        *(lambda: view.count({"tenant": CANARY}), lambda: view.explain("key", CANARY)),
        lambda: view.add(["a"], metadata=[{"tenant": f"{CANARY}3"}]),
        lambda: index.view(tenant=f"{CANARY}\x1f"),
        lambda: Retriever.open(folder, model="hash", read_only=True).add(["a"]),
        lambda: Retriever.open(folder / "none"),
        lambda: Retriever.open(folder, nbits=2),
        lambda: Retriever.open(tmp_path, model="hash"),
        lambda: Retriever.open(tmp_path / "new", model=f"{CANARY}/{CANARY}"),
        lambda: index.search("key", query_adapter=folder / "none"),
        lambda: index.backup(folder),
        lambda: index.import_dump(folder / "none.npz"),
        lambda: _locked(folder),
        lambda: _damaged(folder),
        lambda: (index.close(), index.search("key")),
    ]
    return [_error_of(one) for one in found]


def test_nothing_of_what_was_asked_is_told_to_strangers(provoked):
    secrets = [CANARY, str(os.getpid()), socket.gethostname(), "/", "\\", "$"]
    for error in provoked:
        assert not [one for one in secrets if one in error.public or one in error.code], error
    # Whoever runs the library is told: so there is something that could have been.
    telling = [one for one in provoked if CANARY in str(one)]
    assert len(telling) > 15
    assert {type(one).__name__ for one in telling} > {"FilterError", "InputError", "ConfigError"}


def _error_of(do: Callable[[], object]) -> LFM2ColBERTError:
    with pytest.raises(LFM2ColBERTError) as caught:
        do()
    return caught.value


def _locked(folder: Path) -> None:
    with (
        Retriever.open(folder, lock_timeout=0) as one,
        Retriever.open(folder, lock_timeout=0) as other,
        one._store.locks.writing(),
    ):
        other.delete([CANARY])


def _damaged(folder: Path) -> None:
    catalog = folder / "catalog.sqlite"
    content = catalog.read_bytes()
    catalog.write_bytes(CANARY.encode() * 100)
    try:
        Retriever.open(folder)
    finally:
        catalog.write_bytes(content)
