"""A view of a tenant: what it shows, what it writes, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from lfm2_colbert_rag import Retriever, View, describe_fields, why_nothing
from lfm2_colbert_rag.encoder.queries import QueryBatcher
from lfm2_colbert_rag.errors import (
    ConfigError,
    FilterError,
    InputError,
    PassageNotFoundError,
    ReadOnlyError,
)
from lfm2_colbert_rag.filters import LIMITS_OF_VIEWS, MAX_DEPTH
from lfm2_colbert_rag.retriever import views
from lfm2_colbert_rag.testing import HashEncoder

from ...conftest import CORPUS, METADATA
from ...grown import always_vote, compress_early, kinds, sentences
from ...windows import damages_what_is_open
from .histories import fill, new_index

IDS = list(CORPUS)
SAID_OF_IDS = [
    {"lang": "en"},
    {"$id": "reset"},
    {"$id": {"$ne": "reset"}},
    {"$id": {"$in": ["reset", "acme", 3, None]}},
    {"$id": {"$nin": ["reset"]}},
    *({"$id": {operator: "kaffee"}} for operator in ("$gt", "$gte", "$lt", "$lte")),
    {"$id": {"$gt": 3}},
    {"$id": {"$exists": True}},
    *({"$id": {"$contains": piece}} for piece in ("e", "acme", "\x1f", "\x1fr", "reset")),
    *({"$id": {"$icontains": piece}} for piece in ("RES", "ACME", "E\x1fR")),
    {"$not": {"$or": [{"$id": {"$contains": "me"}}, {"$id": "linge"}]}},
]


@pytest.fixture
def index():
    with new_index() as opened:
        yield opened


@pytest.fixture
def acme(index) -> View:
    """Return a view of the corpus, beside another tenant with the same ids."""
    beta, view = index.view(tenant="beta"), index.view(tenant="acme")
    beta.add([f"{text} Beta." for text in CORPUS.values()], ids=IDS, metadata=METADATA.values())
    view.add(CORPUS.values(), ids=IDS, metadata=METADATA.values())
    return view


@pytest.mark.parametrize("mode", ["late", "lexical"])
def test_hits_are_those_of_a_plain_index_of_the_same_passages(index, acme, mode):
    with new_index() as alone:
        alone.add(CORPUS.values(), ids=IDS, metadata=METADATA.values())
        for query in ("the reset key of the router", "Kaffeemaschine entkalkt", "at nine"):
            one, other = (part.search(query, k=9, mode=mode) for part in (acme, alone))
            assert [(h.id, h.score, h.text, h.metadata, h.evidence) for h in one] == [
                (h.id, h.score, h.text, h.metadata, h.evidence) for h in other
            ]
        assert list(acme.passages()) == list(alone.passages())
        assert acme.get(IDS) == alone.get(IDS)
        for where in SAID_OF_IDS:
            assert acme.count(where) == alone.count(where), where
        assert [one.name for one in describe_fields(acme)] == [
            one.name for one in describe_fields(alone)
        ]
        assert why_nothing(acme, {"lang": 3}) == why_nothing(alone, {"lang": 3})


def test_ids_made_of_the_content_are_those_of_a_plain_index(index, acme):
    with new_index() as alone:
        texts, more = ["one", "two", "one"], [{"n": 1}, None, {"n": 1}]
        assert acme.add(texts, metadata=more) == alone.add(texts, metadata=more)


def test_whoever_opens_the_index_sees_whose_passages_are(index, acme):
    assert index.count({"tenant": "acme"}) == len(acme) == len(CORPUS)
    [passage] = index.get(["acme\x1freset"])
    assert passage.metadata == {**METADATA["reset"], "tenant": "acme"}


def test_an_id_of_another_is_one_that_never_was(index, acme):
    index.view(tenant="beta").add(["only beta"], ids=["beta's"])
    assert acme.get(["acme\x1freset"]) == []
    for id in ("beta's", "never was", "beta\x1fbeta's"):
        assert id not in acme
        assert acme.get([id]) == []
        assert acme.delete([id]) == 0
        with pytest.raises(PassageNotFoundError) as caught:
            acme.explain("the key", id)
        assert str(caught.value) == f"no passage has the id {id!r}."
    assert acme.add(["mine now"], ids=["beta's"]) == ["beta's"]
    [theirs] = index.view(tenant="beta").get(["beta's"])
    assert theirs.text == "only beta"


def test_metadata_cannot_make_a_passage_another_tenants(index, acme):
    before = list(acme.passages())
    for theirs in ("beta", ["acme", "beta"], None, {"a": 1}):
        for add in (
            lambda: acme.add(["a", "b"], metadata=[None, {"tenant": theirs}]),  # noqa: B023
            lambda: acme.add_stream([{"text": "b", "metadata": {"tenant": theirs}}]),  # noqa: B023
        ):
            with pytest.raises(InputError, match="set the field 'tenant'"):
                add()
    assert list(acme.passages()) == before
    acme.add(["own"], ids=["own"], metadata=[{"tenant": "acme", "n": 1}])
    assert acme.get(["own"])[0].metadata == {"n": 1}


def test_a_passage_is_a_tenants_by_id_and_metadata_both(index, acme):
    index.add(
        ["qqqq", "jjjj", "recorded"],
        ids=["forged", "acme\x1fhalf", "beta\x1flisted"],
        metadata=[{"tenant": "acme"}, {}, {"tenant": ["acme", "beta"]}],
    )
    assert len(acme) == len(CORPUS)
    assert {hit.text for hit in acme.search("qqqq jjjj", k=9, mode="lexical")} == set()
    assert [one.id for one in index.view(tenant="beta").passages()] == [*IDS, "listed"]


def test_deleting_all_deletes_the_views_own(index, acme):
    index.add(["nobody's"], ids=["plain"])
    assert acme.delete(all=True) == len(CORPUS)
    assert (len(acme), len(index.view(tenant="beta")), "plain" in index) == (0, len(CORPUS), True)
    with pytest.raises(InputError, match="all=True"):
        acme.delete(where={})


def test_a_view_with_a_filter_shows_and_deletes_what_matches(index, acme):
    english = index.view(tenant="acme", where={"lang": "en"})
    assert [one.id for one in english.passages()] == ["reset", "library"]
    assert english.stats().passages == len(english) == 2
    assert "kaffee" not in english
    assert english.get(["kaffee"]) == []
    assert {hit.id for hit in english.search("router", k=9, mode="late")} == {"reset", "library"}
    with pytest.raises(PassageNotFoundError):
        english.explain("router", "kaffee")
    assert english.delete(["kaffee", "reset"]) == 1
    assert english.delete(all=True) == 1
    assert len(acme) == len(CORPUS) - 2


def test_a_view_with_fields_shows_no_others(index, acme):
    some = index.view(tenant="acme", fields=["lang", "maker"])
    assert [one.metadata for one in some.get(["reset", "library"])] == [
        {"lang": "en"},
        {"lang": "en", "maker": {"country": "ie", "open": True}},
    ]
    assert {key for hit in some.search("key", k=9, mode="late") for key in hit.metadata} == {
        "lang",
        "maker",
    }
    assert some.explain("key", "reset").passage.metadata == {"lang": "en"}
    assert some.count({"maker.country": "ie", "$id": {"$contains": "lib"}, "$lang": "en"}) == 1
    for hidden in ({"year": 2024}, {"$not": {"$or": [{"lang": "en"}, {"product": {"$ne": 1}}]}}):
        with pytest.raises(FilterError, match="shows no field"):
            some.search("key", where=hidden, mode="late")
        with pytest.raises(FilterError, match="shows no field"):
            some.delete(where=hidden)


@pytest.mark.parametrize("part", [{"where": {"n": 1}}, {"fields": ["n"]}])
def test_a_view_of_a_part_adds_nothing(index, acme, part):
    view = index.view(tenant="acme", **part)
    for add in (lambda: view.add(["a"]), lambda: view.add_stream([{"text": "a"}]), view.purge):
        with pytest.raises(ReadOnlyError, match="adds and purges nothing"):
            add()


def test_nobody_filters_by_whose_passages_are(acme):
    for where in ({"tenant": "acme"}, {"n": 1, "$not": {"tenant": {"$exists": False}}}):
        with pytest.raises(FilterError, match="'tenant'"):
            acme.count(where)


def test_filters_may_be_so_large_and_no_larger(acme):
    conditions, values = LIMITS_OF_VIEWS.conditions, LIMITS_OF_VIEWS.operands
    deep, deeper = ({"n": 1} for _ in range(2))
    for _ in range(MAX_DEPTH):
        deep = {"$not": deep}
    for _ in range(MAX_DEPTH + 1):
        deeper = {"$not": deeper}
    fits = [
        deep,
        {"$or": [{"n": {"$gt": place}} for place in range(conditions)]},
        {"n": {"$in": list(range(values))}},
    ]
    for where in fits:
        assert acme.count(where) == acme.count(where) >= 0
    too_large = [
        deeper,
        {"$or": [{"n": {"$gt": place}} for place in range(conditions + 1)]},
        {"n": {"$in": list(range(values + 1))}},
        {"n": {"$contains": "x" * (LIMITS_OF_VIEWS.characters + 1)}},
    ]
    for where in too_large:
        with pytest.raises(FilterError):
            acme.search("key", where=where, mode="late")
        with pytest.raises(FilterError):
            acme.delete(where=where)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": ""},
        {"tenant": None},
        {"tenant": "a\x1fb"},
        {"tenant": "a\nb"},
        {"tenant": "e\u0301"},
        {"tenant": "\ud800"},
        {"tenant": "x" * 257},
        {"tenant": "a", "field": ""},
        {"tenant": "a", "field": "by.name"},
        {"tenant": "a", "field": "$id"},
        {"tenant": "a", "field": "_file"},
        {"tenant": "a", "fields": "lang"},
        {"tenant": "a", "fields": ["lang", "tenant"]},
        {"tenant": "a", "fields": [3]},
        {"tenant": "a", "fields": 3},
    ],
)
def test_names_that_cannot_be_are_refused(index, wrong):
    with pytest.raises(ConfigError):
        index.view(**wrong)


def test_fields_of_any_name_can_say_whose_passages_are(index):
    for field in (r"org\.unit", "größe", "TENANT ID"):
        view = index.view(tenant="é", field=field)
        view.add(["of one"], ids=["x"], metadata=[{"n": 1}])
        assert view.get(["x"])[0].metadata == {"n": 1}
        with pytest.raises(FilterError, match="shows no field"):
            view.count({field: "é"})
        assert view.delete(all=True) == 1


class Desk(HashEncoder):
    """Keeps queries as the models' encoders do, and notes which it had to encode."""

    def __init__(self) -> None:
        super().__init__()
        self.batcher, self.encoded = QueryBatcher(64), []

    def encode_query(self, texts):
        return self.batcher.encode(texts, self._encode_now)

    def _encode_now(self, texts):
        self.encoded += texts
        return HashEncoder.encode_query(self, texts)


