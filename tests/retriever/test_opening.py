"""Opening an index: where one is made, what is refused, and options with one name everywhere."""

from __future__ import annotations

import importlib
from typing import get_type_hints

import pytest

from lfm2_colbert_rag import IndexOptions, Retriever
from lfm2_colbert_rag.cli import main
from lfm2_colbert_rag.errors import (
    ConfigError,
    IndexMismatchError,
    IndexNotFoundError,
    InputError,
    LFM2ColBERTError,
)
from lfm2_colbert_rag.testing import HashEncoder

NAMES = ("storage", "nbits", "pool_factor", "window_overlap", "lexical")
# None of these is the default.
CHOSEN = {"storage": "exact", "nbits": 2, "pool_factor": 1, "window_overlap": 7, "lexical": False}


def test_an_index_is_made_only_where_a_model_is_named(folder):
    with pytest.raises(IndexNotFoundError, match="name its model") as caught:
        Retriever.open(folder)
    assert str(folder) in str(caught.value)
    assert not folder.exists()
    with Retriever.open(folder, model="hash") as made:
        assert len(made) == 0
    with Retriever.open(folder) as again:
        assert again.model == "hash"


@pytest.mark.parametrize("model", [None, "hash"])
def test_nothing_is_made_to_be_read(folder, model):
    with pytest.raises(IndexNotFoundError, match="holds no index"):
        Retriever.open(folder, model=model, read_only=True)
    assert not folder.exists()


def test_an_empty_folder_is_no_index_and_becomes_one(folder):
    folder.mkdir()
    with pytest.raises(IndexNotFoundError):
        Retriever.open(folder)
    assert list(folder.iterdir()) == []
    Retriever.open(folder, model="hash").close()
    assert len(Retriever.open(folder)) == 0


WRONG = {
    "unknown": ({"index": "exact"}, rf"'index' is no option of an index; .*{', '.join(NAMES)}"),
    "storage": ({"storage": "plaid"}, '"exact", "compressed", "auto".*not \'plaid\''),
    "nbits": ({"nbits": 3}, "2 or 4, not 3"),
    "nbits that are none": ({"nbits": True}, "2 or 4, not True"),
    "pool_factor": ({"pool_factor": 0}, "pool_factor must be a whole number from 1"),
    "window_overlap": ({"window_overlap": -1}, "window_overlap must be a whole number"),
    "overlap of all": ({"window_overlap": 512}, "from 0 to 511"),
    "lexical": ({"lexical": "yes"}, "True or False, not 'yes'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_option_is_refused_and_the_right_ones_named(folder, name):
    options, said = WRONG[name]
    with pytest.raises(ConfigError, match=said):
        Retriever.open(folder, model="hash", **options)
    with pytest.raises(ConfigError, match=said):
        Retriever.from_texts(["text"], model="hash", **options)
    assert not folder.exists()


@pytest.mark.parametrize("mode", ["dense", "", 7])
def test_an_unknown_mode_is_refused_wherever_it_is_given(folder, mode):
    said = r'mode must be one of "late", "lexical", "hybrid", not '
    with pytest.raises(ConfigError, match=said):
        Retriever.open(folder, model="hash", mode=mode)
    assert not folder.exists()
    with pytest.raises(ConfigError, match=said):
        Retriever.from_texts(["text"], model="hash", mode=mode)
    with Retriever.from_texts(["text"], model="hash") as retriever:
        for ask in (retriever.search, retriever.plan):
            with pytest.raises(ConfigError, match=said):
                ask("text", mode=mode)
        with pytest.raises(ConfigError, match=said):
            retriever.search_many(["text"], mode=mode)


def test_texts_are_checked_before_a_model_is_loaded():
    with pytest.raises(InputError, match="given twice"):
        Retriever.from_texts(["a", "b"], ids=["x", "x"], model="./no/model")


def test_options_may_be_given_again_but_not_changed(folder):
    Retriever.open(folder, model="hash", **CHOSEN).close()
    Retriever.open(folder, **CHOSEN).close()
    Retriever.open(folder, **dict.fromkeys(NAMES)).close()  # None says nothing
    for name, other in (("nbits", 4), ("window_overlap", 8)):
        with pytest.raises(IndexMismatchError, match=f"was made with {name} {CHOSEN[name]}, not"):
            Retriever.open(folder, **{name: other})


def test_a_window_overlap_of_true_is_no_overlap_of_one(folder):
    with Retriever.open(folder, model=HashEncoder(), window_overlap=1):
        pass
    with pytest.raises(LFM2ColBERTError, match="window_overlap"):
        Retriever.open(folder, window_overlap=True)


def test_the_options_are_these():
    assert tuple(IndexOptions.__annotations__) == NAMES
    assert tuple(get_type_hints(IndexOptions)) == NAMES


def test_the_command_line_takes_the_same_options(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    main(["index", "--help"])
    shown = capsys.readouterr().out
    missing = [name for name in NAMES if f"--{name.replace('_', '-')}" not in shown]
    assert missing == []


def langchain(folder, **options):
    adapter = pytest.importorskip("langchain_lfm2_colbert")
    made = adapter.LFM2ColBERTVectorStore.open(folder / "a", model="hash", **options)
    yield made.retriever
    made = adapter.LFM2ColBERTVectorStore.from_texts(["text"], model="hash", **options)
    yield made.retriever
    made = adapter.LFM2ColBERTRetriever.open(folder / "b", model="hash", **options)
    yield made.retriever
    made = adapter.LFM2ColBERTRetriever.from_texts(["text"], model="hash", **options)
    yield made.retriever


def llama_index(folder, **options):
    adapter = pytest.importorskip("llama_index.retrievers.lfm2_colbert")
    schema = importlib.import_module("llama_index.core.schema")
    nodes = [schema.TextNode(text="text")]
    yield adapter.LFM2ColBERTRetriever.open(folder / "a", model="hash", **options).retriever
    yield adapter.LFM2ColBERTRetriever.from_nodes(nodes, model="hash", **options).retriever
    yield adapter.LFM2ColBERTVectorStore.open(folder / "b", model="hash", **options).client
    yield adapter.LFM2ColBERTVectorStore.open_in_memory("hash", **options).client
    yield adapter.LFM2ColBERTIndex(nodes, model="hash", index_options=options).retriever


@pytest.mark.parametrize("adapter", [langchain, llama_index])
def test_the_adapters_take_the_same_options(folder, adapter):
    for retriever in adapter(folder, **CHOSEN):
        stats = retriever.stats()
        assert (stats.window_overlap, stats.pool_factor, stats.lexical_bytes) == (7, 1, None)
        with pytest.raises(ConfigError, match="keeps no terms"):
            retriever.search("text", mode="lexical")
    for name in NAMES:
        with pytest.raises(ConfigError, match=name):
            list(adapter(folder / name, **{name: "nonsense"}))
