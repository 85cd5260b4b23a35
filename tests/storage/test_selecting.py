"""Rows of filters that are kept, and carried from one generation to the next."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert_rag.filters import Filter, matches, parse_field, parse_where
from lfm2_colbert_rag.storage.catalog import FILE_NAME, Catalog
from lfm2_colbert_rag.storage.commits import Commit, StoredPassage
from lfm2_colbert_rag.storage.live_rows import live_rows
from lfm2_colbert_rag.storage.matching import Matched, matching_rows
from lfm2_colbert_rag.types import Passage

from ..inside import SETTINGS

FIELDS = ("a", "b")
values = st.sampled_from([0, 1, "x", None, [0, "x"], [[1]]])
objects = st.dictionaries(st.sampled_from(FIELDS), values, max_size=2)
leaves = st.one_of(
    st.builds(
        lambda name, value: {name: value}, st.sampled_from(FIELDS), st.sampled_from([0, "x"])
    ),
    st.builds(lambda name: {name: {"$exists": True}}, st.sampled_from(FIELDS)),
    st.builds(lambda name: {name: {"$gte": 0}}, st.sampled_from(FIELDS)),
    st.just({"$id": {"$in": ["1", "3", "5"]}}),
)
wheres = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda one: {"$not": one}, inner),
        st.builds(
            lambda name, some: {name: some},
            st.sampled_from(["$and", "$or"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=4,
)
steps = st.one_of(
    st.tuples(st.just("commit"), st.lists(objects, max_size=3), st.integers(0, 2)),
    st.tuples(st.just("commit"), st.lists(objects, max_size=3), st.integers(0, 2)),
    st.tuples(st.sampled_from(["create", "drop"]), st.sampled_from(FIELDS)),
    st.tuples(st.just("forget")),
)


class Model:
    """What a catalog should hold, in plain Python."""

    def __init__(self) -> None:
        self.metadata: dict[int, dict[str, Any]] = {}
        self.spans: dict[int, tuple[int, float]] = {}
        self.forgotten: set[int] = set()
        self.generation = 0

    def commit(self, objects: list[dict[str, Any]], removed: list[int]) -> Commit:
        self.generation += 1
        rows = range(len(self.metadata) + 1, len(self.metadata) + 1 + len(objects))
        for row, one in zip(rows, objects, strict=True):
            self.metadata[row], self.spans[row] = one, (self.generation, float("inf"))
        for row in removed:
            self.spans[row] = (self.spans[row][0], self.generation)
        stored = [
            StoredPassage(row, Passage(str(row), "t", self.metadata[row]), 1, 1) for row in rows
        ]
        return Commit(self.generation, stored, removed=sorted(removed))

    def live(self, generation: int) -> set[int]:
        return {
            row for row, (born, died) in self.spans.items() if born <= generation < died
        } - self.forgotten

    def forget(self) -> None:
        self.forgotten = {row for row, (_, died) in self.spans.items() if died <= self.generation}

    def matching(self, node: Filter, generation: int) -> list[int]:
        return sorted(
            row for row in self.live(generation) if matches(node, self.metadata[row], str(row))
        )


@settings(max_examples=max(10, settings.default.max_examples * 3 // 10), deadline=None)
@given(
    todo=st.lists(steps, min_size=2, max_size=10),
    asked=st.lists(wheres, min_size=1, max_size=3),
    data=st.data(),
)
def test_what_is_kept_equals_what_is_found_anew(todo, asked, data):
    """Whatever is added, deleted, replaced, forgotten or indexed between, by whoever does it."""
    model, nodes = Model(), [parse_where(one) for one in asked]
    with tempfile.TemporaryDirectory() as folder:
        writer = Catalog.create(Path(folder) / FILE_NAME, SETTINGS, durable=False)
        reader = Catalog(Path(folder) / FILE_NAME)  # sees only some of the generations
        for what, *details in todo:
            if what == "commit":
                objects, dying = details
                live = sorted(model.live(model.generation))
                writer.commit(model.commit(objects, data.draw(st.permutations(live))[:dying]))
            elif what == "forget":
                writer.forgetting.drop(np.empty(0, np.int64), 0)
                model.forget()
            elif what == "create":
                writer.create_filter_index(parse_field(details[0]))
            else:
                writer.drop_filter_index(parse_field(details[0]))
            looking = [writer, reader] if data.draw(st.booleans()) else [writer]
            for catalog in looking:
                for node in nodes:
                    found = catalog.select(node, model.generation).tolist()
                    assert found == model.matching(node, model.generation)
            older = data.draw(st.integers(0, model.generation))
            for node in nodes:  # of an older generation some may be forgotten by now
                found = set(reader.select(node, older).tolist()) - model.forgotten
                assert sorted(found) == model.matching(node, older)
        writer.close()
        reader.close()


def test_later_generations_ask_only_for_what_is_new(tmp_path):
    """Of what was there before, what is known is believed."""
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    model, node = Model(), parse_where({"a": 1})
    catalog.commit(model.commit([{"a": number % 2} for number in range(9)], []))
    first = catalog.select(node, 1)
    assert first.tolist() == [2, 4, 6, 8]
    assert catalog.select(node, 1) is first
    assert not first.flags.writeable
    catalog.commit(model.commit([{"a": 1}, {"a": 0}], [2]))
    known = Matched(1, np.array([2, 3]), 9)
    with catalog._connections.reading() as connection:
        found = matching_rows(connection, node, live_rows(connection, 2), known)
    assert (found.generation, found.rows.tolist(), found.last) == (2, [3, 10], 11)
    catalog.close()


def test_what_was_forgotten_before_it_was_seen_dead_is_not_alive(tmp_path):
    """Whoever read an old generation last cannot count on what died since to be there."""
    model = Model()
    catalog = Catalog.create(tmp_path / FILE_NAME, SETTINGS, durable=False)
    catalog.commit(model.commit([{} for _ in range(5)], []))
    with catalog._connections.reading() as connection:
        known = live_rows(connection, 1)
        assert known.rows.tolist() == [1, 2, 3, 4, 5]
    catalog.commit(Commit(2, removed=[2]))
    catalog.commit(Commit(3, removed=[4]))
    catalog.forgetting.drop(np.empty(0, np.int64), 0)
    with catalog._connections.reading() as connection:
        assert live_rows(connection, 3, known).rows.tolist() == [1, 3, 5]
        assert live_rows(connection, 3).rows.tolist() == [1, 3, 5]
    catalog.close()
