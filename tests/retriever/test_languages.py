"""The languages of passages: told when they are added, kept, counted, and filtered by."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import FilterError, IndexCorruptError
from lfm2_colbert_rag.filters import matches, parse_where
from lfm2_colbert_rag.retriever.fields import why_nothing
from lfm2_colbert_rag.retriever.ingest.languages import tell_languages
from lfm2_colbert_rag.storage.row_languages import RowLanguages, is_mixed

from ..conftest import CORPUS
from ..sealing import SEALING, define_sums

TOLD = {"reset": "en", "reinicio": "es", "kaffee": "de", "linge": "fr", "library": "en"}
SCRIPTS = {
    "ar": "هطل المطر طوال الليل وكانت الشوارع مبللة في الصباح",
    "el": "Έβρεχε όλη τη νύχτα και το πρωί οι δρόμοι ήταν βρεγμένοι",
    "hi": "पूरी रात बारिश होती रही और सुबह सड़कें गीली थीं",
    "ja": "一晩中雨が降り、朝になっても道はまだ濡れていた。",
    "ko": "밤새 비가 내려 아침에도 거리가 아직 젖어 있었다.",
    "ru": "Всю ночь шёл дождь, и утром улицы были ещё мокрыми.",
    "th": "ฝนตกตลอดทั้งคืน และตอนเช้าถนนยังเปียกอยู่",
    "tr": "Bütün gece yağmur yağdı ve sabah sokaklar hâlâ ıslaktı.",
    "vi": "Trời mưa suốt đêm và đến sáng đường phố vẫn còn ướt.",
    "zh": "雨下了一整夜，早上街道还是湿的。",
    "und": "x = 17; // 0x4f",
}


def languages(retriever):
    return {
        id: language
        for language in retriever.stats().languages
        for id in (one.id for one in retriever.passages({"$lang": language}))
    }


def test_languages_are_told_from_the_texts():
    assert tell_languages(SCRIPTS.values()) == list(SCRIPTS)
    assert tell_languages([SCRIPTS["zh"] * 500, "你好，世界，今天天氣很好，我們去公園散步"]) == [
        "zh",
        "zh",
    ]
    long = " ".join([CORPUS["library"]] * 300)
    assert tell_languages([long, "", "\n"]) == ["en", "und", "und"]


@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_text_has_a_language_and_none_depends_on_another(texts):
    told = tell_languages(texts)
    assert told == [tell_languages([text])[0] for text in texts]
    assert all(language.isalpha() and len(language) in (2, 3) for language in told)


def test_passages_are_counted_by_language(retriever):
    assert retriever.stats().languages == {"en": 2, "de": 1, "es": 1, "fr": 1}
    assert languages(retriever) == TOLD
    retriever.delete(["kaffee"])
    assert retriever.stats().languages == {"en": 2, "es": 1, "fr": 1}


def test_a_text_that_changes_is_told_again_and_one_that_stays_keeps_its_language(retriever):
    retriever.add(
        [CORPUS["linge"], CORPUS["kaffee"]], ids=["linge", "reset"], metadata=[{"new": True}, {}]
    )
    assert languages(retriever) == TOLD | {"reset": "de"}
    retriever.optimize()
    assert languages(retriever) == TOLD | {"reset": "de"}


def test_every_way_in_tells_the_language(retriever, folder, tmp_path):
    vectors = [one[0] for one in retriever.vectors(list(CORPUS))]
    with Retriever.open(tmp_path / "given", model="hash") as given_vectors:
        given_vectors.add_vectors(vectors, list(CORPUS.values()), ids=list(CORPUS))
        assert languages(given_vectors) == TOLD
    with Retriever.open(tmp_path / "stream", model="hash") as streamed:
        streamed.add_stream(retriever.passages())
        assert languages(streamed) == TOLD
    retriever.export(tmp_path / "dump")
    with Retriever.open(tmp_path / "imported", model="hash") as imported:
        imported.import_dump(tmp_path / "dump")
        assert languages(imported) == TOLD
    retriever.backup(tmp_path / "backup")
    with Retriever.restore(tmp_path / "backup", tmp_path / "restored", model="hash") as restored:
        assert languages(restored) == TOLD


FILTERS = (
    {"$lang": "en"},
    {"$lang": {"$in": ["de", "fr"]}},
    {"$lang": {"$ne": "en"}},
    {"$lang": {"$gt": "en"}},
    {"$lang": {"$exists": True}},
    {"$lang": {"$exists": False}},
    {"$lang": None},
    {"$lang": 3},
    {"$not": {"$lang": {"$contains": "e"}}},
    {"$or": [{"$lang": "es"}, {"product": "coffee"}, {"$id": "library"}]},
)


@pytest.mark.parametrize("where", FILTERS, ids=str)
def test_filters_on_the_language_mean_the_same_everywhere(retriever, where):
    node = parse_where(where)
    expected = {
        one.id for one in retriever.passages() if matches(node, one.metadata, one.id, TOLD[one.id])
    }
    assert {one.id for one in retriever.passages(where)} == expected
    assert {hit.id for hit in retriever.search("router", where=where)} == expected
    assert retriever.count(where) == len(expected)


def test_a_field_of_ones_own_is_not_taken_for_it(retriever):
    assert retriever.count({"lang": "es"}) == 1
    assert retriever.count({"maker.lang": "es"}) == 0
    with pytest.raises(FilterError, match=r"\$id \$lang"):
        retriever.count({"$language": "es"})
    assert why_nothing(retriever, {"$lang": "nl"}) == (
        "No passage matches the filter: no passage is in such a language; there are en, de, es, fr."
    )


@pytest.mark.parametrize("value", ["NULL", "7", "x'ff'"])
def test_what_is_no_language_is_damage(folder, value):
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add(list(CORPUS.values()), ids=list(CORPUS))
    with sqlite3.connect(folder / "catalog.sqlite") as connection:
        schema = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'passages'")
        assert "language TEXT NOT NULL" in schema.fetchone()[0]
        define_sums(connection)
        if value != "NULL":
            connection.execute(f"UPDATE passages SET language = {value} WHERE id = 'reset'")
            for statement in SEALING:
                connection.execute(statement)
    connection.close()
    with Retriever.open(folder) as retriever:
        if value in ("NULL", "7"):  # a number becomes a text in a column of texts
            assert retriever.stats().languages
        else:
            with pytest.raises(IndexCorruptError, match="languages"):
                retriever.stats()


def test_a_language_that_was_altered_is_noticed(folder):
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add(list(CORPUS.values()), ids=list(CORPUS))
    with sqlite3.connect(folder / "catalog.sqlite") as connection:
        connection.execute("UPDATE passages SET language = 'de' WHERE id = 'reset'")
    connection.close()
    with pytest.raises(IndexCorruptError, match="language of the passage 'reset'"):
        Retriever.open(folder)


def test_rows_are_read_once(retriever):
    catalog = retriever._store.catalog
    before = catalog.languages()
    assert catalog.languages() is before
    retriever.add(["Une autre phrase en français"], ids=["autre"])
    after = catalog.languages()
    assert after.rows[: len(before.rows)].tolist() == before.rows.tolist()
    assert [after.names[code] for code in after.of(after.rows[-1:])] == ["fr"]
    assert after.counts(np.array([], dtype=np.int64)) == {}


def test_rows_that_were_forgotten_meanwhile_are_in_no_language(retriever):
    rows = retriever._store.snapshot().segments.rows
    retriever.delete([*list(CORPUS)[:2], "library"])
    retriever.optimize(forget_after=0)
    languages = RowLanguages.none()
    assert languages.of(rows).tolist() == [-1] * len(rows)
    assert languages.counts(rows) == {}
    with Retriever.open(retriever.path) as again:
        found = again._store.catalog.languages()
        codes = found.of(rows)
    told = ["-" if code < 0 else found.names[code] for code in codes.tolist()]
    assert sorted(told) == ["-", "-", "-", "de", "fr"]
    assert found.counts(rows) == {"de": 1, "fr": 1}


@given(
    st.dictionaries(st.sampled_from(["de", "en", "fr", "und"]), st.integers(1, 1000)),
    st.floats(0.001, 0.5),
)
def test_an_index_is_mixed_by_what_is_not_in_its_main_language(counts, least):
    told = {name: number for name, number in counts.items() if name != "und"}
    others = sum(told.values()) - max(told.values(), default=0)
    assert is_mixed(counts, least) == (len(told) > 1 and others >= least * sum(told.values()))
