"""The same documents again are the same nodes, however LlamaIndex numbers them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from llama_index.core.node_parser import HierarchicalNodeParser, SentenceSplitter
from llama_index.core.schema import Document, NodeRelationship, TextNode, TransformComponent
from llama_index.retrievers.lfm2_colbert import LFM2ColBERTIndex
from llama_index.retrievers.lfm2_colbert.documents import split

SENTENCES = " ".join(f"This is sentence {n} of some words." for n in range(12))
SPLITTER = SentenceSplitter(chunk_size=32, chunk_overlap=0)


def load() -> list[Document]:
    """Read files, as a script does when it starts."""
    return [Document(text=SENTENCES, metadata={"page": 1}), Document(text="The pool is closed.")]


def ids(nodes) -> list[str]:
    return [node.node_id for node in nodes]


class TestSameScriptTwice:
    @pytest.fixture
    def run(self, tmp_path):
        def run(documents, **options):
            options = {"transformations": [SPLITTER], **options}
            index = LFM2ColBERTIndex.from_documents(
                documents, path=tmp_path / "index", model="hash", **options
            )
            stored = [passage.id for passage in index.retriever.passages()]
            sources = set(index.ref_doc_info)
            index.retriever.close()
            return stored, sources

        return run

    @pytest.mark.parametrize("transformations", [[SPLITTER], []], ids=["split", "whole"])
    def test_stores_nothing_twice(self, run, transformations):
        first, _ = run(load(), transformations=transformations)
        second, _ = run(load(), transformations=transformations)
        assert sorted(second) == sorted(first)
        assert len(set(second)) == len(second) > 1

    @pytest.mark.parametrize("transformations", [[SPLITTER], []], ids=["split", "whole"])
    def test_documents_are_known_by_the_ids_that_they_have_now(
        self, run, tmp_path, transformations
    ):
        run(load(), transformations=transformations)
        again = load()
        _, sources = run(again, transformations=transformations)
        assert sources == {document.id_ for document in again}
        index = LFM2ColBERTIndex.load(tmp_path / "index")
        index.delete_ref_doc(again[0].id_)
        assert [passage.text for passage in index.retriever.passages()] == ["The pool is closed."]
        index.retriever.close()

    def test_changed_documents_with_ids_of_their_own_are_replaced(self, run):
        def named(text: str) -> list[Document]:
            return [Document(id_="pool", text=text), Document(id_="long", text=SENTENCES)]

        before, _ = run(named("The pool is closed."))
        after, sources = run(named("The pool is open."))
        assert (len(after), sources) == (len(before), {"pool", "long"})
        assert len(set(after) - set(before)) == 1

    def test_dates_of_reading_a_file_do_not_make_it_another_one(self, run):
        def read(day: str) -> list[Document]:
            keys = ["last_accessed_date"]
            metadata = {"file_path": "a.md", "last_accessed_date": day}
            return [
                Document(text="one", metadata=metadata, excluded_embed_metadata_keys=keys),
                Document(text="one", metadata=metadata | {"file_path": "b.md"}),
            ]

        first, _ = run(read("2024-01-05"))
        second, _ = run([read("2024-01-06")[0], read("2024-01-05")[1]])
        assert sorted(first) == sorted(second)
        assert len(second) == 2


class TestIds:
    def test_equal_documents_are_one(self):
        assert len(split([Document(text="one"), Document(text="one")], [SPLITTER])) == 1

    def test_those_that_differ_in_metadata_alone_are_two(self):
        pages = [Document(text="one", metadata={"page": page}) for page in (1, 2)]
        assert len(set(ids(split(pages, [SPLITTER])))) == 2

    def test_those_that_were_given_ids_are_two(self):
        pages = [Document(text="one", id_=id) for id in ("a", "b")]
        nodes = split(pages, [SPLITTER])
        assert [node.ref_doc_id for node in nodes] == ["a", "b"]
        assert len(set(ids(nodes))) == 2

    def test_a_set_is_the_same_in_any_order(self):
        class Backwards(frozenset):
            def __iter__(self):
                return iter(sorted(super().__iter__(), reverse=True))

        pages = [
            Document(text="one", metadata={"tags": kind("abc")}) for kind in (frozenset, Backwards)
        ]
        assert len(split(pages, [SPLITTER])) == 1

    def test_whole_documents_with_ids_keep_them(self):
        assert ids(split([Document(text="one", id_="a")], [])) == ["a"]

    def test_a_node_parser_s_own_ids_stay(self):
        parser = SentenceSplitter(id_func=lambda place, document: f"{document.id_}#{place}")
        assert ids(split([Document(text="one", id_="a")], [parser])) == ["a#0"]

    def test_a_transformation_s_own_ids_stay_and_made_up_ones_do_not(self):
        class Own(TransformComponent):
            def __call__(self, nodes, **_):
                return [TextNode(text="named", id_="named"), TextNode(text="unnamed"), *nodes]

        one = Document(text="one")
        assert ids(split([one], [Own()]))[0] == "named"
        assert ids(split([Document(text="one")], [Own()]))[2] == ids(split([one], [Own()]))[2]

    def test_the_caller_s_documents_are_left_alone(self):
        documents = load()
        before = [document.model_copy(deep=True) for document in documents]
        for transformations in ([SPLITTER], []):
            split(documents, transformations)
        assert documents == before


class TestRelationships:
    def test_neighbours_are_named_by_their_new_ids(self):
        nodes = split(load()[:1], [SPLITTER])
        for before, after in pairwise(nodes):
            assert before.next_node.node_id == after.node_id
            assert after.prev_node.node_id == before.node_id

    def test_parents_and_children_too(self):
        parser = HierarchicalNodeParser.from_defaults(chunk_sizes=[128, 32], chunk_overlap=0)
        nodes = {node.node_id: node for node in split(load()[:1], [parser])}
        parents = [node for node in nodes.values() if NodeRelationship.CHILD in node.relationships]
        assert parents
        for parent in parents:
            for child in parent.child_nodes:
                assert nodes[child.node_id].parent_node.node_id == parent.node_id
        again = split(load()[:1], [parser])
        assert [node.node_id for node in again] == list(nodes)
