"""What the fields of an index hold, and why a filter found nothing."""

from __future__ import annotations

import pytest

from lfm2_colbert_rag import MetadataField, Retriever, describe_fields, why_nothing
from lfm2_colbert_rag.errors import FilterError, InputError

METADATA = [
    {"year": "2024", "lang": "de", "tags": ["a", 7], "_llama_index": {"x": 1}, 'odd"key': 1},
    {"year": 2023, "maker": {"country": "it", "open": True}, "authors": [{"name": "Ada"}, ["x"]]},
    {"lang": "fr", "note": None, "dotted.name": "x" * 100, "empty": [], "größe": 3, "$odd": 1},
]


@pytest.fixture(scope="module")
def index():
    with Retriever.from_texts(["one", "two", "three"], metadata=METADATA, model="hash") as made:
        yield made


def test_fields_are_named_as_filters_write_them_with_their_kinds(index):
    found = {one.name: one for one in describe_fields(index)}
    assert {name: one.kinds for name, one in found.items()} == {
        "year": ("texts", "numbers"),
        "lang": ("texts",),
        "tags": ("texts", "numbers"),
        "maker.country": ("texts",),
        "maker.open": ("true or false",),
        "authors.name": ("texts",),
        "authors": ("texts",),
        "note": ("null",),
        r"dotted\.name": ("texts",),
        "größe": ("numbers",),
    }
    assert found["year"].examples == ("2024", 2023)
    assert found["maker.open"].examples == (True,)
    assert len(found[r"dotted\.name"].examples[0]) < 50
    assert str(found["tags"]) == 'texts or numbers, such as "a" and 7'
    for name in found:
        assert index.count({name: {"$exists": True}}), name


def test_a_field_says_what_it_holds():
    assert str(MetadataField("n", ("null",), ())) == "null"
    assert str(MetadataField("n", ("numbers",), (1, 2, 3))) == "numbers, such as 1, 2 and 3"


def test_an_index_of_any_width_is_described_briefly():
    wide = {f"field {n}": "x" * 1000 for n in range(500)}
    with Retriever.from_texts(["a"], metadata=[wide], model="hash") as made:
        found = describe_fields(made)
        assert len(found) <= 100
        assert sum(len(str(one)) for one in found) < 10_000
        assert len(why_nothing(made, {"nowhere": 1})) < 400
        with pytest.raises(InputError, match="limit"):
            describe_fields(made, sample=0)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"lang": 5}, """'lang' holds texts, such as "de" and "fr", and is asked for a number"""),
        ({"lang": {"$gt": 5}}, "is asked for a number"),
        (
            {"maker": {"open": "yes"}},
            "'maker.open' holds true or false, such as true, and is asked",
        ),
        ({"lang": "es"}, """'lang' holds texts, such as "de" and "fr"."""),
        ({"lang": {"$in": ["es", 5]}}, """'lang' holds texts, such as "de" and "fr"."""),
        ({"lang": {"$in": []}}, """'lang' holds texts"""),
        ({"langs": "de"}, "no passage has a field 'langs'; there are lang, year,"),
        ({"maker": "it"}, "'maker' holds objects, and is asked for a text"),
        ({"authors.nom": "Ada"}, "no passage has a field 'authors.nom'; there are authors.name,"),
        ({"empty": 1}, "'empty' holds empty lists"),
        ({"$id": "gone"}, "no passage has such an id"),
        ({"_llama_index.x": 2}, "no passage has what is asked of '_llama_index.x'."),
        ({"lang": "fr", "year": 2023}, "some match each condition, but none matches all"),
        ({"lang": "es", "year": 2023}, "'lang' holds texts"),
        ({"lang": "de", "year": 1}, "'year' holds texts or numbers"),
        ({"$not": {"year": {"$exists": False}}, "lang": "fr"}, "No passage matches the filter."),
        ({"$and": [{"$or": [{"lang": "es"}, {"lang": "it"}]}]}, "'lang' holds texts"),
    ],
)
def test_the_reason_why_nothing_was_found(index, where, said):
    assert index.count(where) == 0
    reason = why_nothing(index, where)
    assert said in reason
    assert reason.startswith("No passage matches the filter")
    assert "\n" not in reason
    assert "_llama_index'" not in reason


def test_a_malformed_filter_is_refused(index):
    with pytest.raises(FilterError, match=r"\$near"):
        why_nothing(index, {"year": {"$near": 1}})


def test_an_empty_index_is_empty():
    with Retriever.from_texts([], model="hash") as made:
        assert describe_fields(made) == []
        assert why_nothing(made, {"a": 1}) == "The index is empty."
    with Retriever.from_texts(["a"], model="hash") as made:
        assert "no passage has a field 'a', nor any other" in why_nothing(made, {"a": 1})
