"""Highlighted words: the right ones, whole, and the text otherwise unchanged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.cli.highlight import (
    STYLES,
    highlight_passage,
    highlight_query,
    highlight_words,
)
from lfm2_colbert_rag.types import Hit, Match

STRONG, FAIR = (style for _, style in STYLES)


def _hit(text: str, *matches: Match) -> Hit:
    return Hit("a", 1.0, 0.5, text, {}, lambda: matches)


def _styled(text: str, spans: list[tuple[tuple[int, int], float]]) -> list[tuple[str, str]]:
    rich_text = highlight_words(text, spans)
    return [(rich_text.plain[s.start : s.end], str(s.style)) for s in rich_text.spans]


def test_the_stronger_match_wins_where_two_overlap() -> None:
    styled = _styled("red green blue", [((4, 9), 0.9), ((0, 9), 0.5), ((10, 14), 0.1)])
    assert styled == [("red ", FAIR), ("green", STRONG), ("blue", FAIR)]


def test_letters_keep_their_accents_and_emoji_stay_whole() -> None:
    assert _styled("cafe\u0301 noir", [((0, 4), 0.9)]) == [("cafe\u0301", STRONG)]
    assert _styled("cafe\u0301 noir", [((4, 5), 0.9)]) == [("e\u0301", STRONG)]
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert _styled(f"a {family} b", [((4, 5), 0.9)]) == [(family, STRONG)]
    assert _styled("\U0001f44d\U0001f3fd!", [((0, 1), 0.9)]) == [("\U0001f44d\U0001f3fd", STRONG)]
    assert _styled("\U0001f1e9\U0001f1ea!", [((1, 2), 0.9)]) == [("\U0001f1e9\U0001f1ea", STRONG)]
    assert _styled("\u1112\u1161\u11ab", [((0, 1), 0.9)]) == [("\u1112\u1161\u11ab", STRONG)]


def test_marks_stand_in_for_styles() -> None:
    text = highlight_words("red green blue", [((0, 3), 0.9), ((10, 14), 0.5)], marks=True)
    assert text.plain == "*red* green *blue*"


def test_only_evidence_above_the_average_is_shown() -> None:
    query, text = "Zug wann ? der", "Der Zug, heute"
    evidence = (
        Match((0, 3), (4, 7), 0.9),
        Match((9, 10), (7, 8), 0.9),  # punctuation
        Match((11, 14), (0, 3), 0.8),
        Match((4, 8), (9, 14), 0.6),
    )
    hit = _hit(text, *evidence)
    assert highlight_query(query, hit, marks=True).plain == "*Zug* wann ? *der*"
    assert highlight_passage(query, hit, marks=True).plain == "*Der* *Zug*, heute"
    assert highlight_passage(query, _hit(text), marks=True).plain == text


def test_a_long_passage_is_shown_around_its_strongest_match() -> None:
    text = "x " * 500 + "needle" + " y" * 500
    hit = _hit(text, Match((0, 6), (1000, 1006), 0.9))
    shown = highlight_passage("needle", hit, limit=100, marks=True).plain
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert "*needle*" in shown
    assert len(shown) == 104
    assert highlight_passage("needle", hit).plain == text


@given(
    text=st.text(max_size=40),
    spans=st.lists(
        st.tuples(st.tuples(st.integers(0, 45), st.integers(0, 45)), st.floats(-1, 1)), max_size=4
    ),
    limit=st.integers(1, 30),
)
def test_any_text_and_spans_keep_their_length(
    text: str, spans: list[tuple[tuple[int, int], float]], limit: int
) -> None:
    assert len(highlight_words(text, spans).plain) == len(text)
    hit = _hit(text, *(Match((0, 1), span, strength) for span, strength in spans))
    highlight_passage("query", hit, limit=limit)
