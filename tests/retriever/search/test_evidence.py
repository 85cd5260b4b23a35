"""Words that answered words: spans that cut whole words out of texts in every script."""

from __future__ import annotations

import html
import re
from itertools import pairwise

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.cli.highlight import highlight_passage
from lfm2_colbert_rag.encoder import load_encoder
from lfm2_colbert_rag.evaluation import Dataset, ModeResult
from lfm2_colbert_rag.evaluation.failures import collect_failures
from lfm2_colbert_rag.retriever.search.evidence import find_matches, telling_matches, word_span
from lfm2_colbert_rag.types import Match, TokenVectors, Window


@pytest.mark.parametrize(
    ("text", "token", "word"),
    [
        ("Der Kaffeevollautomat tropft.", "vollauto", "Kaffeevollautomat"),
        ("where's the key?", "wher", "where"),
        (" router", " router", "router"),
        ("end of line...", "...", "..."),
        ("إعادة تعيين كلمة المرور", "كلم", "كلمة"),
        ("مُحَمَّد كتب", "حَ", "مُحَمَّد"),
        ("पासवर्ड रीसेट करें", "सव", "पासवर्ड"),
        ("비밀번호를 재설정하세요", "번호", "비밀번호를"),
        ("路由器密码重置", "密码", "密码"),
        ("パスワードを忘れた", "ワード", "パスワード"),
        ("サーバーを再起動", "バ", "サーバー"),
        ("ﾊﾟｽﾜｰﾄﾞを", "ﾊ", "ﾊﾟｽﾜｰﾄﾞ"),
        ("使用者ひらがな", "用", "用"),
        ("می\u200cخواهم بروم", "خواه", "می\u200cخواهم"),
        ("ลืมรหัสผ่าน", "น้ำ"[:1], "น"),
        ("ดื่มน้ำเย็น", "น้", "น้ำ"),
        ("क्षमा करें", "ष", "क्षमा"),
        ("Das 👩🏽\u200d🍳 kocht", "👩", "👩🏽\u200d🍳"),
        ("go 🇩🇪🇫🇷 go", "🇫", "🇫🇷"),
        ("ok 👍🏿!", "👍", "👍🏿"),
        ("❤\ufe0f\u200d🔥 hot", "🔥", "❤\ufe0f\u200d🔥"),
        ("𝔘𝔫𝔦 𠮷野家", "𠮷", "𠮷"),
        (
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f!",
            "🏴",
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        ),
        ("\u1112\u1161\u11ab글", "\u1112", "\u1112\u1161\u11ab글"),
        ("รหัสผ่านของคุณ", "ผ", "ผ่"),
        ("wifi密码是什么", "wi", "wifi"),
        ("👩‍🚒 fire-fighter", "fire", "fire"),
        ("e\u0301te\u0301 chaud", "te", "e\u0301te\u0301"),
        ("naïve café", "caf", "café"),
        ("x2y", "2", "x2y"),
    ],
)
def test_a_token_widens_to_its_word(text, token, word):
    start = text.index(token)
    assert text[slice(*word_span(text, start, start + len(token)))] == word


@given(st.text(min_size=1, max_size=30), st.data())
def test_a_word_span_lies_in_the_text_and_around_the_tokens_letters(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, len(text)))
    left, right = word_span(text, start, end)
    assert 0 <= left <= right <= len(text)
    stripped = text[start:end].strip()
    assert stripped in text[left:right]
    assert word_span(text, left, right) == (left, right)