@pytest.mark.parametrize("mode", ["late", "hybrid", "lexical"])
def test_nobody_finds_in_the_cache_what_another_asked(mode):
    desk = Desk()
    with Retriever.from_texts(["the key of nobody"], model=desk) as index:
        views = [index.view(tenant=name) for name in ("acme", "beta")]
        for view in views:
            view.add(["the key", "a lock"])
        for part in (*views, index, *views, index):
            hit = part.search("the key", k=1, mode=mode)[0]
            assert hit.evidence
        assert desk.encoded == ["the key"] * 3


def test_no_question_opens_a_file(acme, tmp_path):
    for ask in (
        lambda: acme.search("key", query_adapter=tmp_path / "adapter"),
        lambda: acme.rerank("key", ["key"], query_adapter="/etc/passwd"),
        lambda: acme.explain("key", "reset", query_adapter="adapter"),
    ):
        with pytest.raises(ConfigError, match="not a file"):
            ask()
    assert acme.search("key", k=1, mode="late", query_adapter="none")


def test_questions_to_views_are_not_remembered(index, acme):
    acme.search("a secret question", mode="hybrid")
    assert index._searcher.remembered.texts(9) == []
    assert index._searcher.remembered.vectors(index._store.snapshot()) == []


def test_more_views_than_are_kept_answer_all_the_same(monkeypatch):
    monkeypatch.setattr(views, "_KEPT", 3)
    names = [f"t{number}" for number in range(5)]
    with new_index() as index:
        for name in names:
            index.view(tenant=name).add([f"the key of {name}"], ids=["k"])
        for name in (*names, *names):
            [hit] = index.view(tenant=name).search("the key", mode="hybrid")
            assert (hit.id, hit.text) == ("k", f"the key of {name}")
        assert len(index._views._kept) == 3


