"""Which passages came from where."""

from __future__ import annotations

from pathlib import Path

import pytest

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag._support.lines import IdDigests
from lfm2_colbert_rag.files.provenance import Ids, Scope, find_replaced, origin


def passage(path: Path | str, *, id: str | None = None, prefix: str = "") -> Passage:
    return Passage(id or str(path), "a text", {"_file": origin(Path(path), prefix)})


def ids(*known: str) -> Ids:
    digests = IdDigests()
    for one in known:
        digests.add(one)
    return Ids(digests)


@pytest.fixture
def retriever(tmp_path: Path) -> Retriever:
    made = Retriever.from_texts([], model="hash")
    for name in ("d", "d/e", "d2", "d-", "ä"):
        (tmp_path / name).mkdir()
    names = ("d/a", "d/e/b", "d2/c", "d-/f", "d.md", "da", "d0", "a\u0308/g")
    made.add_stream([passage(tmp_path / name, id=name) for name in names])
    made.add(["by hand"], ids=["hand"])
    return made


ROOTS = {
    "a folder": (["d"], {"d/a", "d/e/b"}),
    "one within": (["d/e"], {"d/e/b"}),
    "a file": (["d.md"], {"d.md"}),
    "several": (["d2", "d/a"], {"d2/c", "d/a"}),
    "another spelling": (["ä"], {"ä/g"}),
    "none": ([], set()),
}


@pytest.mark.parametrize("name", ROOTS)
def test_only_what_came_from_there_is_stale(
    retriever: Retriever, tmp_path: Path, name: str
) -> None:
    roots, expected = ROOTS[name]
    scope = Scope([tmp_path / root for root in roots], "", [])
    assert set(scope.find_stale(retriever, ids())) == expected
    assert scope.find_stale(retriever, ids(*expected)) == []
    unread = Scope([tmp_path / root for root in roots], "", [tmp_path / root for root in roots])
    assert unread.find_stale(retriever, ids()) == []
    assert Scope([tmp_path / root for root in roots], "p", []).find_stale(retriever, ids()) == []


def test_as_many_files_as_a_shell_can_name(retriever: Retriever, tmp_path: Path) -> None:
    many = [tmp_path / f"no-{n}" for n in range(15_000)]
    scope = Scope([*many, tmp_path / "d.md"], "", [])
    assert scope.find_stale(retriever, ids()) == ["d.md"]


def test_what_is_replaced_names_its_place(retriever: Retriever, tmp_path: Path) -> None:
    new = [
        passage(tmp_path / "d/a", id="d/a"),
        passage(tmp_path / "x/c", id="d2/c"),
        passage(tmp_path / "x/h", id="hand"),
        Passage("da", "without a place"),
        passage(tmp_path / "new", id="new"),
    ]
    places = list(find_replaced(retriever, new))
    assert places == [str(tmp_path / "d2/c"), "", str(tmp_path / "da")]


def test_ids_among_many() -> None:
    known = ids(*map(str, range(1000)))
    assert all(str(n) in known for n in range(1000))
    assert not any(str(n) in known for n in range(1000, 2000))
    assert "x" not in ids()
