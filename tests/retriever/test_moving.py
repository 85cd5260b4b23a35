"""A folder that is moved, replaced or removed under a retriever that has it open."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from lfm2_colbert_rag import Hit, Retriever
from lfm2_colbert_rag.errors import (
    IndexGoneError,
    IndexMismatchError,
    InputError,
    RetrieverClosedError,
)
from lfm2_colbert_rag.testing import HashEncoder

from ..windows import damages_what_is_open

# So often the folder is replaced under four threads that search and one that writes.
REPLACEMENTS = int(os.environ.get("LFM2_COLBERT_REPLACEMENTS", "20"))
WORDS = ("apple pie", "steel beam")


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with two indexes, `live` and `new`, in which the process works."""
    monkeypatch.chdir(tmp_path)
    for name, word in zip(("live", "new"), WORDS, strict=True):
        with Retriever.open(name, model="hash") as made:
            ids = [f"{word}-{n}" for n in range(20)]
            kinds = [{"kind": word} for _ in ids]
            made.add([f"{word} number {n}" for n in range(20)], ids=ids, metadata=kinds)
    return tmp_path


def swap() -> None:
    Path("live").rename("old")
    Path("new").rename("live")


def test_a_path_means_the_same_after_the_process_has_moved(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "one")
    with Retriever.open("b.index", model="hash") as retriever:
        monkeypatch.chdir(tmp_path / "two")
        retriever.add(["mine"], ids=["a"])
        retriever.backup("copy")
    assert sorted(path.name for path in tmp_path.rglob("catalog.sqlite")) == ["catalog.sqlite"] * 2
    with Retriever.open(tmp_path / "one" / "b.index") as again:
        assert "a" in again
    assert (tmp_path / "two" / "copy").is_dir()


def test_a_tilde_is_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with Retriever.open("~/t.index", model="hash") as retriever:
        assert retriever.path == tmp_path / "t.index"


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 300, 3])
def test_what_no_file_can_be_called_is_refused_by_name(path):
    with pytest.raises(InputError):
        Retriever.open(path, model="hash")


@damages_what_is_open
def test_readers_and_writers_follow_the_path(two):
    with Retriever.open("live") as retriever:
        assert retriever.search("number 7", k=1)[0].id.startswith("apple")
        swap()
        assert retriever.add(["three"], ids=["3"]) == ["3"]
        assert retriever.count({"kind": "steel beam"}) == 20
        assert retriever.verify() == []
    with Retriever.open("live") as new, Retriever.open("old") as old:
        assert "3" in new
        assert "3" not in old


@damages_what_is_open
def test_threads_see_one_folder_each_time(two):
    with Retriever.open("live") as retriever:
        retriever.search("x")
        swap()

        def ask(_: int) -> str:
            return retriever.search("apple pie number 7", k=1, where={"kind": WORDS[1]})[0].text

        with ThreadPoolExecutor(16) as threads:
            assert set(threads.map(ask, range(100))) == {"steel beam number 7"}


def kinds(hits: list[Hit]) -> set[str]:
    """Return what texts and metadata say of the index that the hits are of."""
    said = [(hit.text.split(" number")[0], hit.metadata["kind"]) for hit in hits if hit.metadata]
    return {word for pair in said for word in pair}


def ids(folder: Path) -> set[str]:
    with Retriever.open(folder) as retriever:
        return {passage.id for passage in retriever.passages()}


def keep(act: Callable[[int], None], stop: threading.Event, wrong: list[object]) -> None:
    """Go on until told to stop; that the folder is gone for a moment may be said."""
    for number in count():
        try:
            act(number)
        except IndexGoneError:
            pass
        except BaseException as error:
            wrong.append(error)
        if stop.is_set():
            return


def replace(number: int, how: str) -> None:
    """Put another folder in the place of `live`; a link, or two folders, go to and fro."""
    if how == "link":
        Path("next").symlink_to("ba"[number % 2])
        Path("next").replace("live")
    elif how == "swap":
        Path("live").rename("between")
        Path("new").rename("live")
        Path("between").rename("new")
        time.sleep(0.005)
    else:
        Path("live").rename(f"old-{number}")
        Path("new").rename("live")
        shutil.copytree("template", "new")


@damages_what_is_open
@pytest.mark.parametrize("how", ["rename", "link", "swap"])
def test_a_folder_is_replaced_again_and_again(two, how):
    """No answer is of two indexes, and what was acknowledged is in one of the folders."""
    shutil.copytree("new", "template")
    if how == "link":
        Path("live").rename("a")
        Path("new").rename("b")
        Path("live").symlink_to("a")
    wrong: list[object] = []
    acknowledged: list[str] = []
    stop = threading.Event()
    retriever = Retriever.open("live")

    def read(number: int) -> None:
        mode = ("late", "lexical", "hybrid")[number % 3]
        hits = retriever.search("apple pie number 7", k=3, mode=mode)
        if (told := kinds(hits)) not in ({word} for word in WORDS):
            wrong.append(told)

    def write(number: int) -> None:
        acknowledged.extend(retriever.add([f"extra {number}"], ids=[f"extra-{number}"]))

    threads = [
        threading.Thread(target=keep, args=(act, stop, wrong)) for act in [read] * 4 + [write]
    ]
    for thread in threads:
        thread.start()
    for number in range(REPLACEMENTS):
        replace(number, how)
    stop.set()
    for thread in threads:
        thread.join()
    retriever.close()
    assert wrong == []
    assert set(acknowledged) <= set().union(*map(ids, two.iterdir()))


@damages_what_is_open
@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_an_index_that_is_gone_says_so(folder, kind):
    retriever = (
        Retriever.from_texts(["a"], ids=["1"], model="hash")
        if kind == "memory"
        else Retriever.open(folder, model="hash")
    )
    retriever.add(["b"], ids=["2"])
    shutil.rmtree(retriever._store.folder)
    calls = (
        lambda: retriever.search("a"),
        lambda: retriever.search("a", mode="hybrid"),
        lambda: retriever.add(["c"]),
        lambda: retriever.delete(["1"]),
        lambda: retriever.get(["1"]),
        lambda: len(retriever),
        retriever.stats,
        retriever.verify,
        retriever.optimize,
        lambda: "1" in retriever,
        lambda: list(retriever.passages()),
    )
    for call in calls:
        with pytest.raises(IndexGoneError):
            call()
    assert not retriever._store.folder.exists()
    retriever.close()


@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_a_closed_retriever_says_so(folder, kind):
    retriever = (
        Retriever.from_texts(["a"], ids=["1"], model="hash")
        if kind == "memory"
        else Retriever.open(folder, model="hash")
    )
    retriever.close()
    calls = (
        lambda: retriever.search("a"),
        lambda: retriever.add(["c"]),
        lambda: retriever.delete(["1"]),
        lambda: len(retriever),
        retriever.stats,
        lambda: list(retriever.passages()),
    )
    for call in calls:
        with pytest.raises(RetrieverClosedError):
            call()
    assert repr(retriever).endswith("closed>")


@damages_what_is_open
def test_another_models_index_is_not_followed(two):
    class Other(HashEncoder):
        @property
        def fingerprint(self):
            return {**super().fingerprint, "seed": "another"}

    with Retriever.open("live") as retriever:
        Path("live").rename("old")
        Retriever.open("live", model=Other()).close()
        with pytest.raises(IndexMismatchError, match="another model"):
            retriever.search("x")
