"""What loaders give: blank pages, metadata that are no JSON, the same documents again."""

from __future__ import annotations

import logging
from datetime import date, datetime
from pathlib import PurePosixPath
from uuid import UUID

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_lfm2_colbert import LFM2ColBERTRetriever, LFM2ColBERTVectorStore

from lfm2_colbert_rag.errors import InputError


@pytest.fixture(params=[LFM2ColBERTRetriever, LFM2ColBERTVectorStore], ids=["retriever", "store"])
def kind(request: pytest.FixtureRequest):
    return request.param


@pytest.fixture
def adapter(kind):
    return kind.from_texts([], model="hash")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def stored(adapter) -> list[str]:
    return [passage.text for passage in adapter.retriever.passages()]


class TestBlankPages:
    PAGES = ("page one", "", "page three", " \n\t")

    def test_are_left_out_with_one_warning_and_ids_in_step(self, adapter, caplog):
        ids = adapter.add_documents(
            [Document(text, id=f"p{n}") for n, text in enumerate(self.PAGES)]
        )
        assert ids == ["p0", "p1", "p2", "p3"]
        assert stored(adapter) == ["page one", "page three"]
        assert len(warnings(caplog)) == 1

    def test_also_where_ids_follow_from_the_content(self, adapter):
        ids = adapter.add_documents([Document(text) for text in self.PAGES])
        assert len(ids) == 4
        for id, text in zip(ids, self.PAGES, strict=True):
            assert [one.text for one in adapter.retriever.get([id])] == [text] * bool(text.strip())

    def test_of_a_new_index(self, kind):
        for build in (
            lambda: kind.from_documents([Document(text) for text in self.PAGES], model="hash"),
            lambda: kind.from_texts(self.PAGES, model="hash"),
        ):
            assert stored(build()) == ["page one", "page three"]

    def test_and_nothing_else(self, adapter):
        assert len(adapter.add_documents([Document("")])) == 1
        assert stored(adapter) == []


class TestMetadata:
    METADATA = {  # noqa: RUF012
        "created": date(2024, 1, 5),
        "modified": datetime(2024, 1, 5, 10, 30),
        "box": (1.5, 2),
        "tags": {"one"},
        "path": PurePosixPath("docs/a.pdf"),
        "uuid": UUID(int=1),
        "pages": np.int64(3),
        "scores": np.array([0.5, 0.25]),
        "missing": float("nan"),
        7: "a key that is no string",
    }
    STORED = {  # noqa: RUF012
        "created": "2024-01-05",
        "modified": "2024-01-05T10:30:00",
        "box": [1.5, 2],
        "tags": ["one"],
        "path": "docs/a.pdf",
        "uuid": "00000000-0000-0000-0000-000000000001",
        "pages": 3,
        "scores": [0.5, 0.25],
        "missing": None,
        "7": "a key that is no string",
    }

    def test_of_loaders_become_json(self, adapter, caplog):
        document = Document("text", metadata=dict(self.METADATA))
        adapter.add_documents([document])
        (passage,) = adapter.retriever.passages()
        assert passage.metadata == self.STORED
        assert document.metadata == self.METADATA
        assert len(warnings(caplog)) <= 1

    def test_of_texts_too(self, kind):
        metadatas = [{"when": date(2024, 1, 5)}, None]
        adapter = kind.from_texts(["one", "two"], metadatas=metadatas, model="hash")
        assert [one.metadata for one in adapter.retriever.passages()] == [
            {"when": "2024-01-05"},
            {},
        ]

    def test_can_be_filtered_by(self):
        store = LFM2ColBERTVectorStore.from_texts([], model="hash")
        store.add_documents([Document("text", metadata=dict(self.METADATA))])
        where = {"created": {"$gte": "2024-01-01"}, "pages": 3, "box": 1.5}
        assert len(store.similarity_search("text", filter=where)) == 1

    def test_what_has_no_json_form_is_refused_by_name_and_changes_nothing(self, adapter):
        bad = [Document("fine"), Document("bad", metadata={"reader": object()})]
        with pytest.raises(InputError, match="reader"):
            adapter.add_documents(bad)
        assert stored(adapter) == []


