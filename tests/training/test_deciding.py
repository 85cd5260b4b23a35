"""The rules of the gate, figure by figure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.training.deciding import corrected, reasons_against
from lfm2_colbert_rag.training.verdict import Figure, Membership

P = st.floats(0.0001, 1)
JUDGED = st.dictionaries(st.sampled_from("abcde"), P, min_size=1)


def figure(gain=0.0, p=0.5, corrected=None, *, mode="late", questions=60, name="test"):
    return Figure(name, mode, questions, 0.5, 0.5 + gain, 0.0, 0.0, p, corrected, 0, 0)


def reasons(*tests, guards=(), quoted=0.0):
    return reasons_against(tests, guards, quoted=quoted)


GAIN = figure(0.03, 0.01, 0.02)


@pytest.mark.parametrize(
    ("tests", "guards"),
    [
        ([GAIN], []),
        ([GAIN], [figure(-0.01, 0.5)]),
        ([GAIN, figure(-0.002, 0.8, mode="hybrid")], []),
    ],
)
def test_a_gain_without_a_loss_is_adopted(tests, guards):
    assert reasons(*tests, guards=guards) == ()


@pytest.mark.parametrize(
    ("tests", "guards", "said"),
    [
        ([], [], "No labelled question"),
        ([figure(0.3, 0.001, 0.001, questions=29)], [], "29 judged questions prove nothing"),
        ([figure(0.03, 0.03, 0.06)], [], "No gain is proven"),
        ([figure(0.0, 1.0, 1.0)], [], "No gain is proven"),
        ([figure(0.03, 0.08, 0.08), figure(0.02, 0.001, mode="hybrid")], [], "No gain is proven"),
        ([figure(-0.03, 0.001, 0.001)], [], "lose with late search"),
        ([figure(-0.002, 0.04, 0.08)], [], "lose with late search"),
        ([GAIN, figure(-0.011, 0.3, mode="hybrid")], [], "lose with hybrid search"),
        ([GAIN], [figure(-0.0101, 0.9, name="own guard")], "the guard 'own guard' falls"),
        ([GAIN], [figure(-0.001, 0.049, name="own guard")], "the guard 'own guard' falls"),
    ],
)
def test_everything_else_is_refused_and_said(tests, guards, said):
    (one,) = reasons(*tests, guards=guards)
    assert said in one


def test_questions_that_quote_are_no_proof():
    assert reasons(GAIN, quoted=0.5) == ()
    assert "51% of the judging questions quote" in reasons(GAIN, quoted=0.51)[0]


@given(JUDGED)
def test_trying_more_models_never_makes_a_gain_surer(judged):
    for model, p in judged.items():
        assert p <= corrected(judged, model) <= 1
        assert corrected({model: p}, model) == p


def test_the_gap_is_what_training_questions_rose_more():
    assert Membership((0.5, 0.9), (0.5, 0.6)).gap == pytest.approx(0.3)
