"""Indexing again: what stays, what is replaced, what is gone; and standard input."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from random import Random

import pytest

from lfm2_colbert_rag import Retriever, public_metadata

from .conftest import Outcome, Run

INTO = ("--into", "i", "--model", "hash")
GONE = "Still in the index, but no longer in the files: {}. The same command with --prune removes"


def write(**texts: str) -> None:
    for name, text in texts.items():
        path = Path(name.replace("__", "/").replace("_", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def held(index: str = "i") -> dict[str, str]:
    with Retriever.open(index) as retriever:
        return {one.id: one.text for one in retriever.passages()}


@pytest.fixture(autouse=True)
def here(run: Run) -> Run:
    return run


def test_folders_with_files_of_one_name_are_kept_apart(run: Run) -> None:
    write(a__readme_md="alpha", b__readme_md="beta")
    for folder in "ab":
        assert run("index", folder, *INTO).err == ""
    assert held() == {"a/readme.md": "alpha", "b/readme.md": "beta"}


def test_what_replaces_passages_from_another_place_says_so(run: Run) -> None:
    write(x__d__a_md="alpha", y__d__a_md="beta")
    run("index", "x/d", *INTO)
    place = Path("x/d/a.md").absolute()
    outcome = run("index", "y/d", *INTO)
    assert outcome.code == 0
    assert outcome.err == (
        f"Replaced 1 passage that came from another place ({place}). Use --prefix to keep both.\n"
    )
    run("index", "x/d", *INTO, "--prefix", "x")
    assert held() == {"d/a.md": "beta", "x/d/a.md": "alpha"}
    with Retriever.open("i") as retriever:
        retriever.add(["by hand"], ids=["d/a.md"])
    assert "another place (no file)" in run("index", "y/d", *INTO).err


def test_an_unchanged_folder_changes_nothing(run: Run) -> None:
    write(d__a_md="alpha", d__f_jsonl='{"text": "x", "n": 1}\n{"id": 7, "text": "y"}')
    run("index", "d", *INTO)
    with Retriever.open("i") as retriever:
        before = retriever.stats().generation
    again = run("index", "./d/", *INTO, "--prune")
    assert again == Outcome(0, "Indexed 3 passages from 2 files; i holds 3.\n", "")
    with Retriever.open("i") as retriever:
        assert retriever.stats().generation == before


def test_what_is_gone_is_counted_and_pruned(run: Run) -> None:
    write(d__old_md="old", d__f_jsonl='{"text": "x1"}\n{"text": "x2"}\n{"text": "x3"}\n')
    run("index", "d", *INTO)
    Path("d/old.md").unlink()
    write(d__f_jsonl='{"text": "x2"}\n{"text": "x3"}\n')
    outcome = run("index", "d", *INTO)
    assert outcome.out == "Indexed 2 passages from 1 file; i holds 4.\n"
    assert GONE.format("2 passages") in outcome.err
    outcome = run("index", "d", *INTO, "--prune")
    assert outcome.out == "Indexed 2 passages from 1 file; i holds 2.\n"
    assert "Removed 2 passages no longer in the files." in outcome.err
    assert sorted(held().values()) == ["x2", "x3"]


def test_what_came_from_elsewhere_is_never_pruned(run: Run) -> None:
    write(d__a_md="a", d2__b_md="b", d__sub__c_md="c", e_csv="id,text\n1,e\n")
    run("index", "d", "d2", "e.csv", *INTO)
    run("index", "d", *INTO, "--prefix", "p")
    with Retriever.open("i") as retriever:
        retriever.add(["by hand"], ids=["hand"], metadata=[{"source": "d/a.md"}])
    everything = held()
    assert run("index", "d", *INTO, "--prune").err == ""
    assert held() == everything
    Path("d/a.md").unlink()
    run("index", "d", *INTO, "--prune")
    assert everything.keys() - held().keys() == {"d/a.md"}


def test_a_part_of_a_folder_is_pruned_by_itself(run: Run) -> None:
    write(d__a_md="a", d__sub__b_md="b", d__sub__c_md="c")
    run("index", "d", *INTO)
    Path("d/a.md").unlink()
    Path("d/sub/c.md").unlink()
    assert "Removed 2 passages" in run("index", "d/sub", *INTO, "--prune").err  # b by its old name
    assert held() == {"d/a.md": "a", "sub/b.md": "b"}
    assert "Removed 2 passages" in run("index", "d", *INTO, "--prune").err
    assert held() == {"d/sub/b.md": "b"}


def test_of_what_cannot_be_read_nothing_is_pruned(run: Run) -> None:
    write(d__a_jsonl='{"text": "x"}\n{"text": "y"}\n', d__b_csv="text\nu\n", d__c_md="c")
    run("index", "d", *INTO)
    write(d__a_jsonl='{"text": "x"}\nbroken\n', d__b_csv="words\nu\n")
    Path("d/c.md").unlink()
    outcome = run("index", "d", *INTO, "--prune")
    assert outcome.code == 3
    assert "Removed 1 passage no longer in the files." in outcome.err
    assert sorted(held().values()) == ["u", "x", "y"]


def test_an_emptied_folder_is_pruned_but_not_without_being_told(run: Run) -> None:
    write(d__a_md="a")
    run("index", "d", *INTO)
    Path("d/a.md").unlink()
    assert run("index", "d", *INTO).code == 1
    assert list(held()) == ["d/a.md"]
    outcome = run("index", "d", *INTO, "--prune")
    assert outcome.out == "Indexed 0 passages from 0 files; i holds 0.\n"


def test_an_emptied_file_loses_its_passage(run: Run) -> None:
    write(d__a_md="a", d__b_md="b")
    run("index", "d", *INTO)
    write(d__a_md="")
    outcome = run("index", "d", *INTO, "--prune")
    assert list(held()) == ["d/b.md"]
    assert "Skipped 1 file without any text." in outcome.err


def test_what_export_wrote_can_be_indexed(run: Run) -> None:
    write(d__a_md="alpha", d__f_jsonl='{"id": 7, "text": "seven", "year": 2024}')
    run("index", "d", *INTO)
    run("export", "i", "--into", "out")
    outcome = run("index", "out", "--into", "j", "--model", "hash")
    assert outcome == Outcome(0, "Indexed 2 passages from 1 file; j holds 2.\n", "")
    with Retriever.open("i") as one, Retriever.open("j") as other:
        assert list(one.passages()) == list(other.passages())


@pytest.mark.parametrize(
    "content", [b'{"id": "1", "text": "one"}\n', b'[{"id": 1, "text": "one"}]']
)
def test_rows_from_standard_input(
    run: Run, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
    outcome = run("index", "-", *INTO)
    assert outcome == Outcome(0, "Indexed 1 passage from 1 file; i holds 1.\n", "")
    assert held() == {"1": "one"}


def test_texts_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("Grüße", "other", "Grüße"):
        content = text.encode("utf-16")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
        assert run("index", "-", *INTO).code == 0
    assert sorted(held().values()) == ["Grüße", "other"]
    assert all(id.startswith("stdin-") for id in held())
    with Retriever.open("i") as retriever:
        sources = {public_metadata(one.metadata)["source"] for one in retriever.passages()}
    assert sources == set(held())


def test_standard_input_as_another_kind(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(b"id;text\n1;one\nodd\n"), encoding="utf-8")
    )
    outcome = run("index", "-", *INTO, "--kind", "csv")
    assert outcome.code == 3
    assert outcome.err.splitlines()[-1].startswith("  standard input, line 3: 1 value, but")
    assert held() == {"1": "one"}


def test_a_reason_that_many_have_is_said_once(run: Run) -> None:
    write(d__a_jsonl="no", d__b_jsonl="{", d__c_csv="x", d__d_csv="x", d__e_md="text")
    outcome = run("index", "d", *INTO)
    assert outcome.code == 3
    heading, first, second, third = outcome.err.splitlines()
    assert heading == "Could not be read (4):"
    assert first.startswith("  d/a.jsonl, line 1: not a JSON object (Expecting value")
    assert second.startswith("  d/b.jsonl, line 1: not a JSON object (Expecting property")
    assert third.startswith("  d/c.csv, d/d.csv: no column 'text' among 'x'.")


def test_guessed_encodings_are_told(run: Run) -> None:
    Path("a.csv").write_bytes("id,text\n1,Grüße\n".encode("cp1252"))
    outcome = run("index", "a.csv", *INTO)
    assert outcome.err == "Read 1 file as cp1252, by a guess: a.csv.\n"
    assert held() == {"1": "Grüße"}
    outcome = run("index", "a.csv", *INTO, "--encoding", "cp437")
    assert (outcome.err, held()) == ("", {"1": "Gr\u207f\u2580e"})
    assert run("index", "a.csv", *INTO, "--encoding", "latin-99").code == 1


def test_options_of_tables(run: Run) -> None:
    write(a_csv="Nr^Titel^Jahr\n1^Tee, grün^2024\n")
    options = ("--text-column", "titel", "--id-column", "nr", "--delimiter", "^", "--typed")
    assert run("index", "a.csv", *INTO, *options).code == 0
    assert held() == {"1": "Tee, grün"}
    assert run("search", "i", "Tee", "--where", '{"Jahr": {"$gte": 2020}}').code == 0
    outcome = run("index", "a.csv", *INTO, "--delimiter", "--")
    assert outcome.code == 1
    assert "the delimiter must be one character" in outcome.err


def test_deleting_everything_has_to_be_said(run: Run) -> None:
    write(a_jsonl='{"text": "x"}\n{"text": "y"}')
    run("index", "a.jsonl", *INTO)
    outcome = run("delete", "i", "--where", "{}")
    assert (outcome.code, outcome.out) == (1, "")
    assert "would delete every passage; say --all if you mean that." in outcome.err
    assert run("delete", "i", "--all", "--id", "x").code == 2
    assert run("delete", "i", "--all").out == "Deleted 2 passages; i holds 0.\n"


def test_after_pruning_an_index_is_what_a_new_one_would_be(run: Run) -> None:
    """Whatever was done to the files meanwhile."""
    write(d__kept_md="kept")
    random = Random(7)
    names = ("d/a.md", "d/b/a.md", "d/rows.jsonl", "d/b/rows.csv", "d/c.txt")
    for turn in range(5):
        for name in random.sample(names, 3):
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = random.sample(range(9), 4)
            if random.random() < 0.25:
                path.unlink(missing_ok=True)
            elif path.suffix == ".jsonl":
                path.write_text(
                    "".join(f'{{"text": "row {n}", "n": {n}}}\n' for n in rows), encoding="utf-8"
                )
            elif path.suffix == ".csv":
                path.write_text(
                    "text,n\n" + "".join(f"row {n},{n}\n" for n in rows), encoding="utf-8"
                )
            else:
                path.write_text(f"text {rows[0]}", encoding="utf-8")
        run("index", "d", *INTO, "--prune")
        run("index", "d", "--into", f"new{turn}", "--model", "hash")
        assert held() == held(f"new{turn}")
