"""From a view there is no way to the index: not by its attributes, nor by theirs, and so on.

Whoever takes Python apart, its closures, frames and modules, gets everywhere; code that only uses
what it is given does not.
"""

from __future__ import annotations

import copy
import pickle
import types
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial

import pytest

from lfm2_colbert_rag import Retriever, View
from lfm2_colbert_rag.errors import InputError
from lfm2_colbert_rag.retriever.view import Deeds
from lfm2_colbert_rag.storage.catalog import Catalog
from lfm2_colbert_rag.storage.store import Store

from .histories import fill, new_index

PLAIN = (str, bytes, int, float, bool, type(None), type, types.ModuleType)


def reached(root: object) -> Iterator[object]:
    """Yield all that can be reached by attributes, and by what containers hold."""
    seen: dict[int, object] = {}
    todo = deque([root])
    while todo:
        one = todo.popleft()
        if id(one) not in seen and not isinstance(one, PLAIN):
            seen[id(one)] = one
            yield one
            todo.extend(_parts(one))


def _parts(one: object) -> Iterator[object]:
    """Yield what an object holds: in ``vars`` and slots, in containers, as what it is bound to."""
    if isinstance(one, Mapping):
        yield from one.values()
    elif isinstance(one, list | tuple | set | frozenset | deque):
        yield from one
    if isinstance(one, partial):
        yield from (one.func, one.args, one.keywords)
    yield from getattr(one, "__dict__", {}).values()
    slots = [getattr(kind, "__slots__", ()) for kind in type(one).__mro__]
    names = {"__self__", "__wrapped__", "__defaults__", "__kwdefaults__"}
    for name in names.union(*((each,) if isinstance(each, str) else each for each in slots)):
        yield getattr(one, name, None)


def ours(root: object) -> set[str]:
    """Name the classes of ours of which something is reached."""
    kinds = {type(one) for one in reached(root)}
    return {kind.__name__ for kind in kinds if kind.__module__.startswith("lfm2_colbert_rag")}


def test_a_view_reaches_nothing_but_functions():
    with new_index() as index:
        view = index.view(tenant="acme", where={"n": 1}, fields=["n"])
        assert ours(view) == {View.__name__, Deeds.__name__}
        public = {name: getattr(view, name) for name in dir(view) if not name.startswith("_")}
        assert {name for name, value in public.items() if not callable(value)} == {"mode", "tenant"}
        assert {"Store", "Catalog", "Searcher", "Ingestor"} < ours(index)  # so it can be found


@pytest.mark.parametrize("mode", ["late", "lexical", "hybrid"])
def test_what_a_view_answers_reaches_no_index(mode):
    with new_index() as index:
        view = index.view(tenant="acme")
        fill(view, 40)
        answers = [
            view.search("key", k=3, mode=mode),
            view.explain("key", "n0"),
            view.plan("key", mode=mode),
            view.stats(),
            view.get(["n0"]),
            view.passages(),
        ]
        kinds = {type(one) for one in reached(answers)}
        assert not [one for one in kinds if issubclass(one, Retriever | Store | Catalog)]


def test_a_view_stays_where_it_is():
    with new_index() as index:
        view = index.view(tenant="acme")
        assert copy.copy(view) is copy.deepcopy(view) is view
        with pytest.raises(InputError, match="another process"):
            pickle.dumps(view)
        with pytest.raises(AttributeError):
            view.other = 1


def test_an_index_in_memory_lives_as_long_as_its_views():
    view = new_index().view(tenant="acme")
    fill(view, 3)
    assert len(view) == 3


def test_a_view_of_a_closed_index_says_so():
    with new_index() as index:
        view = index.view(tenant="acme")
    with pytest.raises(ValueError, match="closed"):
        view.search("key", mode="late")
