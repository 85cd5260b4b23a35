"""Questions that passages answer by how they were made."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.training.pseudo import body_of, own_questions, taken_from

BODY = "Hold the key for ten seconds. Then wait."
TAKEN = {
    "metadata": (Passage("1", BODY, {"title": "Reset the router"}), "Reset the router", BODY),
    "metadata and text": (
        Passage("1", f"Reset the router\n{BODY}", {"title": "Reset the router"}),
        "Reset the router",
        BODY,
    ),
    "marked heading": (Passage("1", f"## Reset the router ##\n\n{BODY}"), "Reset the router", BODY),
    "first line": (Passage("1", f"Reset the router\n{BODY}"), "Reset the router", BODY),
    "sentence": (Passage("1", BODY + " It lights up."), BODY[:29], "Then wait. It lights up."),
    "a title too short": (
        Passage("1", f"{BODY} It lights.", {"title": "Reset"}),
        BODY[:29],
        "Then wait. It lights.",
    ),
    "abbreviated": (
        Passage("1", "Approx. ten p.m. it closes, see below. Come on Monday morning."),
        "Approx. ten p.m. it closes, see below.",
        "Come on Monday morning.",
    ),
    "no blanks": (
        Passage("1", "図書館は九時に開きます。月曜日は休館です。"),
        "図書館は九時に開きます。",
        "月曜日は休館です。",
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_question_is_taken_out_of_its_passage(name):
    passage, question, body = TAKEN[name]
    assert taken_from(passage) == question
    assert body_of(passage) == body


@pytest.mark.parametrize("text", ["One sentence only.", "Short\nand", "no end at all", "A. B. C."])
def test_where_nothing_can_be_taken_the_text_stays_whole(text):
    assert taken_from(Passage("1", text)) is None
    assert body_of(Passage("1", text)) == text


def test_equal_titles_are_one_question_with_several_answers():
    texts = [f"Reset the router\nPart {n} of what there is to say." for n in range(3)]
    with Retriever.from_texts([*texts, "Bare."], ids=["a", "b", "c", "d"], model="hash") as made:
        found = own_questions(made)
        assert found.pseudo
        assert [(one.question, one.positives) for one in found.questions] == [
            ("Reset the router", ("a", "b", "c"))
        ]


def test_a_function_of_the_users_own_makes_questions():
    with Retriever.from_texts(["a lock", "a key"], ids=["l", "k"], model="hash") as made:
        found = own_questions(made, lambda text: [f"where is {text} ", " "])
        assert [(one.question, one.positives) for one in found.questions] == [
            ("where is a lock", ("l",)),
            ("where is a key", ("k",)),
        ]
        for odd in (lambda text: text, lambda text: None, lambda text: [7]):
            with pytest.raises(InputError, match="generate must give"):
                own_questions(made, odd)


def test_an_index_that_gives_no_question_is_refused():
    with (
        Retriever.from_texts(["bare", "words"], model="hash") as made,
        pytest.raises(InputError, match="no title, and no second sentence"),
    ):
        own_questions(made)