def vectors(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def spans(*pairs: tuple[int, int]) -> np.ndarray:
    return np.array(pairs, dtype=np.int32).reshape(-1, 2)


def test_pieces_of_one_word_become_one_match_and_markers_take_no_part():
    query = TokenVectors(
        vectors([1, 0, 0], [0, 1, 0], [0, 0.6, 0.8]),
        np.array([1, 2, 3], np.int32),
        spans((0, 0), (0, 3), (3, 6)),
    )
    document = TokenVectors(
        vectors([1, 0, 0], [0, 1, 0], [0, 0, 1]),
        np.array([1, 2, 3], np.int32),
        spans((0, 0), (0, 2), (3, 8)),
    )
    found = find_matches(query, "router", Window((0, 8), document), "le modem")
    assert [(m.query_span, m.passage_span) for m in found] == [((0, 6), (0, 2))]
    assert found[0].strength == pytest.approx(1.0)


def test_no_words_no_matches():
    one = TokenVectors(vectors([1, 0]), np.array([1], np.int32), spans((0, 0)))
    assert find_matches(one, "q", Window((0, 1), one), "d") == ()


def test_a_match_does_not_leave_its_window():
    """Where a window had to be cut within a word."""
    one = TokenVectors(vectors([1, 0]), np.array([1], np.int32), spans((2, 4)))
    found = find_matches(one, "  it", Window((1, 5), one), "unbroken")
    assert found[0].passage_span == (1, 5)


BLOCKS = (
    "ab 1'",
    "e\u0301\u0308\u200d\u200c",
    "กั้ำๆเ",
    "क्षिनी",
    "👩🏽🍳❤\ufe0f\u200d",
    "🇩🇪🇫",
    "\u1112\u1161\u11ab가각",
    "ﾊﾟパー密",
    "مُحَ",
    "\r\n\t",
)


@given(st.text(st.sampled_from("".join(BLOCKS)), max_size=24), st.data())
def test_no_grapheme_cluster_is_ever_cut(text, data):
    """Against the extended grapheme clusters of an implementation of UAX #29."""
    borders = {match.start() for match in regex.finditer(r"\X", text)} | {len(text)}
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    left, right = word_span(text, start, end)
    assert left == right or {left, right} <= borders


def test_the_telling_matches_are_above_the_average_of_the_words():
    query, text = "Zug wann ? der", "Der Zug, heute"
    evidence = (
        Match((0, 3), (4, 7), 0.9),
        Match((9, 10), (7, 8), 0.9),  # punctuation
        Match((11, 14), (0, 3), 0.8),
        Match((4, 8), (9, 14), 0.6),
    )
    assert telling_matches(query, text, evidence) == [evidence[0], evidence[2]]
    assert telling_matches(query, text, ()) == []
    alike = [Match((0, 3), (4, 7), 0.3), Match((4, 8), (9, 14), 0.3)]
    assert telling_matches(query, text, alike) == alike


QUESTIONS = (
    ("How long do I hold the reset button?", "Hold the red button for ten seconds, then reset."),
    ("Zug, wann?", "Der Zug fährt heute: um neun."),
    ("路由器密码？", "按住路由器背面的按钮，密码就会恢复。"),
)


@pytest.mark.parametrize(("question", "text"), QUESTIONS)
def test_terminal_notebook_and_report_set_off_the_same_words(question, text):
    with Retriever.from_texts([text], ids=["one"], model="hash") as retriever:
        hit, explanation = retriever.search(question)[0], retriever.explain(question, "one")
        dataset = Dataset(None, {"q": question}, {"q": {"one": 1}})
        result = ModeResult("late", {}, {"RR": {"q": 0.0}})
        (failure,) = collect_failures(retriever, dataset, result, 1)
    shown = highlight_passage(question, hit)
    terminal = {place for span in shown.spans for place in range(span.start, span.end)}
    page = re.findall("<mark.*?>(.*?)</mark>", explanation._repr_html_())
    answer = failure.found[0]
    report = {answer.text[slice(*one.passage)] for one in answer.evidence}
    spans = [m.passage_span for m in telling_matches(question, text, hit.evidence)]
    assert terminal == {place for span in spans for place in range(*span)} != set()
    assert set(map(html.unescape, page)) == report == {text[slice(*span)] for span in spans}


# Questions and passages with the words that answer them, chosen by a reader of each language.
GOLDEN = {
    "ar": (
        "كيف أعيد ضبط كلمة المرور؟",
        "لإعادة تعيين كلمة المرور اضغط على زر إعادة الضبط لمدة عشر ثوانٍ.",
        {"المرور": "المرور", "كلمة": "كلمة", "ضبط": "الضبط"},
    ),
    "zh": (
        "如何重置路由器密码？",
        "按住路由器背面的重置按钮十秒钟，密码就会恢复出厂设置。",
        {"路由器": "路由器", "重置": "重置", "密码": "密码"},
    ),
    "ja": (
        "ルーターのパスワード",
        "説明書の最後にパスワードの変更方法と、ルーターの設定が書かれています。",
        {"ルーター": "ルーター", "パスワード": "パスワード"},
    ),
    "ko": (
        "비밀번호를 잊어버렸어요",
        "비밀번호를 잊으셨다면 공유기의 재설정 버튼을 10초 동안 누르세요.",
        {"비밀번호를": "비밀번호를", "잊어버렸어요": "잊으셨다면"},
    ),
    "th": (
        "รหัสผ่านของเราเตอร์",
        "ลืมรหัสผ่าน ให้โทรหาเรา",
        {"รหัสผ่าน": "รหัสผ่าน"},
    ),
    "de": (
        "Wie entkalke ich den Kaffeevollautomaten?",
        "Der Kaffeevollautomat muss jeden Monat entkalkt werden.",
        {"Kaffeevollautomaten": "Kaffeevollautomat", "entkalke": "entkalkt"},
    ),
    "en": (
        "When does the cafe\u0301 open? 🇫🇷",
        "The cafe\u0301 👩🏽\u200d🍳 opens at nine and closes at six 🇩🇪🇫🇷 daily.",
        {"cafe\u0301": "cafe\u0301", "open": "opens"},
    ),
    "en → es": (
        "Where is the reset button?",
        "Mantenga pulsado el botón de reinicio del router durante diez segundos.",
        {"button": "botón", "reset": "reinicio"},
    ),
}


@pytest.mark.parametrize("language", GOLDEN)
def test_the_right_words_are_cut_out(language):
    question, text, expected = GOLDEN[language]
    with Retriever.from_texts([text], model="nano") as retriever:
        evidence = retriever.search(question)[0].evidence
    found = {question[slice(*m.query_span)]: text[slice(*m.passage_span)] for m in evidence}
    assert expected.items() <= found.items()


def test_taking_the_evidence_away_costs_more_than_taking_other_words():
    """The measure of benchmarks/evidence.py on texts of our own."""
    losses = []
    with Retriever.from_texts(["unused"], model="nano") as retriever:
        for question, text, _ in GOLDEN.values():
            whole = retriever.rerank(question, [text])[0]
            evidence = [match.passage_span for match in whole.evidence][:2]
            others = [span for span in words_of(text) if not touches(span, evidence)]
            taken = without(text, evidence)
            spared = [without(text, pair) for pair in pairwise(others)]
            found = {hit.text: hit.score for hit in retriever.rerank(question, [taken, *spared])}
            losses.append((found[taken], np.mean([found[one] for one in spared or [text]])))
    lower = [evidence < others for evidence, others in losses]
    assert sum(lower) >= len(lower) - 1


def words_of(text: str) -> list[tuple[int, int]]:
    tokens = load_encoder("nano").token_spans([text])[0].tolist()
    spans = {word_span(text, *token) for token in tokens}
    return sorted(span for span in spans if text[slice(*span)].strip(" .,，。"))


def touches(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)


def without(text: str, spans) -> str:
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + text[end:]
    return text
