"""Words of every script become the terms that their other spellings become, too."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from lfm2_colbert_rag.index.lexical.analyser import analyse, is_wordlike, pair, weigh
from lfm2_colbert_rag.index.lexical.han_variants import OTHERS, USUAL
from lfm2_colbert_rag.index.lexical.normalisation import INVISIBLE, marks, normalise

texts = st.text(max_size=60)
words = st.sampled_from(
    ["Häuser", "RT-AX88U", "500mg", "10,000", "10 000", "e-mail", "นํ้า", "山﨑", "한국", "ｶﾞｲﾄﾞ",
     "x´y",
     "ﷺ", "½", "Ⅻ", "㈱", "☀", "U.S.A.", "ё", "ﬁ", "مُعَلِّمَةٌ", "क़लम", "ﾞa", "C#", "Ａ－１"]
)  # fmt: skip


@given(texts)
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@given(texts)
def test_any_text_has_terms_that_can_be_stored(text):
    for term in analyse(text):
        assert term
        assert not term.isspace()
        assert len(term) <= 3 * len(text) + 2


@given(st.lists(st.sampled_from(["Häuser", "東京", "ไทย", "RT-AX88U", "😀", "כלב", "한국어"])))
def test_texts_side_by_side_have_the_terms_of_each(parts):
    expected = [term for part in parts for term in analyse(part)]
    assert [term for term in analyse(" ".join(parts)) if term[0] != "~"] == expected


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("Boundary-layer flows", ["boun laye", "laye flow"]),
        ("the Grenzschichten. Über", ["the gren", "gren uber"]),
        ("مكتبة المدينة", ["مكتب المد"]),
        ("iPhone 15 kaufen", ["ipho 15", "15 kauf"]),
        ("ein RT-AX88U Router", []),  # a code is none of the words around it
        ("東京 の ไทย 한국어 word", []),
        ("word 東京 word", []),
        ("alone", []),
        ("x" * 100 + " y", []),
    ],
)
def test_neighbouring_words_are_pairs(text, pairs):
    expected = [pair(*heads.split()) for heads in pairs]
    assert [term for term in analyse(text) if term[0] == "~"] == expected


@given(texts)
def test_composed_and_decomposed_texts_have_the_same_terms(text):
    composed, decomposed = unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)
    assert normalise(composed) == normalise(decomposed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("مُعَلِّمَةٌ", "معلمه"),  # harakat, teh marbuta
        ("أحمد إلى آمنة", "احمد الي امنه"),  # hamza on alef, alef maksura
        ("العـــربية", "العربيه"),  # tatweel
        ("کتاب", "كتاب"),  # Persian kaf
        ("שָׁלוֹם", "שלומ"),  # niqqud, final mem
        ("Straße STRASSE", "strasse strasse"),
        ("Ärger", "arger"),
        ("IŞIK İzmir ışık", "isik izmir isik"),  # dotted and dotless i
        ("ΑΘΉΝΑΣ", "αθηνασ"),
        ("Ёлка", "елка"),
        ("２０２４年", "2024年"),
        ("٢٠٢٤ २०२४", "2024 2024"),
        ("ｶﾞｲﾄﾞ", "ガイド"),  # half-width kana with voicing marks
        ("ﬁnance", "finance"),
        ("co\u00adoperate", "cooperate"),
        ("क़लम", "कलम"),  # nukta
        ("e\u0301te\u0301", "ete"),
        ("Đà Nẵng", "da nang"),
        ("นํ้า นำ้", "น้ำ น้ำ"),  # am and its tone, in any order
        ("ท่ี เเม่", "ที่ แม่"),
        ("นໍ້າ", "น້ຳ"),
        ("ക്ഷണന്‍", "ക്ഷണൻ"),  # a final consonant as it was written before
        ("髙﨑 渡邉 濵田 齋藤", "高崎 渡辺 浜田 斎藤"),
        ("國學院 𠮷野家 葛󠄀城", "国学院 吉野家 葛城"),
        ("東京藝術大學", "東京芸術大学"),
        ("資料庫設計", "资料库设计"),  # traditional and simplified
        ("㎏ ㈱ ℃ Ⅻ", "kg (株) °c xii"),
        ("п’ять пʼять", "п'ять п'ять"),
        ("x‑ray RT–AX88U", "x-ray rt-ax88u"),
    ],
)
def test_spellings_that_readers_take_as_the_same(one, other):
    assert normalise(one) == normalise(other)
    one_has, other_has = (
        [term for term in analyse(text) if term[0] != "="] for text in (one, other)
    )
    assert one_has == other_has  # but for terms that say how a word is spelled


@pytest.mark.parametrize(("one", "other"), [("后", "後"), ("里", "裏"), ("弁", "弦"), ("崎", "埼")])
def test_characters_that_are_words_of_their_own_stay(one, other):
    assert normalise(one) != normalise(other)


def test_each_han_character_has_one_usual_form():
    assert len(OTHERS) == len(set(OTHERS)) == len(USUAL)
    assert not set(OTHERS) & set(USUAL)
    assert normalise(OTHERS) == USUAL


def test_what_is_not_seen_is_what_unicode_says():
    frames = r"\u0488\u0489\u1abe\u20dd-\u20e0\u20e2-\u20e4\ua670-\ua672"
    ignorable = regex.compile(rf"[\p{{Default_Ignorable_Code_Point}}{frames}]")
    ours = re.compile(f"[{INVISIBLE}]")
    for character in map(chr, range(sys.maxunicode + 1)):
        assert bool(ours.match(character)) == bool(ignorable.match(character)), ascii(character)


def test_marks_are_those_of_unicode():
    everything = map(chr, range(0x300, sys.maxunicode + 1))
    assert marks() == "".join(c for c in everything if unicodedata.category(c) in ("Mn", "Mc"))


invisible = st.sampled_from(
    "\ufe0e\ufe0f\U000e0100\u20e3\u200b\u200c\u200d\xad\ufeff\u200e\u202b\u2060\u2067\u061c\u180e\u034f"
)


@given(texts | st.lists(words).map(" ".join), st.data())
def test_what_is_not_seen_changes_no_term(text, data):
    places = st.lists(st.tuples(st.integers(0, len(text)), invisible), min_size=1, max_size=5)
    for place, character in data.draw(places):
        text, plain = text[:place] + character + text[place:], text
        # Unless it stands within a number that blanks part, which are then none.
        assert analyse(text) == analyse(plain) or re.search("[0-9]", plain)


@given(texts | st.lists(words).map(" ".join), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
@example("1 000 \u00bc", "NFKC")
@example("\u00b2 1 000", "NFKC")
@example("1\u2007000\u00a0000", "NFKC")
@example("\u00bc 000", "NFKC")
def test_any_form_of_unicode_has_the_same_terms(text, form):
    assert analyse(unicodedata.normalize(form, text)) == analyse(text)


@pytest.mark.parametrize("one", ["500 mg", "iPhone 15", "COVID 19", "5 км", "10 किलो", "3 D"])
def test_a_number_and_a_word_written_as_one_have_the_terms_of_both(one):
    joined = one.replace(" ", "")
    assert analyse(joined) == [*analyse(one), f"_{normalise(joined)}_"]


@pytest.mark.parametrize(
    "number",
    [
        "10,000",
        "10.000",
        "10'000",
        "10’000",
        "10 000",
        "10\u202f000",
        "10\xa0000",
        "10_000",
        "１０，０００",
    ],
)  # fmt: skip
def test_a_number_is_found_however_its_digits_are_grouped(number):
    assert {"_10000_", pair("10", "000")} <= set(analyse(f"about {number} passages"))
    assert {"_10000_", pair("10", "000")} <= set(analyse("10000"))


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("1,234,567.89", ["_1234567_"]),
        ("1,00,000 rupees", ["_100000_"]),
        ("3 000 000,5", ["_3000000_"]),
        ("on 2019 100 came", []),
        ("1.5 000", []),
        ("555 123 456 789 123 456", []),  # a row of numbers
        ("pages 10, 100, 200", []),
        ("12.05.2024 1,5 0,500", []),
        ("e-mail", ["_email_"]),
        ("well\u2010known co\u2011operate", ["_wellknown_", "_cooperate_"]),
        ("state-of-the-art", ["_stateoftheart_"]),
        ("a-b-c-d-e --x- --", []),
        ("U.S.A. z.B.", ["_usa_", "_zb_"]),
        ("www.example.org 1.2.3", []),
    ],
)
def test_what_may_be_one_word_has_a_term_as_one(text, joined):
    plain = {f"_{part}_" for part in re.split(r"\W+", normalise(text))}
    whole = [t for t in analyse(text) if t[0] == t[-1] == "_" and t not in plain]
    assert whole == joined


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("か", "が"),  # voicing marks are letters
        ("कि", "की"),  # and so are vowel signs
        ("ไม้", "ไม่"),
        ("й", "и"),
    ],
)
def test_marks_that_are_letters_stay(one, other):
    assert normalise(one) != normalise(other)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Züge", ["_zuge_", "_zug", "zuge", "uge_", "=züge"]),
        ("flows", ["_flows_", "_flo", "flow", "lows", "ows_", "_flows"]),
        ("20240", ["_20240_", pair("20", "240"), "_20240"]),
        ("مكتبة", ["_مكتبه_", "_مكت", "مكتب", "كتبه", "تبه_"]),  # no beginning: articles
        ("là", ["_la_", "=là"]),
        ("ёлка", ["_елка_", "_елк", "елка", "лка_"]),  # left out by most who write it
        ("in 2024", ["_in_", "_2024_", pair("2", "024"), pair("in", "2024")]),
        ("東京へ", ["東", "京", "東京", "へ"]),
        ("カメラ", ["カ", "メ", "ラ", "カメ", "メラ"]),
        ("한국어를", ["한국", "국어", "어를"]),
        ("ไทยแลนด์", ["ไทย", "ทยแ", "ยแล", "แลน", "ลนด", "นด์"]),
        ("C++ and C#", ["c++", "_and_", "_and", "and_", "c#"]),
        ("🚀 ☕", ["🚀", "☕"]),
        ("", []),
        ("... — !?", []),
    ],
)
def test_golden_terms(text, terms):
    assert analyse(text) == terms


@given(texts)
def test_a_query_weighs_the_terms_that_a_passage_has(text):
    weighed = weigh(text)
    assert weighed.keys() == set(analyse(text))
    assert all(weight > 0 for weight in weighed.values())


@pytest.mark.parametrize(
    ("query", "weights"),
    [
        ("flows", {"_flows_": 1.0, "_flows": 0.7, "flow": 1.0}),
        ("fox fox", {"_fox_": 3.4, "fox_": 2.0}),  # its own beginning
        ("là", {"_la_": 1.2, "=là": 0.5}),
        ("la", {"_la_": 1.7}),
        ("مدن", {"_مدن_": 1.0}),
        ("東京", {"東": 1.0, "東京": 1.0}),
    ],
)
def test_what_terms_of_a_query_weigh(query, weights):
    weighed = weigh(query)
    assert {term: weighed[term] for term in weights} == pytest.approx(weights)


def test_accents_left_out_find_the_word_and_accents_given_find_it_first():
    assert "_la_" in set(analyse("là")) & set(analyse("la"))
    assert {"_la_", "=là"} <= set(analyse("là"))
    assert "=là" not in analyse("la")


@pytest.mark.parametrize(
    ("term", "wordlike"),
    [("_in_", True), ("_foxho", True), ("=là", True), ("~1a2b", True)]
    + [(term, False) for term in ("_fox", "fox_", "oxho", "東京", "東", "☕")],
)
def test_words_are_told_from_stretches(term, wordlike):
    assert is_wordlike(term) is wordlike


def test_a_code_is_found_however_it_is_written():
    whole = "_rtax88u_"
    for text in ("RT-AX88U", "rt_ax88u", "RTAX88U", "RT.AX88U"):
        assert whole in analyse(text)
    assert {"_rt_", "_ax88u_"} <= set(analyse("RT-AX88U"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("libraries", "library"),
        ("Kaffeemaschine", "Maschine"),
        ("المدرسة", "مدرسة"),
        ("evlerinde", "evler"),
        ("χρώματα", "χρώμα"),
        ("книгами", "книга"),
    ],
)
def test_inflected_and_compound_words_share_terms(one, other):
    assert set(analyse(one)) & set(analyse(other))
