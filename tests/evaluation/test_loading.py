"""Datasets from files: every form gives the same dataset; every broken line is named."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from lfm2_colbert_rag.errors import ConfigError, InputError
from lfm2_colbert_rag.evaluation import Dataset, is_family, load_dataset, load_family
from lfm2_colbert_rag.evaluation.loading import CorpusFile
from lfm2_colbert_rag.types import Passage
from tests.conftest import CORPUS

from .conftest import QRELS, QUERIES, passages, write_lines


def test_our_own_form(own):
    found = load_dataset(own)
    assert (found.name, found.passages, found.queries) == ("shop", len(CORPUS), QUERIES)
    assert found.qrels == QRELS
    assert {p.id: p.text for p in found.corpus} == CORPUS
    assert len(list(found.corpus)) == len(CORPUS)  # a second time


def test_beir_puts_titles_before_texts_and_asks_judged_queries_only(beir):
    found = load_dataset(beir)
    assert next(iter(found.corpus)).text == f"About reset\n{CORPUS['reset']}"
    assert "train1" in found.queries
    assert list(found.judged()) == sorted(QRELS)
    assert next(iter(load_dataset(beir, titles=False).corpus)).text == CORPUS["reset"]
    assert found.digest == Dataset(passages(), QUERIES, QRELS).digest


def test_titles_of_our_own_form_are_asked_for(tmp_path):
    rows = [{"id": 1, "title": "Keys", "text": "a ## b"}]
    path = write_lines(tmp_path / "corpus.jsonl", rows)
    assert [p.text for p in CorpusFile(path)] == ["a ## b"]
    assert [p.text for p in CorpusFile(path, titles=True)] == ["Keys\na ## b"]
    assert [p.text for p in CorpusFile(path, line_break=" ## ")] == ["a\nb"]
    assert [(p.id, p.metadata) for p in CorpusFile(path)] == [("1", {"title": "Keys"})]


ASKED = ("en", "ar", "de", "es", "zh")

FORMS = {
    "trec": ["q1 0 reset 2", "q1 0 reinicio 1", "", "q2\t0\tlibrary\t1", "q3 0 kaffee 1"],
    "trec with floats": ["q1 0 reset 2.0", "q1 Q0 reinicio 1.0", "q2 0 library 1e0",
                         "q3 0 kaffee 1"],
    "trec with a header": ["qid iter docno rel", "q1 0 reset 2", "q1 0 reinicio 1",
                           "q2 0 library 1", "q3 0 kaffee 1"],
    "beir": ["query-id\tcorpus-id\tscore", "q1\treset\t2", "q1\treinicio\t1", "q2\tlibrary\t1",
             "q3\tkaffee\t1"],
    "beir without header": ["q1\treset\t2", "q1\treinicio\t1", "q2\tlibrary\t1",
                            "q3\tkaffee\t1"],
    "beir, quoted": ['"query-id"\t"corpus-id"\t"score"', '"q1"\t"reset"\t"2"',
                     '"q1"\t"reinicio"\t1', "q2\tlibrary\t1.0", '"q3"\t"kaffee"\t"1.0"'],
    "beir, other names": ["query_id\tdoc id\tRelevance", "q1\treset\t2", "q1\treinicio\t1",
                          "q2\tlibrary\t1", "q3\tkaffee\t1"],
    "another order": ["score\tcorpus-id\tquery-id", "2\treset\tq1", "1\treinicio\tq1",
                      "1\tlibrary\tq2", "1\tkaffee\tq3"],
    "commas": ["id,query-id,score,corpus-id", '1,q1,2,"reset"', "2,q1,1,reinicio",
               "3,q2,1,library", "4,q3,1,kaffee"],
    "semicolons": ['"query-id";"corpus-id";"score"', '"q1";"reset";"2"', '"q1";"reinicio";"1"',
                   '"q2";"library";"1"', '"q3";"kaffee";"1"'],
    "without grades": ["query-id corpus-id", "q2 library", "q1 reinicio", "q3 kaffee",
                       '{"query": "q1", "doc": "reset", "score": 2}'],
    "json": ['{"query_id": "q1", "doc_id": "reset", "relevance": 2.0}',
             '{"query-id": "q1", "corpus-id": "reinicio", "score": "1"}',
             '{"query": "q2", "doc": "library"}', '{"qid": "q3", "pid": "kaffee", "label": 1}'],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_judgements_in_every_form(own, tmp_path, form):
    path = write_lines(tmp_path / "judged", FORMS[form])
    assert load_dataset(own, qrels=path).qrels == {
        "q1": {"reset": 2, "reinicio": 1},
        "q2": {"library": 1},
        "q3": {"kaffee": 1},
    }


def test_ids_with_spaces_in_tabbed_judgements(tmp_path):
    queries = write_lines(tmp_path / "q.tsv", ["q 1\tWhich key?"])
    corpus = write_lines(tmp_path / "c.jsonl", [{"id": "a b", "text": "This key."}])
    qrels = write_lines(tmp_path / "judged.tsv", ["q 1\ta b\t1"])
    found = load_dataset(corpus=corpus, queries=queries, qrels=qrels)
    assert found.qrels == {"q 1": {"a b": 1}}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_files_in_every_encoding_that_tells_itself(own, encoding, packed):
    for path in sorted(own.glob("*.jsonl")):
        content = path.read_text("utf-8").encode(encoding)
        path.unlink()
        if packed:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
        else:
            path.write_bytes(content)
    found = load_dataset(own)
    assert (found.queries, found.qrels, found.notes) == (QUERIES, QRELS, ())
    assert {p.id: p.text for p in found.corpus} == CORPUS


def test_a_link_to_a_file_is_followed(own, tmp_path):
    (own / "qrels.jsonl").rename(tmp_path / "elsewhere")
    (own / "qrels.jsonl").symlink_to(tmp_path / "elsewhere")
    assert load_dataset(own).qrels == QRELS


def test_what_is_no_file_is_refused_at_once(own):
    (own / "queries.jsonl").unlink()
    os.mkfifo(own / "queries.jsonl")
    with pytest.raises(InputError, match=r"queries.jsonl is not a file, so that it cannot be read"):
        load_dataset(own)
    with pytest.raises(InputError, match="is a folder"):
        load_dataset(own, queries=own)


def test_a_broken_packed_file_is_named(own):
    whole = gzip.compress((own / "queries.jsonl").read_bytes())
    for broken in (whole[:-9], whole[:14] + b"!!!!" + whole[18:]):
        (own / "packed").write_bytes(broken)
        with pytest.raises(InputError, match="packed: the packed file is broken"):
            load_dataset(own, queries=own / "packed")


def test_half_a_character_in_a_wide_encoding_is_named(own):
    content = (own / "queries.jsonl").read_text("utf-8").encode("utf-16")
    (own / "queries.jsonl").write_bytes(content + b"\x00")
    with pytest.raises(InputError, match=r"queries.jsonl, line \d+: these bytes"):
        load_dataset(own)


def test_grades_below_zero_are_not_relevant(own):
    write_lines(own / "qrels.jsonl", ["q1 0 reset 1", "q1 0 library -1", "q2 0 library 1.0"])
    found = load_dataset(own)
    assert found.qrels == {"q1": {"reset": 1, "library": 0}, "q2": {"library": 1}}
    assert found.notes == ("1 grades below 0 count as 0, not relevant.",)
    grades = {"reset": np.float32(1), "library": np.int64(-2), "kaffee": "2.0"}
    again = Dataset(passages(), QUERIES, {"q1": grades})
    assert again.qrels == {"q1": {"reset": 1, "library": 0, "kaffee": 2}}
    assert all(type(grade) is int for grade in again.qrels["q1"].values())


def test_what_is_there_twice_counts_once_and_is_told(own):
    for name in ("corpus", "queries", "qrels"):
        path = own / f"{name}.jsonl"
        first = path.read_text("utf-8").splitlines()[0]
        path.write_text(path.read_text("utf-8") + first + "\n\n", encoding="utf-8")
    found = load_dataset(own)
    assert (found.passages, found.queries, found.qrels) == (len(CORPUS), QUERIES, QRELS)
    assert found.notes == (
        "1 queries that are there twice count once.",
        "1 judgements that are there twice count once.",
        "1 passages that are there twice count once.",
    )


def test_blank_queries_are_left_out_and_told(own):
    lines = [{"id": "q1", "text": "Which key?"}, {"id": "q8", "text": None}, "q9\t", "\t\t"]
    write_lines(own / "queries.jsonl", lines[:3])
    write_lines(own / "qrels.jsonl", ["q1 0 reset 1"])
    found = load_dataset(own)
    assert found.queries == {"q1": "Which key?"}
    assert found.notes == ("2 queries without any text were left out.",)


def test_judged_queries_that_are_missing_are_kept_or_dropped_when_asked(own):
    write_lines(own / "qrels.jsonl", ["q1 0 reset 1", "gone 0 library 1", "lost 0 reset 1"])
    with pytest.raises(InputError, match=r"line 2: query 'gone' .*\(and 1 more like it\).*'drop'"):
        load_dataset(own)
    kept = load_dataset(own, missing="keep")
    assert list(kept.qrels) == ["q1", "gone", "lost"]
    assert list(kept.judged()) == ["q1"]
    assert kept.notes == ("2 judged queries are missing and count 0.",)
    dropped = load_dataset(own, missing="drop")
    assert dropped.qrels == {"q1": {"reset": 1}}
    assert dropped.notes == ("2 judged queries are missing and were left out.",)


def test_ids_are_in_one_normal_form(tmp_path):
    corpus = write_lines(tmp_path / "c.jsonl", [{"id": "cafe\u0301", "text": "Open at nine."}])
    queries = write_lines(tmp_path / "q.jsonl", [{"id": "fru\u0308h", "text": "When?"}])
    qrels = write_lines(tmp_path / "j.tsv", ["fr\u00fch\tcaf\u00e9\t1"])
    found = load_dataset(corpus=corpus, queries=queries, qrels=qrels)
    assert [one.id for one in found.corpus] == list(found.qrels["fr\u00fch"]) == ["caf\u00e9"]


BROKEN = {
    "no json": ("corpus.jsonl", ['{"id": "a", "text": '], r"corpus.jsonl, line 1: not a JSON"),
    "a list": ("corpus.jsonl", ['["a"]'], r"line 1: not a JSON object, but \[\"a\"\]"),
    "no id": ("corpus.jsonl", [{"text": "t"}], r"line 1: the id must be a text"),
    "no text": ("corpus.jsonl", [{"id": "a"}], r"line 1: .*there is no 'text'"),
    "a number as text": ("corpus.jsonl", [{"id": "a", "text": 3}], r"line 1: .*it is 3"),
    "a passage twice": (
        "corpus.jsonl",
        [{"id": i, "text": t} for i, t in [*CORPUS.items(), ("reset", "again")]],
        r"line 6: the id 'reset' was used before, in .*corpus.jsonl, line 1",
    ),
    "no passage": ("corpus.jsonl", [{"id": "a", "text": " "}], "no passage with a text"),
    "an empty query": ("queries.jsonl", [{"id": "q1", "text": " "}], "holds no query"),
    "a query twice": (
        "queries.jsonl",
        [{"id": "q1", "text": "a"}, {"id": "q1", "text": "b"}],
        "line 2: query 'q1' was there before, in line 1, with another text",
    ),
    "no query": ("queries.jsonl", [""], "holds no query"),
    "neither json nor tabs": ("queries.jsonl", ["what is this"], "line 1: neither a JSON object"),
    "no judgement": ("qrels.jsonl", [""], "holds no judgement"),
    "three words": ("qrels.jsonl", ["q1 0 reset 1", "q1 0"], "line 2: 2 columns"),
    "a grade in words": ("qrels.jsonl", ["q1 0 reset 1", "q2 0 library yes"], "line 2: the grade"),
    "half a grade": ("qrels.jsonl", ["q1 0 reset 0.5"], "line 1: the grade '0.5' is no whole"),
    "half a grade in json": (
        "qrels.jsonl",
        [{"query": "q1", "doc": "reset", "score": 1.5}],
        "line 1: the grade 1.5 is no whole number",
    ),
    "no number": ("qrels.jsonl", ["q1 0 reset nan"], "line 1: the grade 'nan' is no whole"),
    "true as a grade": (
        "qrels.jsonl",
        [{"query": "q1", "doc": "reset", "score": True}],
        "line 1: the grade True is no whole number",
    ),
    "null as a grade": (
        "qrels.jsonl",
        [{"query": "q1", "doc": "reset", "score": None}],
        "line 1: the grade None is no whole number",
    ),
    "judged twice": (
        "qrels.jsonl",
        ["q1 0 reset 1", "q2 0 library 1", "q1 0 reset 0"],
        "line 3: .*judged for query 'q1' before, in .*line 1, with the grade 1 and not 0",
    ),
    "a column that is not there": (
        "qrels.jsonl",
        ["score,query-id,corpus-id", "1,q1"],
        "line 2: a column of the header is missing",
    ),
    "no passage named": ("qrels.jsonl", [{"query": "q1"}], "line 1: a judgement needs an id"),
    "an unknown query": (
        "qrels.jsonl",
        ["q1 0 reset 1", "q9 0 reset 1"],
        "line 2: query 'q9' is judged, but it is not among the 4 queries",
    ),
    "an unknown passage": (
        "qrels.jsonl",
        ["q1 0 reset 1", "q1 0 gone 1", "q2 0 lost 1"],
        r"line 2: passage 'gone' is judged.*lacks it \(and 1 more like it\)",
    ),
    "nothing relevant": ("qrels.jsonl", ["q1 0 reset 0"], "no query has a relevant passage"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named_with_file_and_line(own, name):
    file, rows, message = BROKEN[name]
    write_lines(own / file, rows)
    with pytest.raises(InputError, match=message):
        load_dataset(own)


def test_bytes_that_are_no_text(own):
    (own / "queries.jsonl").write_bytes(b'{"id": "q1", "text": "\xff"}\n')
    with pytest.raises(InputError, match=r"queries.jsonl, line 1: these bytes are not UTF-8"):
        load_dataset(own)


def test_missing_passages_are_kept_or_dropped_when_asked(own):
    write_lines(own / "qrels.jsonl", ["q1 0 reset 1", "q1 0 gone 1", "q2 0 lost 1"])
    kept = load_dataset(own, missing="keep")
    assert kept.qrels == {"q1": {"reset": 1, "gone": 1}, "q2": {"lost": 1}}
    assert kept.notes == ("2 judged passages are missing and count as not found.",)
    dropped = load_dataset(own, missing="drop")
    assert dropped.qrels == {"q1": {"reset": 1}}  # q2 has nothing left that could be found
    assert dropped.notes == ("2 judgements of missing passages were left out.",)
    with pytest.raises(ConfigError, match="missing must be"):
        load_dataset(own, missing="ignore")


def test_blank_passages_are_left_out_and_counted(own):
    rows = [{"id": i, "text": t} for i, t in CORPUS.items()] + [{"id": "blank", "text": "\n"}]
    write_lines(own / "corpus.jsonl", rows)
    found = load_dataset(own)
    assert found.passages == len(CORPUS)
    assert found.notes == ("1 passages without any text were left out.",)


def test_what_was_not_named(own, tmp_path):
    with pytest.raises(ConfigError, match="no file of judgements"):
        load_dataset(queries=own / "queries.jsonl")
    with pytest.raises(ConfigError, match="no file of queries"):
        load_dataset(qrels=own / "qrels.jsonl")
    with pytest.raises(InputError, match="is no folder"):
        load_dataset(tmp_path / "nowhere")
    (own / "qrels.jsonl").unlink()
    (own / "qrels").mkdir()
    write_lines(own / "qrels" / "dev.tsv", ["q1\treset\t1"])
    with pytest.raises(InputError, match=r"no judgements under .*Its folder qrels holds dev.tsv"):
        load_dataset(own)
    assert load_dataset(own, split="dev").qrels == {"q1": {"reset": 1}}


def test_a_family_has_every_pair(family_folder):
    assert is_family(family_folder)
    family = load_family(family_folder)
    assert family.languages == ("en", "de")
    assert [one.name for one in family] == [
        "both en→en", "both de→en", "both en→de", "both de→de",
    ]  # fmt: skip
    crossed = family.dataset("de", "en")
    assert crossed.languages == ("de", "en")
    assert crossed.queries["q1"] == "welche Taste"
    assert [p.text for p in crossed.corpus] == ["Hold the reset key.", "We open at nine."]
    assert family.only(["de"], ["en"]).pairs() == [("de", "en")]
    assert load_family(family_folder, languages=["de"]).pairs() == [("de", "de")]
    assert [len(one.qrels) for one in family.sample(1)] == [1] * 4


def test_a_family_refuses_what_it_lacks(family_folder, own):
    with pytest.raises(ConfigError, match="no language 'fr'; it has en, de"):
        load_family(family_folder, languages=["en", "fr"])
    with pytest.raises(ConfigError, match="several languages; say which with load_family"):
        load_dataset(family_folder)
    with pytest.raises(ConfigError, match="one language only"):
        load_family(own)
    rows = [{"id": "p1", "en": "a", "de": "b"}, {"id": "p2", "en": "c"}]
    write_lines(family_folder / "corpus.jsonl", rows)
    with pytest.raises(InputError, match=r"corpus.jsonl, line 2: .*there is no 'de'"):
        load_family(family_folder).dataset("en", "de")


IN_MEMORY = {
    "a string": ("text", QUERIES, QRELS, "a list of passages or a reader"),
    "an iterator": (iter(passages()), QUERIES, QRELS, "only once"),
    "an empty list": ([], QUERIES, QRELS, "no passage"),
    "an id twice": ([*passages(), Passage("reset", "x")], QUERIES, QRELS, "passage 5: the id 'res"),
    "a list of queries": (passages(), ["q1"], QRELS, "queries must be a mapping"),
    "a blank query": (passages(), {"q1": ""}, {"q1": {"reset": 1}}, "query 'q1' is empty"),
    "a number": (passages(), {"q1": 3}, {"q1": {"reset": 1}}, "query 'q1' is empty: 3"),
    "a list of judgements": (passages(), QUERIES, {"q1": ["reset"]}, "mapping of passage ids"),
    "true": (passages(), QUERIES, {"q1": {"reset": True}}, "True is no whole number"),
    "judged strangers": (passages(), QUERIES, {"x": {"reset": 1}}, "query 'x' is judged"),
}


@pytest.mark.parametrize("name", IN_MEMORY)
def test_a_dataset_in_memory_is_checked_too(name):
    corpus, queries, qrels, message = IN_MEMORY[name]
    with pytest.raises(InputError, match=message):
        Dataset(corpus, queries, qrels)


def test_a_sample_is_evenly_spaced_and_keeps_all_passages():
    queries = {f"q{n}": "key" for n in range(10)}
    full = Dataset(passages(), queries, {id: {"reset": 1} for id in queries})
    assert list(full.sample(3).qrels) == ["q0", "q4", "q8"]
    assert list(full.sample(10).qrels) == list(queries)
    assert full.sample(3).passages == len(CORPUS)
    assert full.sample(3).digest != full.digest
    with pytest.raises(ConfigError, match="must be positive, not 0"):
        full.sample(0)


def test_queries_without_a_relevant_passage_are_told():
    found = Dataset(passages(), QUERIES, {"q1": {"reset": 1}, "q2": {"library": 0}})
    assert found.notes == ("1 judged queries have no relevant passage; they count 0.",)


def test_the_real_xquad():
    shared = Path(os.environ.get("LFM2_SHARED", Path(__file__).parents[3] / "shared"))
    folder = shared / "data" / "eval" / "xquad"
    if not folder.is_dir():
        pytest.skip(f"no XQuAD at {folder}")
    family = load_family(folder)
    assert set(family.languages) == {*ASKED, "el", "hi", "ro", "ru", "th", "tr", "vi"}
    found = family.dataset("de", "ar")
    assert (found.passages, len(found.qrels)) == (240, 1190)
    assert isinstance(next(iter(found.corpus)), Passage)
