"""Nothing damaged is copied under a new checksum; what is whole is rearranged all the same."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import IndexCorruptError

from ...grown import add, answers, compress_early, grow, kinds, names, set_policy
from ...inside import segments_of
from ...windows import reads_what_is_removed

pytestmark = pytest.mark.long

EXACT = ["vectors", "token_ids", "spans", "offsets", "rows", "windows"]
COMPRESSED = ["codes", "packed", "spans", "span_sizes", "lengths", "row_steps", "windows"]


def damage(path: Path) -> None:
    """Flip the last bit of a file under whoever has it mapped."""
    array = np.lib.format.open_memmap(path, "r+")
    array.reshape(-1).view(np.uint8)[-1] ^= 1
    array.flush()


def file_of(retriever: Retriever, number: int, name: str) -> Path:
    return retriever.path / "segments" / names(retriever)[number] / f"{name}.npy"


def several(folder: Path, commits: int = 4) -> Retriever:
    retriever = Retriever.open(folder, model="hash", storage="exact")
    for seed in range(commits):
        add(retriever, 5, seed)
    return retriever


@pytest.mark.parametrize("name", EXACT)
def test_an_automatic_merge_leaves_what_is_damaged_and_says_so(folder, name, caplog, monkeypatch):
    set_policy(monkeypatch, fan_in=4)
    with several(folder, 3) as retriever:
        path = file_of(retriever, 1, name)
        damage(path)
        with caplog.at_level(logging.WARNING):
            add(retriever, 5, seed=9)  # the fourth, at which they would be merged
        assert f"{path} was altered" in caplog.text
        assert len(retriever) == 20
        assert names(retriever)[1] == path.parent.name
        assert len([p for p in retriever.verify() if str(path) in p]) == 1
        caplog.clear()
        add(retriever, 5, seed=10)
        assert "was altered" not in caplog.text  # not at every commit
        for seed in range(11, 14):
            add(retriever, 5, seed=seed)
        assert len(names(retriever)) < 8  # those behind it are merged
        assert path.exists()
        assert len(retriever) == 40


@pytest.mark.parametrize("name", EXACT)
def test_optimizing_names_what_it_left(folder, name):
    with several(folder) as retriever:
        path = file_of(retriever, 1, name)
        damage(path)
        for _ in range(2):
            with pytest.raises(IndexCorruptError, match=rf"{path.parent.name}/{name}\.npy was alt"):
                retriever.optimize()
            assert path.exists()
            assert len(names(retriever)) == 3  # nothing is merged across it
            assert any(str(path) in problem for problem in retriever.verify())
        assert len(retriever) == 20


def test_what_was_put_back_is_merged(folder):
    with several(folder) as retriever:
        path = file_of(retriever, 1, "vectors")
        damage(path)
        with pytest.raises(IndexCorruptError):
            retriever.optimize()
        damage(path)  # flips it back
        before = answers(retriever)
        retriever.optimize()
        assert len(names(retriever)) == 1
        assert retriever.verify() == []
        assert answers(retriever) == before


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_segments_are_not_copied_either(folder, name, monkeypatch):
    compress_early(monkeypatch)
    with grow(folder) as retriever:
        path = file_of(retriever, 1, name)
        damage(path)
        with pytest.raises(IndexCorruptError, match=rf"{name}\.npy was altered"):
            retriever.optimize()
        assert path.exists()
        assert any(str(path) in problem for problem in retriever.verify())


def test_inverted_lists_are_made_anew(folder, monkeypatch):
    compress_early(monkeypatch)
    with grow(folder) as retriever:
        before = answers(retriever)
        damage(file_of(retriever, 1, "listed"))
        retriever.optimize()
        assert retriever.verify() == []
        assert answers(retriever) == before


def test_damage_is_not_compressed(folder, monkeypatch):
    with several(folder) as retriever:
        path = file_of(retriever, 1, "vectors")
        damage(path)
    from lfm2_colbert_rag.index import arrays

    monkeypatch.setattr(arrays, "COMPARED_BYTES", 0)
    compress_early(monkeypatch, vectors=50)
    with Retriever.open(folder, storage="compressed") as retriever:
        with pytest.raises(IndexCorruptError, match=r"vectors\.npy was altered"):
            retriever.optimize()
        assert sorted(set(kinds(retriever))) == ["compressed", "exact"]
        assert path.exists()
        assert any(str(path) in problem for problem in retriever.verify())


def test_encoding_again_repairs(folder):
    with several(folder) as retriever:
        before = answers(retriever)
        for name in EXACT:
            damage(file_of(retriever, 1, name))
        retriever.optimize(reencode=True)
        assert retriever.verify() == []
        assert answers(retriever) == before


@reads_what_is_removed
def test_new_metadata_of_a_damaged_passage_lets_its_text_be_encoded_again(folder, caplog):
    with several(folder) as retriever:
        before = answers(retriever)
        path = file_of(retriever, 1, "vectors")
        damage(path)
        texts = [one.text for one in retriever.get([f"s1-{place}" for place in range(5)])]
        with caplog.at_level(logging.WARNING):
            retriever.add(texts, ids=[f"s1-{place}" for place in range(5)], metadata=[{"n": 1}] * 5)
        assert "is encoded again" in caplog.text
        retriever.optimize()  # nobody lives in the damaged segment any more
        assert retriever.verify() == []
        assert answers(retriever) == before
        assert not path.exists()


def test_new_metadata_of_a_whole_passage_encode_nothing(folder, caplog):
    with several(folder) as retriever:
        damage(file_of(retriever, 1, "vectors"))
        text = retriever.get(["s0-0"])[0].text
        retriever.add([text], ids=["s0-0"], metadata=[{"n": 1}])
        assert caplog.text == ""
        assert len(segments_of(retriever)) == 5
