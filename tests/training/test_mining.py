"""Negatives: what the model takes for an answer, and is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever, maxsim
from lfm2_colbert_rag.errors import ConfigError
from lfm2_colbert_rag.testing import HashEncoder
from lfm2_colbert_rag.training.labels import Labelled
from lfm2_colbert_rag.training.mining import Mining, mine_negatives
from lfm2_colbert_rag.types import TokenVectors
from tests.training.conftest import labels


def questions(size=40):
    return [Labelled(question, {id: 1}) for question, id in labels(size)]


def cosine(index, question, id):
    (encoded,) = index.encoder.encode_query([question])
    found = np.concatenate(index.vectors([id])[0])
    return float(maxsim([encoded.vectors], [found])[0, 0]) / len(encoded)


def test_a_negative_is_no_answer_and_scores_clearly_less(index):
    found = mine_negatives(index, questions(), Mining(number=3))
    assert [one.question for one in found] == [one.question for one in questions()]
    assert sum(map(len, (one.negatives for one in found))) > 60
    for one in found:
        best = max(cosine(index, one.question, id) for id in one.positives)
        ranked = [id for id, _ in index.rank_many([one.question], 40, mode="late")[0]]
        for id in one.negatives:
            assert id not in one.positives
            assert id in ranked
            assert cosine(index, one.question, id) <= 0.95 * best + 1e-6


def test_judged_zero_may_be_a_negative_and_given_ones_stay(index):
    first, second = questions(2)
    given_one = Labelled(first.question, first.grades, ("p99",))
    every = {f"p{n}": 0 for n in range(120)} | dict(second.grades)
    found = mine_negatives(index, [given_one, Labelled(second.question, every)])
    assert found[0] == given_one
    assert len(found[1].negatives) == 1


@given(st.floats(-1, 1), st.floats(0.01, 1))
def test_the_limit_lies_below_the_answer_whatever_the_sign(best, margin):
    """``margin * best`` would lie above a best that is negative."""
    limit = Mining(margin=margin).limit(best)
    assert limit <= best
    assert math.isclose(limit, margin * best, abs_tol=1e-9) or best < 0


class Turned(HashEncoder):
    """A model by which all cosines with questions are negative."""

    def encode_query(self, texts):
        return [
            TokenVectors(-abs(one.vectors), one.token_ids, one.spans)
            for one in super().encode_query(texts)
        ]

    def encode_document(self, texts, *, progress=None):
        return [
            TokenVectors(abs(one.vectors), one.token_ids, one.spans)
            for one in super().encode_document(texts, progress=progress)
        ]


def test_the_margin_holds_where_scores_are_negative():
    texts = [f"word{n} word{n + 1} word{n + 2}" for n in range(40)]
    with Retriever.from_texts(texts, ids=[f"p{n}" for n in range(40)], model=Turned()) as made:
        some = [Labelled(f"word{n} thing", {f"p{n}": 1}) for n in range(20)]
        found = mine_negatives(made, some, Mining(number=40))
        assert any(one.negatives for one in found)
        for one in found:
            best = cosine(made, one.question, one.positives[0])
            assert best < 0
            for id in one.negatives:
                assert cosine(made, one.question, id) <= 1.05 * best + 1e-6


def test_what_leads_by_words_is_left_out_of_titles_negatives(index):
    some = [Labelled(f"Matter {n} of chapter {n % 7}", {f"p{n}": 1}) for n in range(20)]
    found = mine_negatives(index, some, Mining(number=5, below_lexical=10))
    assert any(one.negatives for one in found)
    for one in found:
        first = {id for id, _ in index.rank_many([one.question], 10, mode="lexical")[0]}
        assert not first & set(one.negatives)


def test_unfiltered_negatives_are_what_bm25_puts_first(index):
    """They are what harms: a benchmark shows the gate refusing what was trained with them."""
    some = questions(10)
    for one in mine_negatives(index, some, Mining(lexical=True)):
        first = [id for id, _ in index.rank_many([one.question], 40, mode="lexical")[0]]
        assert one.negatives == (next(id for id in first if id not in one.positives),)


def test_an_answer_is_compared_as_the_text_that_trains(index):
    """With its title a passage answers the title perfectly, and everything would be a negative."""
    (one,) = [Labelled("Matter 3 of chapter 3", {"p3": 1})]
    whole = mine_negatives(index, [one], Mining(number=40))
    cut = mine_negatives(index, [one], Mining(number=40), texts={"p3": "matter of the own3"})
    assert len(cut[0].negatives) < len(whole[0].negatives)


@pytest.mark.parametrize("odd", [{"number": 0}, {"depth": 0}, {"margin": 0}, {"margin": 1.1}])
def test_numbers_that_find_nothing_are_refused(odd):
    with pytest.raises(ConfigError, match="mining takes"):
        Mining(**odd)


def test_questions_that_are_not_read_at_once_are_compared_by_what_is_read():
    """Their scores in a search are no sums of cosines."""
    texts = [f"word{n} word{n + 1} word{n + 2}" for n in range(40)]
    short = HashEncoder(query_length=3)
    with Retriever.from_texts(texts, ids=[f"p{n}" for n in range(40)], model=short) as made:
        asked = [f"word{n} thing of{n}. And word{n + 1} again, or not at all." for n in range(10)]
        some = [Labelled(text, {f"p{n}": 1}) for n, text in enumerate(asked)]
        found = mine_negatives(made, some, Mining(number=40))
        assert any(one.negatives for one in found)
        for one in found:
            best = cosine(made, one.question, one.positives[0])
            assert all(cosine(made, one.question, id) <= 0.95 * best + 1e-6 for id in one.negatives)