def test_views_are_read_only_where_the_index_is(tmp_path: Path):
    with Retriever.open(tmp_path / "x", model=HashEncoder()) as writer:
        writer.view(tenant="acme").add(["the key"], ids=["k"])
        with Retriever.open(tmp_path / "x", model=HashEncoder(), read_only=True) as reader:
            view = reader.view(tenant="acme")
            assert view.search("key", mode="hybrid")[0].id == "k"
            for write in (lambda: view.add(["a"]), lambda: view.delete(["k"])):
                with pytest.raises(ReadOnlyError):
                    write()
            writer.view(tenant="acme").add(["a lock"], ids=["l"])
            assert [one.id for one in view.passages()] == ["k", "l"]


@damages_what_is_open
def test_another_index_under_the_same_name_is_another(tmp_path: Path):
    for name, text in (("old", "the old key of a lock"), ("new", "a new key of two new locks")):
        with Retriever.open(tmp_path / name, model="hash") as index:
            index.view(tenant="acme").add([text, "nothing else"], ids=["k", "n"])
    modes = ("late", "lexical", "hybrid")
    with Retriever.open(tmp_path / "new") as other:
        expected = [other.view(tenant="acme").search("key", mode=mode) for mode in modes]
    with Retriever.open(tmp_path / "old") as index:
        view = index.view(tenant="acme")
        for mode in modes:
            assert view.search("key", k=1, mode=mode)[0].text == "the old key of a lock"
        (tmp_path / "old").rename(tmp_path / "older")
        (tmp_path / "new").rename(tmp_path / "old")
        assert [view.search("key", mode=mode) for mode in modes] == expected


