"""The one call, for query adapters: what is in the folder, and that it is whole or not there."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag.encoder.query_adapter import FILE, QueryAdapter
from lfm2_colbert_rag.errors import ConfigError, InputError, ModelError, StorageFullError
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.training import Example, TrainingSettings, train

from .conftest import CANARY, EXAMPLES, TEXTS


def test_the_folder_holds_an_adapter_and_a_card_and_nothing_of_the_texts(tmp_path: Path):
    encoder = HashEncoder()
    done = []
    settings = TrainingSettings(steps=7)
    trained = train(encoder, EXAMPLES, TEXTS, tmp_path / "new", settings, progress=done.append)
    assert trained.folder == tmp_path / "new"
    assert (trained.steps, sum(done), len(trained.losses)) == (7, 7, 7)
    assert (trained.counts.questions, trained.counts.passages) == (3, 3)
    assert sorted(path.name for path in trained.folder.iterdir()) == ["README.md", FILE]
    adapter = QueryAdapter.read(trained.folder / FILE)
    adapter.require_model(encoder)
    assert adapter.use == "always"
    assert not np.array_equal(adapter.matrix, np.eye(encoder.dim))
    for path in trained.folder.iterdir():
        content = path.read_bytes()
        for secret in (CANARY, "doc-", "restart", str(tmp_path), tmp_path.name):
            assert secret.encode() not in content
    assert "| questions | 3 |" in (trained.folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="rights are other things there")
def test_only_the_owner_reads_it(tmp_path: Path):
    before = os.umask(0)
    try:
        folder = train(HashEncoder(), EXAMPLES, TEXTS, tmp_path / "new").folder
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    made = [
        train(HashEncoder(), EXAMPLES, TEXTS, tmp_path / name, TrainingSettings(seed=seed, batch=2))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    first, again, other = ((one.folder / FILE).read_bytes() for one in made)
    assert first == again != other
    assert made[0].weights == made[1].weights != made[2].weights


def test_what_encoders_cannot_read_is_read_as_everywhere(tmp_path: Path):
    examples = (Example("half \ud83d", ("a",), ("b",)),)
    texts = {"a": "a \0 half", "b": "other"}
    assert train(HashEncoder(), examples, texts, tmp_path / "new").steps == 60


@pytest.mark.parametrize(
    ("examples", "texts", "told"),
    [
        ((), TEXTS, "no example"),
        ((("q", "doc-reset"),), TEXTS, "must be of the class Example"),
        ((*EXAMPLES, Example("q", ("gone",))), TEXTS, "names the passage 'gone'"),
        ((Example("q", ("a",), ("b",)),), {"a": "text", "b": " \n"}, "'b' is blank"),
        ((Example("q", ("a",), ("b",)),), {"a": "text", "b": 7}, "must be a string|not"),
        ((Example("q", ("a",)), Example("r", ("a",))), {"a": "text"}, "nothing to tell it apart"),
    ],
)
def test_bad_input_leaves_nothing(tmp_path: Path, examples, texts, told):
    with pytest.raises(InputError, match=told):
        train(HashEncoder(), examples, texts, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_taken_stays_as_it_is(tmp_path: Path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        train(HashEncoder(), EXAMPLES, TEXTS, tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine"]
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert train(HashEncoder(), EXAMPLES, TEXTS, tmp_path / "empty" / "deep").steps == 60


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left")])
def test_what_is_broken_off_leaves_nothing(tmp_path: Path, error):
    def stop(steps: int) -> None:
        raise error

    expected = KeyboardInterrupt if error is KeyboardInterrupt else StorageFullError
    with pytest.raises(expected):
        train(HashEncoder(), EXAMPLES, TEXTS, tmp_path / "new", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_gives_too_little_is_named(tmp_path: Path):
    class Short(HashEncoder):
        def encode_document(self, texts, *, progress=None):
            return super().encode_document(texts[:1])

    with pytest.raises(ModelError, match="hash"):
        train(Short(), EXAMPLES, TEXTS, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