class TestCharacters:
    def test_that_cannot_be_stored_are_replaced(self, adapter, caplog):
        adapter.add_documents(
            [Document("good"), Document("x \ud835 y", metadata={"producer": "Scanner\x00"})]
        )
        good, odd = adapter.retriever.passages()
        assert (good.text, odd.text) == ("good", "x \ufffd y")
        assert odd.metadata == {"producer": "Scanner\ufffd"}
        assert len(warnings(caplog)) == 1


class TestAgain:
    DOCUMENTS = (Document("a"), Document("b", metadata={"page": 1}), Document("c", id="mine"))

    def test_nothing_is_stored_twice(self, kind, tmp_path):
        for _ in (1, 2):
            adapter = kind.open(tmp_path / "index", model="hash")
            adapter.add_documents(self.DOCUMENTS)
            adapter.retriever.close()
        with kind.open(tmp_path / "index").retriever as opened:
            assert [passage.text for passage in opened.passages()] == ["a", "b", "c"]

    def test_from_documents_into_the_same_folder(self, tmp_path):
        for _ in (1, 2):
            store = LFM2ColBERTVectorStore.from_documents(
                list(self.DOCUMENTS), path=tmp_path / "index", model="hash"
            )
            assert stored(store) == ["a", "b", "c"]
            store.retriever.close()

    def test_ids_follow_from_text_and_metadata(self, adapter):
        one, other, same = adapter.add_documents(
            [Document("a"), Document("a", metadata={"page": 1}), Document("a")]
        )
        assert one == same != other
        assert stored(adapter) == ["a", "a"]

    def test_given_ids_and_others_together(self, adapter):
        first = adapter.add_documents(self.DOCUMENTS)
        assert first[2] == "mine"
        assert adapter.add_documents(self.DOCUMENTS[::-1]) == first[::-1]

    def test_one_id_for_two_documents_is_refused(self, adapter):
        with pytest.raises(InputError, match="mine"):
            adapter.add_documents([Document("one", id="mine"), Document("other", id="mine")])
        assert stored(adapter) == []


class TestWrongKinds:
    """What would be taken apart, letter by letter, is refused by its name."""

    @pytest.mark.parametrize("given", ["one text", Document("a"), {"a": 1}, 7, None])
    def test_documents(self, adapter, given):
        with pytest.raises(InputError, match="documents must be a list"):
            adapter.add_documents(given)

    def test_what_is_no_document(self, adapter):
        with pytest.raises(InputError, match="document 1 must be a LangChain Document, not a str"):
            adapter.add_documents([Document("fine"), "text"])
        assert stored(adapter) == []

    def test_texts(self, kind):
        with pytest.raises(InputError, match="texts must be a list, not a str"):
            kind.from_texts("one text", model="hash")

    def test_ids(self, adapter):
        adapter.add_documents([Document("a", id="a")])
        with pytest.raises(InputError, match="ids must be a list, not a str"):
            adapter.delete("a")
        assert stored(adapter) == ["a"]

    def test_generators_are_fine(self, kind):
        adapter = kind.from_documents((Document(text) for text in "ab"), model="hash")
        assert len(adapter.add_documents(Document(text) for text in "cd")) == 2
        assert stored(adapter) == ["a", "b", "c", "d"]


async def test_async(tmp_path):
    store = await LFM2ColBERTVectorStore.afrom_documents(
        (Document(text) for text in ("a", "", "b")), path=tmp_path / "index", model="hash"
    )
    assert len(await store.aadd_documents([Document("a"), Document("")])) == 2
    assert stored(store) == ["a", "b"]
    store.retriever.close()
