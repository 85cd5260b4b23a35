"""No passage, and no two questions in nearly the same words, on two sides."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.training.labels import Labelled
from lfm2_colbert_rag.training.splits import OVERLAP, SIDES, alike, fold, split

WORDS = st.lists(st.sampled_from("abcdefghijklm"), min_size=1, max_size=6)
IDS = st.lists(st.integers(0, 30), min_size=1, max_size=3, unique=True)
QUESTIONS = st.lists(st.tuples(WORDS, IDS), min_size=1, max_size=40).map(
    lambda some: [
        Labelled(" ".join(f"word{letter}" for letter in words), {f"p{id}": 1 for id in ids})
        for words, ids in some
    ]
)


def overlap(one: Labelled, other: Labelled) -> float:
    a, b = (set(of.question.split()) for of in (one, other))
    return len(a & b) / len(a | b)


@given(QUESTIONS, st.integers(0, 5))
def test_no_passage_is_on_two_sides(questions, seed):
    found = split(questions, seed)
    places = [place for side in SIDES for place in found.sides[side]]
    assert sorted(places) == list(range(len(questions)))
    assert split(questions, seed) == found
    side_of = {place: side for side in SIDES for place in found.sides[side]}
    for one in range(len(questions)):
        for other in range(one):
            if side_of[one] == side_of[other]:
                continue
            a, b = questions[one], questions[other]
            assert overlap(a, b) < OVERLAP
            assert found.by == "question" or not set(a.positives) & set(b.positives)
    assert (found.by == "question") == (found.largest > 0.5)


@given(QUESTIONS)
def test_folds_are_all_questions_once_and_share_no_passage(questions):
    found = fold(questions)
    parts = found.folds
    assert found.sides["train"] == tuple(range(len(questions)))
    assert sorted(place for part in parts for place in part) == list(range(len(questions)))
    if found.by == "passage":
        held = [{id for place in part for id in questions[place].positives} for part in parts]
        assert len(set().union(*held)) == sum(map(len, held))


@given(QUESTIONS)
def test_alike_finds_what_comparing_all_finds(questions):
    found = alike([one.question for one in questions])
    pairs = ((a, b) for b in range(len(questions)) for a in range(b))
    wanted = [(a, b) for a, b in pairs if overlap(questions[a], questions[b]) >= OVERLAP]
    assert sorted(found) == sorted(wanted)


def test_words_are_told_apart_without_blanks():
    assert alike(
        ["図書館はいつ開きますか", "図書館はいつ開きますか。", "鍵はどこにありますか"]
    ) == [(0, 1)]


def test_sides_have_their_shares():
    some = [Labelled(f"question {n}", {f"p{n}": 1}) for n in range(100)]
    sizes = {side: len(places) for side, places in split(some, seed=3).sides.items()}
    assert sizes == {"train": 60, "dev": 20, "test": 20}
    assert split(some, seed=3).sides != split(some, seed=4).sides


def test_one_passage_with_most_questions_is_said_and_divided_by_question():
    some = [Labelled(f"question {n}", {"p": 1} if n < 60 else {f"p{n}": 1}) for n in range(100)]
    found = split(some)
    assert (found.by, found.largest) == ("question", 0.6)
    assert {side: len(places) for side, places in found.sides.items()} == {
        "train": 60,
        "dev": 20,
        "test": 20,
    }


def test_a_large_group_is_for_training():
    some = [Labelled(f"question {n}", {"p": 1} if n < 40 else {f"p{n}": 1}) for n in range(100)]
    found = split(some)
    assert found.by == "passage"
    assert set(range(40)) <= set(found.sides["train"])
    assert {len(places) for places in found.sides.values()} == {60, 20}
