"""Labels in all forms that people have them in."""

from __future__ import annotations

import gzip
import json

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.evaluation import Dataset
from lfm2_colbert_rag.training.pairs import read_judgements, read_pairs

TEXTS = {
    "reset": "Reset\nHold the key for ten seconds.",
    "hours": "The library opens at nine.",
    "again": "The library opens at nine.",
    "é": "Nettoyez le filtre.",
}


@pytest.fixture(scope="module")
def shop():
    with Retriever.from_texts(list(TEXTS.values()), ids=list(TEXTS), model="hash") as made:
        yield made


def write(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


FORMS = {
    "id": {"query": "which key", "id": "reset"},
    "another name": {"question": "which key", "id": "reset"},
    "text": {"query": "which key", "text": TEXTS["reset"]},
    "text without its title": {"query": "which key", "text": "Hold  the key for ten seconds. "},
    "triplet": {"query": "which key", "positive": "reset", "negatives": ["é"]},
    "flag": {"query": "which key", "pos": [TEXTS["reset"]], "neg": [TEXTS["é"]]},
    "log": {"query": "which key", "clicked": ["reset"]},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_names_the_same_passage(shop, tmp_path, form):
    (one,) = read_pairs(shop, write(tmp_path / "f.jsonl", [FORMS[form]])).questions
    assert (one.question, one.positives) == ("which key", ("reset",))
    assert one.negatives == (("é",) if form in ("triplet", "flag") else ())


@pytest.mark.parametrize(
    "pairs",
    [
        {"which key": "reset"},
        [("which key", "reset")],
        [["which key", ["reset"]]],
        [("which key", TEXTS["reset"], ["hours"])],
        [{"query": "which key", "id": "reset"}],
        iter([("which key", "reset")]),
        Dataset(None, {"q": "which key"}, {"q": {"reset": 1}}),
    ],
)
def test_objects_of_python_are_read(shop, pairs):
    (one,) = read_pairs(shop, pairs).questions
    assert one.positives == ("reset",)


def test_all_answers_of_a_question_belong_together(shop):
    """Texts that are there twice are both answers; what is said twice counts once."""
    pairs = [("when", TEXTS["hours"]), ("when", "reset", ["hours", "é"]), ("when", "reset")]
    (one,) = read_pairs(shop, pairs).questions
    assert set(one.positives) == {"reset", "hours", "again"}
    assert one.negatives == ("é",)


def test_ids_are_found_in_whatever_normal_form(shop):
    assert read_pairs(shop, {"quoi": "e\N{COMBINING ACUTE ACCENT}"}).questions[0].positives == (
        "é",
    )


def test_what_is_missing_is_named_and_the_rest_is_read(shop):
    found = read_pairs(shop, [("which key", ["reset", "gone"]), ("where", "nowhere")])
    assert [one.question for one in found.questions] == ["which key"]
    assert (found.missing, found.dropped) == (("gone", "nowhere"), 1)
    assert "2 ('gone', 'nowhere')" in found.notes[0]


def test_a_folder_of_judgements_is_read(shop, tmp_path):
    """Where it has judgements for training, it is those; its corpus is not needed."""
    write(
        tmp_path / "queries.jsonl", [{"_id": "1", "text": "which key"}, {"_id": "2", "text": "x"}]
    )
    (tmp_path / "qrels").mkdir()
    head = "query-id\tcorpus-id\tscore\n"
    (tmp_path / "qrels" / "test.tsv").write_text(head + "2\treset\t1\n")
    (tmp_path / "qrels" / "train.tsv").write_text(head + "1\treset\t2\n1\thours\t0\n1\tgone\t1\n")
    found = read_pairs(shop, tmp_path)
    assert dict(found.questions[0].grades) == {"reset": 2, "hours": 0}
    assert (len(found.questions), found.missing) == (1, ("gone",))
    same = read_judgements(shop, tmp_path / "queries.jsonl", tmp_path / "qrels" / "train.tsv")
    assert same == found


def test_packed_files_and_clicks_on_nothing(shop, tmp_path):
    lines = [{"query": "which key", "clicked": ["reset"]}, {"query": "nothing", "clicked": []}]
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(gzip.compress("\n\n".join(map(json.dumps, lines)).encode()))
    assert [one.question for one in read_pairs(shop, path).questions] == ["which key"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[]", "not a JSON object"),
        ("{", "not a JSON object"),
        ('{"query": "a"}', 'lines are {"query", "id"}'),
        ('{"query": "a", "id": "x", "text": "y"}', "lines are"),
        ('{"query": "  ", "id": "x"}', "the question must be a text"),
        ('{"query": 7, "id": "x"}', "the question must be a text"),
        ('{"query": "a", "pos": []}', "has no passage"),
        ('{"query": "a", "pos": [null]}', "named by its id or its text"),
        ('{"query": "a", "id": ""}', "named by its id or its text"),
    ],
)
def test_a_bad_line_is_an_error_with_its_number(shop, tmp_path, line, said):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(FORMS["id"]) + "\n" + line + "\n")
    with pytest.raises(InputError, match=r"pairs\.jsonl, line 2") as caught:
        read_pairs(shop, path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pairs", [7, None, [7], [("a",)], ["ab"], [("a", "b", "c", "d")]])
def test_what_is_no_pair_is_refused(shop, pairs):
    with pytest.raises(InputError, match="pair"):
        read_pairs(shop, pairs)


@pytest.mark.parametrize("pairs", [[], {"where": "nowhere"}])
def test_labels_of_which_nothing_fits_are_refused(shop, pairs):
    with pytest.raises(InputError, match="no question of the pairs has an answer in this index"):
        read_pairs(shop, pairs)
