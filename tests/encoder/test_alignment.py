"""What is found to take out of queries, on a model of which that is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lfm2_colbert_rag.encoder.aligned_texts import AlignedTexts
from lfm2_colbert_rag.encoder.alignment import GUARD, Alignment, Trial, align
from lfm2_colbert_rag.encoder.removals import Measured, Removal
from lfm2_colbert_rag.errors import InputError

from .biased import BiasedEncoder, without_languages

LANGUAGES = ("de", "en", "fr", "zh")
MATTERS = [f"matter{n} thing{n % 5} place{n % 3}" for n in range(12)]
TEXTS = AlignedTexts(
    {one: tuple(f"{one}: ask {matter}" for matter in MATTERS) for one in LANGUAGES},
    {one: tuple(f"{one}: say about {matter} some" for matter in MATTERS) for one in LANGUAGES},
    "made up",
)


def test_what_tells_languages_apart_is_found_and_taken_out():
    encoder, seen = BiasedEncoder(bias=1.5), []
    found = align(encoder, TEXTS, progress=seen.append)
    assert found.plain.across < 0.8 < found.best.measured.across
    assert found.best.measured.within >= found.plain.within - GUARD
    assert found.adapter.dim == encoder.dim
    assert sum(seen) == len(TEXTS) * len(LANGUAGES)
    # What it takes out are the directions in which the model's languages differ.
    told = np.eye(encoder.dim) - without_languages(LANGUAGES, encoder)
    removed = np.eye(encoder.dim) - found.adapter.matrix
    assert np.trace(told @ removed) > 0.9 * np.trace(removed)


def test_nothing_is_changed_where_nothing_is_gained():
    found = align(BiasedEncoder(bias=0.0), TEXTS)
    assert found.adapter is None
    assert found.plain.across == found.plain.within


def test_what_would_harm_questions_in_their_own_language_is_not_chosen():
    def trial(across, within):
        return Trial(Removal("questions", 1, across), Measured(across, within))

    harmful, helpful, little = trial(0.9, 0.88), trial(0.6, 0.895), trial(0.52, 0.91)
    found = Alignment("m", "t", ("de", "en"), Measured(0.5, 0.9), (little, harmful, helpful), None)
    assert not harmful.keeps(found.plain)
    assert found.best is helpful is found.best_of("questions")
    assert found.best_of("texts") is None


def test_the_bundled_texts_are_whole():
    texts = AlignedTexts.bundled()
    assert len(texts.languages) >= 12
    assert len(texts) >= 10
    for side in (texts.questions, texts.passages):
        for language in texts.languages:
            assert len(set(side[language])) == len(texts)


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_texts_of_ones_own(tmp_path):
    rows = [
        {"en": f"text {n}", "de": {"question": f"F {n}", "passage": f"P {n}"}} for n in range(5)
    ]
    lacking = {"en": "only in English"}
    texts = AlignedTexts.read(write(tmp_path / "mine.jsonl", *rows, lacking))
    assert texts.languages == ("en", "de")
    assert (texts.questions["de"][4], texts.passages["de"][4]) == ("F 4", "P 4")
    assert texts.questions["en"] == texts.passages["en"] == tuple(f"text {n}" for n in range(5))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"en": "a", "de": "b"}] * 3, r"at least 4 texts.*texts \[3\]"),
        ([{"en": "a"}] * 9, "has 1 languages"),
        ([], "has 0 languages"),
        ([["en", "de"]], "line 1 is no object"),
        ([{"en": "a", "de": 3}], "line 1, 'de': an entry is a text"),
        ([{"en": "a", "de": {"question": "b"}}], "line 1, 'de'"),
        ([{"en": "a", "de": " "}], "line 1, 'de'"),
    ],
)
def test_texts_that_teach_nothing_are_refused(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        AlignedTexts.read(write(tmp_path / "mine.jsonl", *rows))


def test_a_line_that_is_no_json_is_named(tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"en": "a", "de": "b"}\n{', encoding="utf-8")
    with pytest.raises(InputError, match="line 2 is no JSON"):
        AlignedTexts.read(tmp_path / "mine.jsonl")