def test_errors_name_ids_as_the_tenant_knows_them(index, acme):
    class Broken(HashEncoder):
        def encode_document(self, texts, *, progress=None):
            found = super().encode_document(texts, progress=progress)
            found[-1].vectors[:] = float("nan")
            return found

    with Retriever.from_texts([], model=Broken()) as broken:
        with pytest.raises(InputError) as caught:
            broken.view(tenant="acme").add(["a text"], ids=["page-1"])
        assert "'page-1'" in str(caught.value)
        assert "acme" not in str(caught.value)


def test_in_compressed_vectors_equal_passages_have_equal_scores(monkeypatch, tmp_path):
    """And where all allowed vectors are compared, the same passages are found."""
    compress_early(monkeypatch, vectors=200)
    texts, sizes = sentences(60, seed=3), (60, 210)
    with Retriever.open(tmp_path / "x", model=HashEncoder(), storage="compressed") as index:
        names = ("acme", "beta")
        for name, size in zip(names, sizes, strict=True):
            more = sentences(size - 60, seed=4)
            index.view(tenant=name).add([*texts, *more], ids=[str(n) for n in range(size)])
        assert set(kinds(index)) == {"compressed"}
        for votes in (False, True):
            if votes:
                always_vote(monkeypatch)
                index._views.renew_after_fork()  # or views would go on as they began
            views = [index.view(tenant=name) for name in names]
            for query in ("w1 w2 w3 w4", "w5", "w17 w80"):
                mine, theirs = (
                    {hit.id: hit.score for hit in view.search(query, k=500, mode="late")}
                    for view in views
                )
                common = mine.keys() & theirs.keys()
                assert len(common) > 20
                assert [mine[id] for id in common] == [theirs[id] for id in common]
                assert votes or (len(mine), len(theirs)) == sizes
            plan = views[0].plan("w1 w2", k=3, mode="late")
            assert (plan.method, plan.settings, plan.windows) == (
                "votes" if votes else "scan",
                None,
                60,
            )


def test_statistics_are_the_views_own(index, acme):
    fill(index.view(tenant="beta"), 90)
    stats = acme.stats()
    assert (stats.passages, stats.windows) == (5, acme.plan("key", mode="late").scored)
    assert sum(stats.languages.values()) == len(CORPUS)
    assert stats.to_dict()["dim"] == 32
    assert "generation" not in stats.to_dict()


def test_a_view_of_no_tenant_is_the_whole_index_without_a_way_back(tmp_path):
    with Retriever.open(tmp_path / "index", model="hash") as index:
        index.add(["a lock", "a key", "a door"], ids=["1", "2", "3"], metadata=[{"n": 1}, None, {}])
        view = index.view_of_all()
        assert view.tenant is None
        assert repr(view) == "<View>"
        for mode in ("late", "lexical", "hybrid"):
            mine, theirs = view.search("a key", mode=mode), index.search("a key", mode=mode)
            assert mine == theirs
            assert [hit.evidence for hit in mine] == [hit.evidence for hit in theirs]
        assert view.add(["a bell"], ids=["4"]) == ["4"]
        assert index.get(["4"])[0].metadata == {}
        part = index.view_of_all(where={"n": 1}, fields=[])
        assert [(hit.id, hit.metadata) for hit in part.search("a key")] == [("1", {})]
        assert view.delete(all=True) == 4
        assert len(index) == 0


def test_a_list_that_broke_off_is_read_on(index):
    view = index.view(tenant="acme")
    view.add(["a", "b", "c", "d"], ids=["1", "2", "3", "4"])
    index.view(tenant="beta").add(["e"], ids=["5"])
    view.delete(["3"])
    assert [passage.id for passage in view.passages(after="2")] == ["4"]
    assert list(view.passages(after="4")) == []
    for gone in ("3", "5"):
        with pytest.raises(PassageNotFoundError):
            view.passages(after=gone)
