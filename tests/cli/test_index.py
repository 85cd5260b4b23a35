"""``lfm2-colbert index``: what is read, and that a mistake changes nothing."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever, public_metadata
from lfm2_colbert_rag.errors import StorageFullError
from lfm2_colbert_rag.storage.store import Store

from .conftest import Run

TEXTS = {
    "Hold the reset key.": {"product": "router", "year": 2024},
    "Mantenga pulsado el botón.": {"product": "router", "year": 2022},
    "Tea, green, costs two euros": {"lang": "en"},
    "Kaffee kostet drei Euro": {"lang": "de"},
    "# Washing\nClean the filter.": {"source": "docs/readme.md"},
    "Der Zug fährt um acht.": {"source": "docs/more/note.txt"},
}


def test_every_kind_of_file_is_read(run: Run, docs: Path) -> None:
    outcome = run("index", docs, "--into", "an.index", "--model", "hash")
    assert outcome.code == 0
    assert outcome.out == "Indexed 6 passages from 4 files; an.index holds 6.\n"
    assert outcome.err == "Skipped 1 file of other kinds: 1 .png.\n"
    with Retriever.open("an.index") as retriever:
        passages = list(retriever.passages())
    assert {one.text: public_metadata(one.metadata) for one in passages} == TEXTS
    ids = {one.id for one in passages}
    assert {"reset", "tea", "docs/readme.md", "docs/more/note.txt"} < ids
    made = ids - {"reset", "tea", "docs/readme.md", "docs/more/note.txt"}
    assert sorted(one.partition("#")[0] for one in made) == ["docs/faq.jsonl", "docs/prices.csv"]


def test_running_again_replaces(run: Run, docs: Path) -> None:
    run("index", docs, "--into", "an.index", "--model", "hash")
    (docs / "readme.md").write_text("Another text.", encoding="utf-8")
    outcome = run("index", docs, "--into", "an.index", "--batch", 2)
    assert outcome.out.endswith("holds 6.\n")
    with Retriever.open("an.index") as retriever:
        assert retriever.get(["docs/readme.md"])[0].text == "Another text."


def test_an_index_inside_the_folder_is_not_read(run: Run, docs: Path) -> None:
    for _ in range(2):
        outcome = run("index", docs, "--into", docs / "the.index", "--model", "hash")
        assert outcome.err == "Skipped 1 file of other kinds: 1 .png.\n"


def test_whole_numbers_become_ids(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 7, "text": "seven"}', encoding="utf-8")
    assert run("index", "a.jsonl", "--into", "i", "--model", "hash").code == 0
    with Retriever.open("i") as retriever:
        assert retriever.get(["7"])[0].text == "seven"


BAD_FILES = {
    "broken.jsonl": (b'{"text": "fine"}\n{"text": \n', "line 2: not a JSON object"),
    "commas.csv": (b'text,lang\n"a\nb",en\na,b,c\n', "line 4: 3 values"),
    "quote.csv": (b'text,lang\nfine,en\n"a"b,c\n', "line 3: not a row of CSV"),
    "surrogate.jsonl": (b'{"id": "\\ud800", "text": "a"}\n{"text": 5}', "line 2: the text is 5"),
    "set.jsonl": (b'{"text": "a"}\n{"text": "b", "n": 123456789012345678901}', "beyond 64 bits"),
    "same.jsonl": (
        b'{"id": "x", "text": "a"}\n{"id": "x", "text": "b"}',
        "line 2: the id 'x' is that of another passage, docs/same.jsonl, line 1. Give each one of "
        "its own.",
    ),
}
USELESS_FILES = {
    "columns.csv": (b"id,words\n1,a\n", "no column 'text' among 'id', 'words'."),
    "binary.txt": (b"\x7fELF\0\0\0\1", "this is no text."),
    "cut.jsonl.gz": (gzip.compress(b'{"text": "a"}' * 99)[:40], "it is damaged ("),
    "list.json": (b'{"name": "x"}', "an object with 'name'."),
    "broken.jsonl": (b'{"text": ', "line 1: not a JSON object"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_what_is_odd_is_listed_and_the_rest_indexed(run: Run, docs: Path, name: str) -> None:
    content, message = BAD_FILES[name]
    (docs / name).write_bytes(content)
    outcome = run("index", "docs", "--into", "an.index", "--model", "hash")
    assert (outcome.code, outcome.out) == (
        3,
        "Indexed 7 passages from 5 files; an.index holds 7.\n",
    )
    *_, heading, line = outcome.err.splitlines()
    assert heading == "Could not be read (1):"
    assert line.startswith(f"  docs/{name}, ")
    assert message in line


@pytest.mark.parametrize("name", USELESS_FILES)
def test_a_file_that_is_of_no_use_is_named(run: Run, docs: Path, name: str) -> None:
    content, message = USELESS_FILES[name]
    (docs / name).write_bytes(content)
    alone = run("index", f"docs/{name}", "--into", "an.index", "--model", "hash")
    assert (alone.code, alone.out, alone.err.count("\n")) == (1, "", 1)
    assert alone.err.startswith(f"error: docs/{name}")
    assert message in alone.err
    assert not Path("an.index").exists()
    outcome = run("index", "docs", "--into", "an.index", "--model", "hash")
    assert (outcome.code, outcome.out) == (
        3,
        "Indexed 6 passages from 4 files; an.index holds 6.\n",
    )
    assert message in outcome.err.splitlines()[-1]


@pytest.mark.parametrize("name", [*BAD_FILES, "columns.csv"])
def test_strictly_an_odd_line_changes_nothing(run: Run, docs: Path, name: str) -> None:
    content, message = {**USELESS_FILES, **BAD_FILES}[name]
    (docs / name).write_bytes(content)
    outcome = run("index", "docs", "--into", "an.index", "--model", "hash", "--strict")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: docs/")
    assert outcome.err.count("\n") == 1
    if name != "surrogate.jsonl":  # there the line before is refused already
        assert message in outcome.err
    assert not Path("an.index").exists()


def test_another_kind_is_a_mistake_unless_its_own_is_named(run: Run, docs: Path) -> None:
    (docs / "notes.log").write_bytes(b"a line of a log")
    outcome = run("index", "docs/notes.log", "--into", "i", "--model", "hash")
    assert outcome.code == 1
    assert "docs/notes.log is not one of the kinds that can be read: .txt" in outcome.err
    assert "--kind txt" in outcome.err
    assert (
        run("index", "docs/notes.log", "--into", "i", "--model", "hash", "--kind", "txt").code == 0
    )
    refused = run("index", "docs/notes.log", "--into", "i", "--kind", "exe")
    assert refused.code == 2
    assert "--kind must be one of" in refused.err


def test_a_folder_without_anything_to_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    outcome = run("index", "pictures", "--into", "i", "--model", "hash")
    assert outcome.code == 1
    assert outcome.err.startswith("error: pictures holds no file that can be read; the kinds are")


def test_options_of_a_new_index_are_kept(run: Run, docs: Path) -> None:
    pytest.importorskip("scipy")
    (docs / "readme.md").write_text("Tea is hot. " * 400 + "Zebras too.", encoding="utf-8")
    options = ["--window-overlap", 20, "--pool-factor", 2]
    outcome = run("index", docs, "--into", "an.index", "--model", "hash", *options)
    assert outcome.out == "Indexed 6 passages from 4 files; an.index holds 6.\n"
    stats = json.loads(run("stats", "an.index", "--json").out)
    assert (stats["window_overlap"], stats["pool_factor"]) == (20, 2)
    assert stats["windows"] == 9
    found = json.loads(run("search", "an.index", "zebras", "--json", "-k", 1).out)
    assert (found["id"], found["window"][1]) == ("docs/readme.md", len(found["text"]))
    assert "*Zebras* too." in run("search", "an.index", "zebras").out
    assert run("index", docs, "--into", "an.index", "--pool-factor", 2).code == 0
    refused = run("index", docs, "--into", "an.index", "--pool-factor", 3)
    assert refused.code == 1
    assert "an.index was made with pool_factor 2, not 3" in refused.err
    refused = run("index", docs, "--into", "b", "--model", "hash", "--window-overlap", 512)
    assert "window_overlap must be a whole number of tokens from 0 to 511" in refused.err
    assert run("index", docs, "--into", "b", "--pool-factor", 0).code == 2
    assert not Path("b").exists()


def test_a_path_that_is_not_there_is_a_usage_error(run: Run) -> None:
    outcome = run("index", "nowhere", "--into", "i", "--model", "hash")
    assert outcome.code == 2
    assert "'nowhere' does not exist" in outcome.err


def test_the_target_is_never_a_folder_of_something_else(run: Run, docs: Path) -> None:
    outcome = run("index", docs / "faq.jsonl", "--into", docs, "--model", "hash")
    assert outcome.code == 1
    assert "holds no index" in outcome.err


FAILURES = {
    "full": (
        StorageFullError("the disk is full; nothing was changed."),
        [
            "error: the disk is full; nothing was changed. The first 4 of the stream were "
            "committed before and stay. Give the whole stream again to go on: what is stored is "
            "skipped."
        ],
    ),
    "stopped": (
        KeyboardInterrupt(),
        [
            "i holds 4 passages now. Run the same command again to add the rest.",
            "error: interrupted",
        ],
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_is_committed_before_a_failure_is_said(
    run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    failure, said = FAILURES[name]
    commit, calls = Store.commit_passages, []

    def commit_twice(self: Store, *args: object, **options: object) -> None:
        calls.append(args)
        if len(calls) > 2:
            raise failure
        commit(self, *args, **options)

    monkeypatch.setattr(Store, "commit_passages", commit_twice)
    outcome = run("index", docs, "--into", "i", "--model", "hash", "--batch", 2)
    assert outcome.err.replace(f"{Path.cwd()}{os.sep}", "").splitlines() == said
    with Retriever.open("i") as retriever:
        assert len(retriever) == 4


def test_search_output_can_be_indexed(run: Run, docs: Path, tmp_path: Path) -> None:
    run("index", docs, "--into", "an.index", "--model", "hash")
    found = run("search", "an.index", "reset key", "--json").out
    (tmp_path / "found.jsonl").write_text(found, encoding="utf-8")
    assert run("index", "found.jsonl", "--into", "other", "--model", "hash").code == 0
    with Retriever.open("other") as retriever:
        assert len(retriever) == len(found.splitlines()) == 5
        assert json.loads(found.splitlines()[0])["text"] == retriever.get(["reset"])[0].text
