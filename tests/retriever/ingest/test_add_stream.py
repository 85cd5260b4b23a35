"""Streams of passages: bounded batches, whole commits, and going on where it stopped."""

from __future__ import annotations

import weakref

import pytest

from lfm2_colbert_rag import Passage, Retriever
from lfm2_colbert_rag.errors import ConfigError, InputError, StorageFullError
from lfm2_colbert_rag.retriever.ingest import streams as adding_module
from lfm2_colbert_rag.storage.store import Store
from lfm2_colbert_rag.testing import HashEncoder

from ...conftest import CORPUS, METADATA
from ...grown import set_policy


def corpus(number=None):
    chosen = list(CORPUS)[:number]
    return [{"id": id, "text": CORPUS[id], "metadata": METADATA[id]} for id in chosen]


def stored(retriever):
    return {
        p.id: (p.text, p.metadata) for p in retriever.get([h.id for h in everything(retriever)])
    }


def everything(retriever):
    return retriever.search("the router", k=10_000)


class Counting(HashEncoder):
    """Remembers what it was asked to encode."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def encode_document(self, texts, *, progress=None):
        self.calls.append(list(texts))
        return super().encode_document(texts, progress=progress)


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_a_stream_gives_what_one_call_gives(retriever, tmp_path, batch):
    with Retriever.open(tmp_path / "streamed", model="hash") as streamed:
        assert streamed.add_stream(iter(corpus()), batch=batch) == len(CORPUS)
        assert stored(streamed) == stored(retriever)
        scores = [[(h.id, h.score) for h in everything(one)] for one in (streamed, retriever)]
        assert scores[0] == scores[1]
        assert streamed.verify() == []
        assert streamed.stats().generation == -(-len(CORPUS) // batch)


def test_passages_and_mappings_may_be_mixed(folder):
    mixed = [Passage("a", "one", {"n": 1}), {"id": "b", "text": "two"}, Passage("c", "three")]
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add_stream(mixed)
        assert stored(retriever) == {"a": ("one", {"n": 1}), "b": ("two", {}), "c": ("three", {})}


def test_no_more_than_a_batch_is_held(folder):
    class Text(str):
        __slots__ = ("__weakref__",)

    alive = weakref.WeakSet()
    most = 0

    def passages():
        nonlocal most
        for number in range(200):
            text = Text(f"passage number {number}")
            alive.add(text)
            yield {"id": str(number), "text": text}
            del text
            most = max(most, len(alive))

    with Retriever.open(folder, model="hash") as retriever:
        retriever.add_stream(passages(), batch=10)
    assert most <= 20


def test_a_batch_ends_where_its_characters_do(folder, monkeypatch):
    monkeypatch.setattr(adding_module, "CHARACTERS", 100)
    encoder = Counting()
    with Retriever.open(folder, model=encoder) as retriever:
        retriever.add_stream({"id": str(n), "text": "x" * 40} for n in range(7))
        assert [len(call) for call in encoder.calls] == [3, 3, 1]
        assert retriever.stats().generation == 3


def test_what_is_stored_is_skipped(folder):
    encoder = Counting()
    with Retriever.open(folder, model=encoder) as retriever:
        retriever.add_stream(corpus(3), batch=2)
        encoder.calls.clear()
        retriever.add_stream(corpus(), batch=2)
        encoded = [text for call in encoder.calls for text in call]
        assert encoded == list(CORPUS.values())[3:]
        generation = retriever.stats().generation
        assert retriever.add_stream(corpus(), batch=2) == len(CORPUS)
        assert retriever.stats().generation == generation


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_the_last_passage_with_an_id_is_kept(folder, batch):
    texts = ["first", "second", "third", "fourth", "fifth"]
    with Retriever.open(folder, model="hash") as retriever:
        passages = [{"id": "ab"[n % 2], "text": text} for n, text in enumerate(texts)]
        assert retriever.add_stream(passages, batch=batch) == 5
        assert stored(retriever) == {"a": ("fifth", {}), "b": ("fourth", {})}
        assert retriever.verify() == []


def test_add_still_refuses_an_id_twice(retriever):
    with pytest.raises(InputError, match="id 'a' is given twice"):
        retriever.add(["one", "two"], ids=["a", "a"])


BAD = {
    "a text": ("text", "must be a Passage, or a mapping with id, text and metadata, not str"),
    "nothing": (None, "must be a Passage"),
    "an id that is no text": ({"id": 7, "text": "x"}, "must be a string, not int"),
    "no text": ({"id": "z"}, r"\(id 'z'\) must be a string, not None"),
    "another key": ({"id": "z", "text": "x", "lang": "en"}, "has the key 'lang'; known are"),
    "metadata": ({"id": "z", "text": "x", "metadata": [1]}, "must be a mapping or None"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_passage_is_named_by_its_place(folder, name):
    item, said = BAD[name]
    with Retriever.open(folder, model="hash") as retriever:
        with pytest.raises(InputError, match=said) as caught:
            retriever.add_stream([*corpus(3), item, *corpus()[3:]], batch=2)
        assert "the passage at place 3 of the stream" in str(caught.value)
        assert str(caught.value).endswith(
            "The first 2 of the stream were committed before and stay. Give the whole stream "
            "again to go on: what is stored is skipped."
        )
        assert set(stored(retriever)) == set(list(CORPUS)[:2])
        assert retriever.verify() == []
        retriever.add_stream(corpus(), batch=2)
        assert set(stored(retriever)) == set(CORPUS)


def test_an_error_in_the_first_batch_speaks_of_no_commit(folder):
    with Retriever.open(folder, model="hash") as retriever:
        with pytest.raises(InputError) as caught:
            retriever.add_stream([{"id": "a"}])
        assert "committed" not in str(caught.value)
        assert len(retriever) == 0


def test_other_errors_say_what_stays_too(folder, monkeypatch):
    with Retriever.open(folder, model="hash") as retriever:
        commit, calls = Store.commit_passages, []

        def fail_third(self, *args, **options):
            calls.append(1)
            if len(calls) == 3:
                raise StorageFullError("the disk is full.")
            return commit(self, *args, **options)

        monkeypatch.setattr(Store, "commit_passages", fail_third)
        with pytest.raises(StorageFullError, match=r"^the disk is full\. The first 4 of the"):
            retriever.add_stream(corpus(), batch=2)
        assert len(retriever) == 4


def test_an_error_of_the_iterator_comes_through(folder):
    def broken():
        yield from corpus(2)
        raise ZeroDivisionError("mine")

    with Retriever.open(folder, model="hash") as retriever:
        with pytest.raises(ZeroDivisionError, match=r"^mine$"):
            retriever.add_stream(broken(), batch=1)
        assert len(retriever) == 2


@pytest.mark.parametrize("passages", ["text", 7, {"id": "a", "text": "b"}, Passage("a", "b"), None])
def test_what_is_no_stream_is_refused(retriever, passages):
    with pytest.raises(InputError, match="passages must be an iterable of passages, not a"):
        retriever.add_stream(passages)


@pytest.mark.parametrize("batch", [0, -1, 1.5, True, "10"])
def test_a_batch_is_a_positive_number(retriever, batch):
    with pytest.raises(ConfigError, match="batch must be a positive whole number"):
        retriever.add_stream(corpus(), batch=batch)


def test_progress_counts_every_passage_once(folder):
    with Retriever.open(folder, model="hash") as retriever:
        retriever.add_stream(corpus(2))
        seen = []
        retriever.add_stream([*corpus(), *corpus(1)], batch=4, progress=seen.append)
        assert sum(seen) == len(CORPUS) + 1


def test_the_index_compresses_itself_on_the_way(folder, monkeypatch):
    set_policy(monkeypatch, min_vectors=3000)
    words = [f"w{n}" for n in range(500)]
    texts = (" ".join(words[n % 480 : n % 480 + 20]) for n in range(400))
    with Retriever.open(folder, model="hash", storage="compressed") as retriever:
        retriever.add_stream(
            ({"id": f"p{n}", "text": text} for n, text in enumerate(texts)), batch=20
        )
        stats = retriever.stats()
        assert (stats.storage, stats.passages) == ("compressed", 400)
        assert stats.segments < 20
        assert retriever.verify() == []
