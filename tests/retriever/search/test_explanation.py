"""Explanations drawn: in a terminal, and as HTML that needs nothing else."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.retriever.search.explanation import SHOWN, Explanation
from lfm2_colbert_rag.types import HeatMap, Match

VOID = {"br", "img"}


class Balanced(HTMLParser):
    """Keeps count of what is open."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def explain(text: str, question: str = "the router", **options) -> Explanation:
    with Retriever.from_texts([text], ids=["one"], model="hash", **options) as retriever:
        return retriever.explain(question, "one")


def terminal(explanation: Explanation) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(explanation)
    return console.file.getvalue()


def test_the_heat_map_holds_all_tokens():
    heat = explain("Reset the red router.").heat
    assert heat.cosines.shape == (2, 5)
    np.testing.assert_array_equal(heat.passage_spans[3], (14, 20))
    np.testing.assert_allclose(heat.cosines[[0, 1], [1, 3]], 1.0, atol=1e-3)


def test_a_row_a_token_and_a_column_a_token():
    html = explain("Reset the red router.")._repr_html_()
    page = Balanced()
    page.feed(html)
    assert page.open == []
    assert page.seen.count("td") == 2 * 5
    assert html.count("outline:") == 2  # the best answer to each token
    assert {"script", "link", "img", "style"}.isdisjoint(page.seen)
    assert "http" not in html


def test_of_a_long_passage_the_best_tokens_are_shown_in_their_order():
    words = [f"word{number}" for number in range(100)]
    html = explain(" ".join([*words, "router"]))._repr_html_()
    assert html.count("</tr>") == SHOWN + 1
    assert f"and {101 - SHOWN} tokens that answered less" in html
    rows = re.findall(r"<bdi>word(\d+)</bdi>", html)
    assert rows == sorted(rows, key=int)


def test_texts_from_right_to_left_keep_their_direction():
    html = explain("إعادة تعيين كلمة المرور", "كلمة المرور")._repr_html_()
    assert html.count('dir="auto"') == 2
    assert "<bdi>كلمة</bdi>" in html


@pytest.mark.parametrize("text", ["[bold]router[/bold]", "\x1b[2Jrouter\x07", "a\x00 router"])
def test_a_text_does_not_drive_the_terminal(text):
    shown = terminal(explain(text, f"router {text}"))
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[bold]" in shown or "[bold]" not in text


def test_the_terminal_shows_the_window_that_answered():
    match = Match((0, 3), (5, 8), 0.9)
    passage = Passage("one", "zero key six")
    text = terminal(Explanation("key", passage, 1.0, 0.5, (match,), 1.0, (5, 12)))
    assert "key six" in text
    assert "zero" not in text


def test_an_empty_heat_map_is_not_drawn():
    none = np.empty((0, 2), dtype=np.int32)
    heat = HeatMap(none, none, np.empty((0, 0), dtype=np.float32))
    explanation = Explanation("q", Passage("one", "text"), 0.0, 0.0, (), 0.0, None, heat)
    assert "<table" not in explanation._repr_html_()
    assert len(heat.strongest(5)) == 0
