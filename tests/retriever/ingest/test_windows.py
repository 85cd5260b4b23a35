"""Long texts in windows: nothing is lost, each fits, borders lie where a reader would put them."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever, load_encoder, maxsim
from lfm2_colbert_rag.errors import ConfigError, IndexMismatchError
from lfm2_colbert_rag.retriever.ingest.passage_encoder import PassageEncoder
from lfm2_colbert_rag.retriever.ingest.windows import Borders, check_overlap, find_windows
from lfm2_colbert_rag.testing import HashEncoder

from ...inside import rows_of, store_of

ALPHABET = "ab .!?,\n\"'。！」日本ก่า\u0301\u200d👩؟।3"
STORIES = {
    "en": "The library opens at nine. Its reading room, on the first floor, is quiet! Who may "
    "borrow books? Anybody with a card. ",
    "zh": "图书馆九点开门。阅览室在二楼，非常安静！谁可以借书？任何有借书证的人都可以。",
    "ja": "図書館は九時に開きます。二階の閲覧室はとても静かです！誰が本を借りられますか？"
    "カードを持っている人なら誰でも。",
    "ar": "تفتح المكتبة في التاسعة. قاعة القراءة في الطابق الأول هادئة! من يستعير الكتب؟ كل من "
    "لديه بطاقة. ",
    "th": "ห้องสมุดเปิดเก้าโมง ห้องอ่านหนังสืออยู่ชั้นสองและเงียบมาก ใครยืมหนังสือได้บ้าง ทุกคนที่มีบัตร ",
}


class PieceEncoder(HashEncoder):
    """Counts three characters as a token, from wherever a text begins, as no word model would."""

    def token_spans(self, texts):
        return [
            np.array(
                [(i, min(i + 3, len(text))) for i in range(0, len(text), 3)], dtype=np.int32
            ).reshape(-1, 2)
            for text in texts
        ]


def encoders(length: int) -> list[HashEncoder]:
    return [HashEncoder(document_length=length), PieceEncoder(document_length=length)]


def shared(encoder, text: str, one, other) -> int:
    """Count the tokens of the text that begin in both windows."""
    starts = encoder.token_spans([text])[0][:, 0]
    return int(((starts >= other[0]) & (starts < one[1])).sum())


@settings(deadline=None, max_examples=120)
@given(text=st.text(ALPHABET, min_size=1, max_size=120), room=st.integers(1, 12), data=st.data())
@example(text="aaa\u0301\u0301\u0301" * 9, room=2, data=None)
@example(text="\n\u0301\u0e48", room=1, data=None)
def test_windows_cover_fit_and_overlap_no_more_than_asked(text, room, data):
    overlap = room - 1 if data is None else data.draw(st.integers(0, room - 1))
    for encoder in encoders(room):
        windows = find_windows(encoder, [text], overlap)[0]
        assert (windows[0][0], windows[-1][1]) == (0, len(text))
        pieces = [text[a:b] for a, b in windows]
        counts = [len(s) for s in encoder.token_spans(pieces)]
        # A letter with marks in no normal order is a window of its own, whatever it takes.
        larger = [one for one, n in zip(pieces, counts, strict=True) if n > room]
        assert all(regex.fullmatch(r"\X", one) for one in larger)
        if len(encoder.token_spans([text])[0]) <= room:
            assert windows == [(0, len(text))]
        for one, other in pairwise(windows):
            assert one[0] < other[0] <= one[1] < other[1]
            assert shared(encoder, text, one, other) <= overlap


@settings(deadline=None, max_examples=100)
@given(
    spans=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4)), min_size=1, max_size=40),
    length=st.integers(1, 6),
    overlap=st.integers(0, 9),
)
def test_any_ascending_spans_can_be_cut(spans, length, overlap):
    """Of tokens that share a character, too, as the bytes of an emoji do."""
    text = "ab c. d" * 5
    ordered = np.array(sorted((start, start + size) for start, size in spans))
    windows = Borders(text, ordered).cut(length, overlap)
    assert (windows[0][0], windows[-1][1]) == (0, len(text))
    for one, other in pairwise(windows):
        assert one[0] < other[0] <= one[1] < other[1]


@pytest.mark.parametrize("language", STORIES)
def test_borders_are_ends_of_sentences(language):
    text = STORIES[language] * 20
    encoder = PieceEncoder(document_length=60)
    ends = re.compile(r"[.!?؟。！？]\s*$" if language != "th" else r"\s$")
    windows = find_windows(encoder, [text], 20)[0]
    assert len(windows) > 5
    assert all(ends.search(text[start:end]) for start, end in windows[:-1])
    assert all(ends.search(text[:start]) for start, _ in windows[1:])


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One two three four five six seven eight.\n\nNine. Ten eleven", "\n\n"),
        ("One two.\n\nThree four five six. Eight. Nine ten eleven", "Eight. "),
    ],
)
def test_a_paragraph_ends_a_window_that_is_nearly_full(text, first):
    start, end = find_windows(HashEncoder(document_length=11), [text], 0)[0][0]
    assert text[start:end].endswith(first)


@pytest.mark.parametrize(
    ("text", "length", "pieces"),
    [
        ("one two three four", 10, ["one two ", "three four"]),
        ("pi is 3.14159 dear", 10, ["pi is ", "3.14159 ", "dear"]),
        ("one\ntwo three", 8, ["one\n", "two ", "three"]),
        ("Yes. Or no", 8, ["Yes. ", "Or no"]),
        ("“Go.” No way", 8, ["“Go.” ", "No way"]),
        ("abcdefghij", 6, ["abcdef", "ghij"]),
        ("กก่กกก่กกกก", 6, ["กก่กก", "ก่กกกก"]),
        ("「日本語。」東京", 7, ["「日本語。」", "東京"]),
        ("東京都日本語、東京", 6, ["東京都日本", "語、東京"]),
        ("abc👩\u200d🚒d", 5, ["abc", "👩\u200d🚒d"]),
    ],
)
def test_borders_in_small(text, length, pieces):
    spans = np.array([(i, i + 1) for i in range(len(text))])
    assert [text[a:b] for a, b in Borders(text, spans).cut(length, 0)] == pieces


@pytest.mark.parametrize(
    "unit", ["Some words. ", ".", "。", "a", " ", "\n", "x\u0301", "日", "\n \n"]
)
def test_a_megabyte_is_cut_in_a_time_that_grows_with_it(unit):
    text = unit * (1_000_000 // len(unit))
    spans = np.stack((np.arange(0, len(text), 4), np.arange(0, len(text), 4) + 4), axis=1)
    windows = Borders(text, spans).cut(500, 60)
    assert windows[-1][1] == len(text)
    assert len(windows) < 1200


@pytest.mark.parametrize("overlap", [-1, 8, 100, True, 2.0, "3"])
def test_a_bad_overlap_is_refused(tmp_path, overlap):
    encoder = HashEncoder(document_length=8)
    with pytest.raises(ConfigError, match=r"window_overlap must be .* from 0 to 7.*not"):
        Retriever.open(tmp_path / "i", model=encoder, window_overlap=overlap)
    with pytest.raises(ConfigError, match="window_overlap"):
        Retriever.from_texts(["a"], model=encoder, window_overlap=overlap)
    assert not (tmp_path / "i").exists()


def test_the_default_overlap_is_an_eighth():
    assert check_overlap(None, 509) == 63
    assert check_overlap(None, 4) == 0


LONG = (
    "The router has a reset key. Hold it for ten seconds. The lamp blinks twice. "
    "The coffee machine needs a filter. Clean it every month. Use no soap. "
    "The library opens at nine. It closes at six. Sundays it is closed."
)


@pytest.fixture
def long_retriever(folder):
    encoder = HashEncoder(document_length=16)
    with Retriever.open(folder, model=encoder, window_overlap=4) as retriever:
        retriever.add(
            [LONG, "Tea needs hot water.", "reset", LONG],
            ids=["manual", "tea", "reset", "second"],
            metadata=[{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}],
        )
        yield retriever


def test_a_long_text_is_found_as_one_passage_by_its_best_window(long_retriever):
    hits = long_retriever.search("library opens nine", k=10)
    assert [hit.id for hit in hits[:2]] == ["manual", "second"]
    assert sorted(hit.id for hit in hits) == ["manual", "reset", "second", "tea"]
    best = hits[0]
    assert best.text == LONG
    assert best.relevance > 0.99
    assert "The library opens at nine." in best.excerpt
    assert best.excerpt == LONG[slice(*best.window)] != LONG
    start, end = best.window
    for match in best.evidence:
        assert start <= match.passage_span[0] < match.passage_span[1] <= end
    words = {LONG[slice(*match.passage_span)] for match in best.evidence}
    assert words == {"library", "opens", "nine"}
    tea = next(hit for hit in hits if hit.id == "tea")
    assert tea.window is None
    assert tea.excerpt == tea.text


def test_everything_counts_passages_rather_than_windows(long_retriever):
    stats = long_retriever.stats()
    assert (len(long_retriever), stats.passages, stats.deleted) == (4, 4, 0)
    assert stats.windows > 8
    assert stats.window_overlap == 4
    assert long_retriever.get(["manual"])[0].text == LONG
    assert [h.id for h in long_retriever.search("library", k=9, where={"n": {"$lt": 3}})] == [
        "manual",
        "tea",
    ]
    long_retriever.add([LONG + " More."], ids=["manual"])
    assert long_retriever.delete(["second"]) == 1
    stats = long_retriever.stats()
    # Most windows were dead by then, so that the segment was written anew without them.
    assert (len(long_retriever), stats.passages, stats.deleted) == (3, 3, 0)
    assert long_retriever.search("soap month", k=1)[0].id == "manual"
    assert long_retriever.verify() == []


def test_new_metadata_keeps_the_windows(long_retriever):
    before = long_retriever.search("soap", k=4)
    windows = long_retriever.stats().windows
    long_retriever.add([LONG], ids=["second"], metadata=[{"n": 5}])
    after = long_retriever.search("soap", k=4)
    assert [(h.id, h.score, h.window, h.evidence) for h in before] == [
        (h.id, h.score, h.window, h.evidence) for h in after
    ]
    assert long_retriever.stats().windows == windows


def test_k_passages_come_back_however_many_windows_match(folder):
    encoder = HashEncoder(document_length=8)
    with Retriever.open(folder, model=encoder) as retriever:
        texts = ["Tea is hot. " * 200, "Tea is cold. " * 100, "One.", "Two.", "Three."]
        retriever.add(texts, ids=list("abcde"))
        for k in range(1, 6):
            assert len(retriever.search("tea is hot", k=k)) == k


def test_explain_and_rerank_know_windows(long_retriever):
    explanation = long_retriever.explain("library opens", "manual")
    hit = long_retriever.search("library opens", k=1, mode="late")[0]
    assert (explanation.window, explanation.score) == (hit.window, hit.score)
    assert explanation.word_share == pytest.approx(1.0)
    shown = explanation._repr_html_()
    assert "coffee" not in shown
    assert shown.count("…") >= 1
    reranked = long_retriever.rerank("library opens", ["nothing", LONG])
    assert [h.id for h in reranked] == ["1", "0"]
    assert reranked[0].window == hit.window
    assert reranked[0].evidence[0].passage_span == hit.evidence[0].passage_span


def test_windows_survive_save_and_reopen(long_retriever, tmp_path):
    long_retriever.backup(tmp_path / "copy")
    expected = long_retriever.search("coffee soap", k=4)
    encoder = HashEncoder(document_length=16)
    with Retriever.open(tmp_path / "copy", model=encoder, window_overlap=4) as copy:
        found = copy.search("coffee soap", k=4)
        assert found == expected
        assert [hit.evidence for hit in found] == [hit.evidence for hit in expected]


@pytest.mark.parametrize("options", [{"window_overlap": 5}, {"pool_factor": 2}])
def test_other_options_at_a_later_open_are_refused(long_retriever, options):
    name, value = next(iter(options.items()))
    with pytest.raises(IndexMismatchError, match=rf"made with {name} \d, not {value}. Leave"):
        Retriever.open(long_retriever.path, **options)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_blocks_change_nothing(monkeypatch, size):
    encoder = PassageEncoder(HashEncoder(document_length=8), overlap=2)
    texts = [LONG, "short", "Tea is hot. " * 9, "one", LONG]
    whole, done = list(encoder.encode(texts)), []
    monkeypatch.setattr("lfm2_colbert_rag.retriever.ingest.passage_encoder.TEXTS", size)
    monkeypatch.setattr("lfm2_colbert_rag.retriever.ingest.passage_encoder.CHARACTERS", 40 * size)
    monkeypatch.setattr("lfm2_colbert_rag.retriever.ingest.passage_encoder.WINDOWS", size)
    found = list(encoder.encode(texts, done.append))
    assert sum(done) == len(texts)
    assert [(place, w.span) for place, w in found] == [(place, w.span) for place, w in whole]
    for (_, one), (_, other) in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one.encoded.vectors, other.encoded.vectors)
        np.testing.assert_array_equal(one.encoded.spans, other.encoded.spans)


def test_progress_counts_texts(folder):
    done: list[int] = []
    with Retriever.open(folder, model=HashEncoder(document_length=8)) as retriever:
        retriever.add([LONG, "short", LONG + "2", LONG + "3"], progress=done.append)
    assert sum(done) == 4


SENTENCES = st.lists(
    st.sampled_from(
        [
            "Reset the router.",
            "Tea is hot!",
            "图书馆九点开门。",
            "Who?",
            "coffee filter water",
            "\n\n",
        ]
    ),
    min_size=1,
    max_size=12,
).map(" ".join)


@settings(deadline=None, max_examples=15)
@given(
    texts=st.lists(SENTENCES.filter(str.strip), min_size=1, max_size=5),
    query=st.sampled_from(["reset router", "图书馆", "tea water who"]),
    room=st.integers(2, 9),
    data=st.data(),
)
def test_a_passage_scores_as_its_best_window_does(texts, query, room, data):
    overlap = data.draw(st.integers(0, room - 1))
    encoder = HashEncoder(document_length=room)
    asked = encoder.encode_query([query])[0].vectors
    expected = {}
    for place, text in enumerate(texts):
        windows = find_windows(encoder, [text], overlap)[0]
        encoded = encoder.encode_document([text[a:b] for a, b in windows])
        stored = [one.vectors.astype(np.float16).astype(np.float32) for one in encoded]
        expected[str(place)] = maxsim([asked], stored)[0].max()
    names = list(expected)
    with Retriever.from_texts(texts, ids=names, model=encoder, window_overlap=overlap) as retriever:
        hits = retriever.search(query, k=len(texts), mode="late")
        assert {hit.id for hit in hits} == set(names)
        for hit in hits:
            assert hit.score == pytest.approx(expected[hit.id], abs=1e-5)
            start, end = hit.window or (0, len(hit.text))
            for match in hit.evidence:
                assert start <= match.passage_span[0] <= match.passage_span[1] <= end


@pytest.fixture(scope="module")
def nano():
    """The bundled model, whose tokens are pieces of words and whose windows get markers."""
    return load_encoder("nano")


@pytest.mark.parametrize("language", STORIES)
def test_windows_of_nano_fit_and_cover(nano, language):
    text = STORIES[language] * 40
    windows = find_windows(nano, [text], 64)[0]
    assert len(windows) > 2
    assert (windows[0][0], windows[-1][1]) == (0, len(text))
    counts = [len(s) for s in nano.token_spans([text[a:b] for a, b in windows])]
    assert max(counts) <= nano.document_room
    for one, other in pairwise(windows):
        assert one[0] < other[0] <= one[1]
        assert shared(nano, text, one, other) <= 64


def test_a_text_that_fits_is_encoded_as_ever(nano, folder):
    texts = list(STORIES.values())
    with Retriever.open(folder, model=nano) as retriever:
        retriever.add(texts, ids=list(STORIES))
        segments = store_of(retriever).snapshot().segments
        rows = rows_of(retriever, list(STORIES))
        for name, one in zip(STORIES, nano.encode_document(texts), strict=True):
            (window,) = segments.windows(rows[name])
            np.testing.assert_array_equal(
                window.encoded.vectors, one.vectors.astype(np.float16).astype(np.float32)
            )
            np.testing.assert_array_equal(window.encoded.token_ids, one.token_ids)
            np.testing.assert_array_equal(window.encoded.spans, one.spans)


@pytest.mark.parametrize(
    ("language", "question", "answer"),
    [
        ("en", "When does the swimming pool close?", "The swimming pool closes at noon. "),
        ("zh", "游泳池几点关门？", "游泳池中午关门。"),
        ("ja", "プールは何時に閉まりますか", "プールは正午に閉まります。"),
        ("ar", "متى يغلق المسبح؟", "يغلق المسبح عند الظهر. "),
        # Nano knows hardly any Thai; its windows are as good as any to find English in.
        ("th", "When does the swimming pool close?", "The swimming pool closes at noon. "),
    ],
)
def test_an_answer_beyond_the_document_length_is_found(nano, language, question, answer):
    filler = STORIES[language] * 20
    texts = [filler + answer + filler, filler + STORIES[language], STORIES[language]]
    with Retriever.from_texts(texts, ids=["a", "b", "c"], model=nano) as retriever:
        best = retriever.search(question, k=3)[0]
    assert best.id == "a"
    start, end = best.window
    assert start <= len(filler) < len(filler) + len(answer.strip()) <= end
    assert all(start <= m.passage_span[0] <= m.passage_span[1] <= end for m in best.evidence)
