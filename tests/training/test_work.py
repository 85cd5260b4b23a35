"""The work folder: its owner's alone, ids and never texts, of one index and model."""

from __future__ import annotations

import json
import os
import stat

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import ConfigError, IndexExistsError, InputError
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.training.preparing import mine
from lfm2_colbert_rag.training.work import Work
from tests.training.conftest import fill, labels, passage


@pytest.fixture
def work(index, tmp_path):
    return mine(index, labels(), into=tmp_path / "work", method="layers")


def test_it_holds_ids_and_no_texts(work):
    written = {path.name: path.read_text("utf-8") for path in work.folder.iterdir()}
    assert set(written) == {
        *("manifest.json", "split.json"),
        *("train.jsonl", "dev.jsonl", "test.jsonl"),
    }
    assert not any("Matter" in text for text in written.values())
    assert "own7" in written["train.jsonl"] + written["dev.jsonl"] + written["test.jsonl"]


@pytest.mark.skipif(os.name == "nt", reason="rights are other ones there")
@pytest.mark.parametrize("mask", [0, 0o777 & ~0o700])
def test_it_is_its_owners_alone_whatever_the_mask(index, tmp_path, mask):
    before = os.umask(mask)
    try:
        made = mine(index, labels(), into=tmp_path / "work")
        made.write("verdict.json", {})
        report = made.report_folder()
    finally:
        os.umask(before)
    for path in (made.folder, report):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in made.folder.glob("*.json*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_read_as_it_was_made(work, index):
    again = Work.open(work.folder)
    assert (again.manifest, again.identity) == (work.manifest, work.identity)
    again.require(index)
    assert again.manifest["counts"] == {"train": 72, "dev": 24, "test": 24}
    assert again.split["by"] == "passage"
    train = again.examples("train")
    assert len(train) == 72
    assert any(one.negatives for one in train)
    assert not any(one.negatives for one in again.questions("test"))
    texts = again.texts(index, train)
    assert texts[train[0].positives[0]] == passage(int(train[0].positives[0][1:]))


def test_the_same_seed_makes_the_same_files(index, tmp_path):
    made = [mine(index, labels(), into=tmp_path / str(n), seed=n // 2) for n in range(3)]
    files = [{path.name: path.read_bytes() for path in one.folder.glob("*.json*")} for one in made]
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_deleted_passages_drop_out_by_themselves(tmp_path):
    with Retriever.from_texts([], model="hash") as index:
        made = mine(fill(index), labels(), into=tmp_path / "work", method="layers")
        first = made.examples("train", index)[0]
        index.delete([first.positives[0]])
        left = made.examples("train", index)
        assert len(made.examples("train")) == len(left) + 1
        assert first.question not in [one.question for one in left]
        assert not any(first.positives[0] in one.negatives for one in left)
        made.require(index)


def test_another_index_or_model_is_refused_by_name(work, index, tmp_path):
    with Retriever.from_texts(["Other"], ids=["p1"], model="hash") as other:
        with pytest.raises(ConfigError, match="was made of the index in memory, and not of"):
            work.require(other)
        index_of_another = Retriever.from_texts([], model=HashEncoder(dim=16))
    with index_of_another:
        fill(index_of_another)
        with pytest.raises(ConfigError, match="was made with the model 'hash'"):
            work.require(index_of_another)


def test_a_folder_that_is_taken_stays_as_it_is(work, index):
    before = {path: path.read_bytes() for path in work.folder.iterdir()}
    with pytest.raises(IndexExistsError, match="exists and is not empty"):
        mine(index, labels(), into=work.folder)
    assert {path: path.read_bytes() for path in work.folder.iterdir()} == before


def test_bad_labels_leave_no_folder(index, tmp_path):
    for pairs in ([], [("a", "gone")], 7):
        with pytest.raises(InputError):
            mine(index, pairs, into=tmp_path / "work")
    with pytest.raises(ConfigError, match="nothing to learn from"):
        mine(index, into=tmp_path / "work")
    with pytest.raises(ConfigError, match="guard must be a folder"):
        mine(index, labels(), into=tmp_path / "work", guard=tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("manifest.json", "{", "is damaged"),
        ("manifest.json", "[]", "is damaged"),
        ("manifest.json", '{"format": "another"}', "is of the format 'another'"),
        ("manifest.json", '{"format": "lfm2-colbert-rag work 1"}', "is damaged"),
        ("train.jsonl", "{}\n", "line 1 is damaged"),
        ("train.jsonl", '{"question": "a", "grades": {"p": "x"}, "negatives": []}', "is damaged"),
        ("train.jsonl", "no JSON", "not a JSON object"),
        ("judged.json", '{"a": "seven"}', "is damaged"),
    ],
)
def test_damage_is_named(work, name, content, said):
    (work.folder / name).write_text(content)
    with pytest.raises((InputError, ConfigError), match=said) as caught:
        read_all(work.folder)
    assert name in str(caught.value)


def read_all(folder):
    made = Work.open(folder)
    return made.examples("train"), made.judged()


def test_what_is_no_work_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is no work folder"):
        Work.open(tmp_path)


def test_questions_of_the_passages_train_and_labels_judge(index, tmp_path):
    made = mine(index, labels(), into=tmp_path / "work", own=True)
    assert made.manifest["counts"] == {"train": 120, "dev": 30, "test": 90}
    assert not made.pseudo
    train = made.examples("train")
    assert {one.question for one in train} == {f"Matter {n} of chapter {n % 7}" for n in range(120)}
    assert not any("Matter" in text for text in made.texts(index, train).values())
    alone = mine(index, into=tmp_path / "alone", own=True)
    assert alone.pseudo
    assert alone.manifest["counts"] == {"train": 120, "dev": 0, "test": 0}
    assert alone.examples("test") == []


def test_questions_that_quote_their_passage_are_counted(index, tmp_path):
    quoted = [(passage(n).split("\n")[1].upper(), f"p{n}") for n in range(5)]
    made = mine(index, [*labels(), *quoted], into=tmp_path / "work")
    assert made.manifest["quoted"] == 5
    assert "Questions that quote a passage which answers them: 5." in made.manifest["notes"]


def test_the_manifest_is_json_of_plain_values(work):
    assert json.loads((work.folder / "manifest.json").read_text()) == work.manifest
