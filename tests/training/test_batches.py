"""What is compared with what: laws of every batch."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.training import Example
from lfm2_colbert_rag.training.batches import Batches

IDS = st.sampled_from("abcdefgh")


@st.composite
def example_lists(draw):
    found = []
    for number in range(draw(st.integers(1, 9))):
        right = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
        wrong = draw(st.lists(IDS.filter(lambda one, right=right: one not in right), max_size=3))
        found.append(Example(f"q{number}", tuple(right), tuple(wrong)))
    if len({one for example in found for one in (*example.positives, *example.negatives)}) < 2:
        found.append(Example("last", ("y",), ("z",)))
    return found


@settings(max_examples=30)
@given(example_lists(), st.integers(1, 5), st.integers(0, 3))
def test_each_question_finds_one_answer_and_is_not_told_off_for_another(examples, size, seed):
    batches = Batches(examples, size, seed)
    for batch in (*batches.drawn(6), *batches.in_order(100)):
        assert len(set(batch.passages)) == len(batch.passages)
        assert len(set(batch.questions)) == len(batch.questions) > 0
        for row, number in enumerate(batch.questions):
            answers = set(examples[number].positives)
            assert batch.passages[batch.targets[row]] in answers
            others = {batch.passages[place] for place in batch.others[row].nonzero()[0]}
            found = batch.passages[batch.targets[row]]
            assert others == answers & set(batch.passages) - {found}


@settings(max_examples=30)
@given(example_lists(), st.integers(1, 12), st.integers(0, 99))
def test_each_example_is_drawn_before_any_is_drawn_again(examples, size, seed):
    seen = Counter()
    for batch in Batches(examples, size, seed).drawn(12):
        assert len(batch.questions) == min(size, len(examples))
        seen.update(batch.questions)
        assert max(seen.values()) - min(seen[number] for number in range(len(examples))) <= 1
    once = [
        number for batch in Batches(examples, size, 1).in_order(99) for number in batch.questions
    ]
    assert once == list(range(len(examples)))


def test_the_same_seed_draws_the_same():
    examples = [Example(f"q{n}", (f"p{n}", f"r{n}"), (f"n{n}", f"m{n}")) for n in range(20)]

    def drawn(seed: int) -> list[tuple]:
        return [(b.questions, b.passages) for b in Batches(examples, 6, seed).drawn(5)]

    batches = Batches(examples, 6, 0)
    assert [b.passages for b in batches.drawn(5)] == [b.passages for b in batches.drawn(5)]
    assert drawn(0) == drawn(0) != drawn(1)


def test_copies_under_other_ids_are_one_passage():
    examples = [Example("q", ("a",), ("x",)), Example("r", ("b",), ("x",))]
    (batch,) = Batches(examples, 2, 0, same={"b": "a"}).drawn(1)
    assert sorted(batch.passages) == ["a", "x"]
    assert not batch.others.any()


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(InputError, match="no example"):
        Batches([], 4, 0)
    with pytest.raises(InputError, match="nothing to tell it apart from"):
        Batches([Example("q", ("a",)), Example("r", ("b",))], 4, 0, same={"b": "a"})
