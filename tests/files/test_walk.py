"""Which files are found in folders, and under which names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.files.kinds import READERS
from lfm2_colbert_rag.files.walk import Sources, find_sources


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name, encoding="utf-8")


def find(*paths: str, **options: str) -> Sources:
    return find_sources([Path(one) for one in paths], READERS, **options)


def names(sources: Sources) -> list[str]:
    return [file.name for file in sources.files]


WAYS = {
    "a folder": ("docs", "docs/a.md"),
    "a file in it": ("docs/a.md", "docs/a.md"),
    "with a dot": ("./docs/", "docs/a.md"),
    "from within": (".", "here/docs/a.md"),
    "by a detour": ("docs/../docs", "docs/a.md"),
    "from above": ("../here/docs", "docs/a.md"),
}


@pytest.mark.parametrize("way", WAYS)
def test_files_are_known_by_the_folder_that_was_named(way: str) -> None:
    write("docs/a.md", "docs/.git/b.md", "docs/.hidden.md")
    path, name = WAYS[way]
    sources = find(path)
    assert names(sources) == [name]
    assert sources.skipped.total() == 0
    assert sources.files[0].path.is_absolute()
    assert Path(str(sources.files[0])).samefile("docs/a.md")


def test_other_kinds_are_counted() -> None:
    write("d/a.md", "d/B.TXT", "d/e/c.JSONL.gz", "d/x.png", "d/y.PNG", "d/README", "d/z.tar.gz")
    sources = find("d")
    assert names(sources) == ["d/B.TXT", "d/a.md", "d/e/c.JSONL.gz"]
    assert sources.skipped == {".png": 2, "no suffix": 1, ".tar.gz": 1}


def test_a_prefix_stands_before_all_names() -> None:
    write("d/a.md", "b.txt")
    assert names(find("d", "b.txt", prefix="x/")) == ["x/d/a.md", "x/here/b.txt"]


def test_two_files_of_one_name_are_refused() -> None:
    write("x/docs/a.md", "y/docs/a.md")
    with pytest.raises(InputError, match=r"x/docs/a\.md and y/docs/a\.md would both be known as"):
        find("x/docs", "y/docs")
    assert names(find("x/docs", "y/docs/..")) == ["docs/a.md", "y/docs/a.md"]


def test_a_file_is_taken_once_however_often_it_is_named() -> None:
    write("d/a.md", "d/e/b.md")
    assert names(find("d", "d", "d/a.md", "d/e")) == ["d/a.md", "d/e/b.md"]


def links(**targets: str) -> None:
    for place, target in targets.items():
        Path(place.replace("__", "/")).symlink_to(target)


def test_links_are_followed_but_never_in_circles() -> None:
    write("real/a.md", "real/deep/b.md", "d/c.md")
    links(d__linked="../real", d__up="..", d__self=".", real__back="../d", real__deep__top="/")
    assert names(find("d")) == ["d/c.md", "d/linked/a.md", "d/linked/deep/b.md"]


def test_a_linked_file_goes_by_its_own_name_where_it_has_one() -> None:
    write("d/z.md", "out.md")
    links(d__a="z.md", d__b="../out.md")
    Path("d/a").rename("d/a.md")
    Path("d/b").rename("d/b.md")
    assert names(find("d")) == ["d/z.md", "d/b.md"]


def test_a_link_that_leads_nowhere_is_odd() -> None:
    write("d/a.md")
    links(d__b="nowhere.md")
    sources = find("d")
    assert names(sources) == ["d/a.md"]
    assert [(one.place, one.reason) for one in sources.odd] == [
        ("d/b", "a link that leads nowhere.")
    ]


def test_links_within_a_circle_of_themselves() -> None:
    write("d/a.md")
    links(d__x="y", d__y="x")
    assert [one.place for one in find("d").odd] == ["d/x", "d/y"]


def test_a_named_link_is_followed() -> None:
    write("real/a.md")
    links(d="real", f="real/a.md")
    Path("f").rename("f.md")
    assert names(find("d")) == ["d/a.md"]
    assert names(find("f.md")) == ["here/f.md"]


def test_indexes_backups_and_exports_are_passed_over() -> None:
    write("d/a.md")
    with Retriever.open("d/i", model="hash") as retriever:
        retriever.add(["one"], ids=["1"])
        retriever.backup("d/deep/backup")
        retriever.export("d/export")
    sources = find("d")
    assert names(sources) == ["d/a.md"]
    assert sources.passed_over == ["d/deep/backup", "d/export", "d/i"]
    mine = find_sources([Path("d")], READERS, target=Path("d/i"))
    assert mine.passed_over == ["d/deep/backup", "d/export"]
    assert names(find("d/export")) == ["export/passages.jsonl"]
    with pytest.raises(InputError, match=r"is an index of this library\. .* export d/i --into"):
        find("d/i")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_a_folder_that_may_not_be_read_is_odd() -> None:
    write("d/a.md", "d/e/b.md")
    Path("d/e").chmod(0)
    try:
        sources = find("d")
    finally:
        Path("d/e").chmod(0o700)
    assert names(sources) == ["d/a.md"]
    assert [one.place for one in sources.odd] == ["d/e"]


def test_what_the_system_refuses_to_list_is_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    write("d/a.md", "d/e/b.md")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "e":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    sources = find("d")
    assert names(sources) == ["d/a.md"]
    assert [(one.place, one.reason) for one in sources.odd] == [("d/e", "Permission denied.")]
    assert sources.unread == [Path("d/e").absolute()]
