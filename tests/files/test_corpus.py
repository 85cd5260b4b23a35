"""Files read into passages: what becomes ids and metadata, and what is left out."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lfm2_colbert_rag import Passage, public_metadata
from lfm2_colbert_rag.errors import InputError, MissingExtraError, StorageFullError
from lfm2_colbert_rag.files.corpus import Corpus, read_exactly
from lfm2_colbert_rag.files.kinds import READERS
from lfm2_colbert_rag.files.records import Odd, Section, SourceFile
from lfm2_colbert_rag.files.walk import find_sources


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d").mkdir()
    monkeypatch.chdir(tmp_path)


def read(*paths: str, **options: object) -> tuple[list[Passage], Corpus]:
    with Corpus(READERS, **options) as corpus:
        corpus.read(find_sources([Path(one) for one in paths], READERS).files)
        passages = list(corpus)
        assert len(passages) == len(corpus)
        return passages, corpus


def test_a_text_is_a_passage_that_knows_its_source() -> None:
    Path("d/a.md").write_text("alpha", encoding="utf-8")
    (passage,), _ = read("d")
    assert (passage.id, passage.text) == ("d/a.md", "alpha")
    assert public_metadata(passage.metadata) == {"source": "d/a.md"}
    assert passage.metadata["_file"] == {"path": str(Path("d/a.md").absolute()), "prefix": ""}


def test_names_are_in_one_normal_form() -> None:
    """The Mac writes them decomposed."""
    Path("d/u\u0308ber.md").write_text("alpha", encoding="utf-8")
    (passage,), _ = read("d")
    assert passage.id == passage.metadata["source"] == "d/über.md"
    assert passage.metadata["_file"]["path"].endswith("/d/über.md")


@pytest.mark.skipif(
    os.name == "nt" or os.uname().sysname == "Darwin", reason="names are text there"
)
def test_a_name_that_is_no_text_can_be_stored() -> None:
    Path(os.fsdecode(b"d/caf\xe9.md")).write_text("alpha", encoding="utf-8")
    (passage,), _ = read("d")
    assert passage.id == "d/caf\N{REPLACEMENT CHARACTER}.md"


def test_equal_lines_are_one_passage_and_empty_files_none() -> None:
    Path("d/a.jsonl").write_text('{"text": "x"}\n{"text": "x"}\n{"text": "y"}\n', encoding="utf-8")
    Path("d/b.md").write_text("", encoding="utf-8")
    Path("d/c.txt").write_text(" \n\ufeff\n", encoding="utf-8")
    passages, corpus = read("d")
    assert [one.text for one in passages] == ["x", "y"]
    assert (corpus.files, corpus.empty, corpus.odd) == (1, 2, [])


def test_blank_passages_are_left_out_with_one_remark() -> None:
    Path("d/a.jsonl").write_text('{"text": ""}\n{"text": "x"}\n{"text": null}\n', encoding="utf-8")
    passages, corpus = read("d")
    assert [one.text for one in passages] == ["x"]
    assert corpus.remark == "2 blank passages left out (first: d/a.jsonl, line 1)."
    assert corpus.odd == []


def test_an_id_of_two_passages_is_odd_unless_they_are_equal() -> None:
    Path("d/a.jsonl").write_text(
        '{"id": "1", "text": "x"}\n{"id": "2", "text": "y"}\n', encoding="utf-8"
    )
    Path("d/b.csv").write_text("id,text\n1,x\n2,z\n", encoding="utf-8")
    passages, corpus = read("d")
    assert [(one.id, one.text) for one in passages] == [("1", "x"), ("2", "y")]
    assert [one.place for one in corpus.odd] == ["d/b.csv, line 3"]
    assert "the id '2' is that of another passage, d/a.jsonl, line 2." in corpus.odd[0].reason


def test_many_odd_lines_of_one_file_are_counted() -> None:
    Path("d/a.jsonl").write_text("no\n" * 1000 + '{"text": "x"}\n', encoding="utf-8")
    passages, corpus = read("d")
    assert len(passages) == 1
    assert len(corpus.odd) == 6
    assert corpus.odd[-1] == Odd("d/a.jsonl", "995 more places like these.")


def test_what_is_wrong_with_all_of_a_file_is_said_once() -> None:
    Path("d/a.jsonl").write_text('{"body": "x"}\n' * 1000, encoding="utf-8")
    passages, corpus = read("d")
    assert passages == []
    (odd,) = corpus.odd
    assert odd.place == "d/a.jsonl"
    assert odd.reason.startswith(
        "no key 'text' among 'body'. Name the right one with --text-column"
    )


def _breaks_off(error: BaseException) -> dict[str, object]:
    def read_some(file: SourceFile) -> Iterator[Section]:
        yield Section("a first part", "1")
        raise error

    return {**READERS, ".rst": read_some}


BROKEN = {
    "ours": (InputError("it is encrypted."), "it is encrypted."),
    "extra": (
        MissingExtraError('pypdf is not installed. Run: pip install "x[files]"'),
        'pypdf is not installed. Run: pip install "x[files]"',
    ),
    "denied": (PermissionError(13, "Permission denied"), "Permission denied."),
    "vanished": (FileNotFoundError(2, "No such file"), "No such file."),
    "truncated": (EOFError("Compressed file ended"), "it is damaged (Compressed file ended)."),
    "deep": (RecursionError(), "it is nested too deeply."),
}


@pytest.mark.parametrize("name", BROKEN)
def test_nothing_is_taken_of_a_file_that_breaks_off(name: str) -> None:
    error, reason = BROKEN[name]
    for file in ("d/a.md", "d/b.rst", "d/c.md"):
        Path(file).write_text(file, encoding="utf-8")
    readers = _breaks_off(error)
    with Corpus(readers) as corpus:
        corpus.read(find_sources([Path("d")], readers).files)
        assert [one.id for one in corpus] == ["d/a.md", "d/c.md"]
        assert len(corpus) == 2
        assert corpus.odd == [Odd("d/b.rst", reason)]
        assert corpus.unread == [Path("d/b.rst").absolute()]
        assert "d/b.rst#1" not in corpus.ids()
        assert "d/a.md" in corpus.ids()


def test_sections_are_known_by_their_keys() -> None:
    def pages(file: SourceFile) -> Iterator[Section | Odd]:
        yield Section("one", "page 1", {"page": 1}, "page 1")
        yield Section("", "page 2", {"page": 2}, "page 2")
        yield Odd("page 3", "it cannot be read.")
        yield Section("four", "page 4", {"page": 4, "source": "own"}, "page 4")

    Path("d/a.rst").write_text("x", encoding="utf-8")
    readers = {**READERS, ".rst": pages}
    with Corpus(readers, prefix=None) as corpus:
        corpus.read(find_sources([Path("d")], readers).files)
        assert list(corpus) == [
            Passage("d/a.rst#page 1", "one", {"source": "d/a.rst", "page": 1}),
            Passage("d/a.rst#page 4", "four", {"source": "own", "page": 4}),
        ]
        assert corpus.odd == [Odd("d/a.rst, page 3", "it cannot be read.")]
        assert corpus.remark == "1 blank passage left out (d/a.rst, page 2)."


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFO on this system")
def test_only_regular_files_are_read() -> None:
    os.mkfifo("d/pipe.txt")
    Path("d/a.md").write_text("alpha", encoding="utf-8")
    done = threading.Event()
    found: list[Odd] = []

    def work() -> None:
        found.extend(read("d")[1].odd)
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert done.wait(30)
    assert found == [Odd("d/pipe.txt", "is a FIFO, not a file.")]


def test_a_full_temporary_folder_is_not_blamed_on_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("d/a.md").write_text("alpha", encoding="utf-8")
    with Corpus(READERS) as corpus:

        class Full:
            def write(self, content: bytes) -> None:
                raise OSError(28, "No space left on device")

            def __getattr__(self, name: str) -> object:
                return getattr(spool, name)

        spool = corpus._spool
        corpus._spool = Full()
        with pytest.raises(StorageFullError):
            corpus.read(find_sources([Path("d")], READERS).files)


STRICT = {
    "odd": ('{"text": "x"}\n{"text": 5}\n', "d/a.jsonl, line 2: the text is 5."),
    "twice": ('{"text": "x"}\n{"text": "x"}\n', "d/a.jsonl, line 2: the id 'd/a.jsonl#"),
    "blank": ('{"text": "x"}\n{"text": " "}\n', "d/a.jsonl, line 2"),
    "broken": ('{"text": "x"}\n{"text"', "d/a.jsonl, line 2: not a JSON object"),
}


@pytest.mark.parametrize("name", STRICT)
def test_strictly_whatever_is_odd_is_refused(name: str) -> None:
    content, message = STRICT[name]
    Path("d/a.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read("d", strict=True)
    assert str(caught.value).startswith(message)


def test_what_a_file_says_of_its_origin_is_not_believed() -> None:
    Path("d/a.jsonl").write_text(
        '{"text": "x", "_file": {"path": "/etc/passwd"}}', encoding="utf-8"
    )
    (passage,), _ = read("d")
    assert passage.metadata["_file"]["path"] == str(Path("d/a.jsonl").absolute())


def test_texts_for_vectors_stay_in_step() -> None:
    Path("d/a.jsonl").write_text(
        '{"text": "x"}\n{"id": 7, "text": ""}\n{"text": "x"}\n', encoding="utf-8"
    )
    sources = find_sources([Path("d/a.jsonl")], READERS)
    first, blank, again = read_exactly(sources.files, READERS)
    assert first == again
    assert blank == Passage("7", "", {})
    for content, message in (
        ('{"text": "x"}\nbroken', "d/a.jsonl, line 2: not a JSON object"),
        ("\0\0", "d/a.jsonl: it holds NUL bytes"),
    ):
        Path("d/a.jsonl").write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            list(read_exactly(sources.files, READERS))
