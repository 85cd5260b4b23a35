"""The demo: its data hold what they promise, and the command runs without a model."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import pytest

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.cli import frameworks
from lfm2_colbert_rag.cli.demo import load_questions

from .conftest import Run


def _passages() -> dict[str, dict[str, str]]:
    data = files("lfm2_colbert_rag.cli") / "demo_data" / "passages.jsonl"
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    passages = {row["id"]: row for row in rows}
    assert len(passages) == len(rows)
    return passages


def test_the_passages() -> None:
    passages = _passages()
    assert len(passages) >= 96
    assert len({row["lang"] for row in passages.values()}) >= 11
    assert len({row["text"] for row in passages.values()}) == len(passages)
    for row in passages.values():
        assert set(row) == {"id", "text", "lang", "collection"}
        assert row["id"].startswith(row["collection"])


def test_every_question_is_answered_in_another_language() -> None:
    passages, questions = _passages(), load_questions()
    assert len(questions) >= 14
    assert len({question.text for question in questions}) == len(questions)
    for question in questions:
        assert question.answers
        for answer in question.answers:
            assert passages[answer]["lang"] != question.lang


def test_the_demo_keeps_its_index_where_asked(run: Run) -> None:
    outcome = run("demo", "--model", "hash", "--into", "demo.index")
    assert outcome.code == 0
    assert "105 passages in 12 languages" in outcome.out
    assert "answers came first" in outcome.out
    assert "lfm2-colbert search demo.index" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 110
    with Retriever.open("demo.index") as retriever:
        assert len(retriever) == len(_passages())


def test_the_demo_answers_a_question_of_ones_own(run: Run, tmp_path: Path) -> None:
    outcome = run("demo", "--model", "hash", "-q", "[b]PIN vergessen")
    assert outcome.code == 0
    assert "bank-pin" in outcome.out
    assert "*PIN* *vergessen*" in outcome.out
    assert "[b]" in outcome.out
    assert "answers came first" not in outcome.out
    assert list(tmp_path.iterdir()) == []


def test_adapters_are_asked_where_they_are_installed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Adapter:
        def __init__(self, retriever: Retriever, *, score_key: str, **_: int) -> None:
            self.retriever, self.score_key = retriever, score_key

        def invoke(self, question: str) -> list[SimpleNamespace]:
            hit = self.retriever.search(question, 1)[0]
            return [SimpleNamespace(id=hit.id, metadata={self.score_key: 0.5})]

    def find(name: str) -> SimpleNamespace:
        if name.startswith("llama_index"):
            raise ModuleNotFoundError(name)
        return SimpleNamespace(LFM2ColBERTRetriever=Adapter)

    monkeypatch.setattr(frameworks, "import_module", find)
    lines = run("demo", "--model", "hash", "-q", "PIN vergessen").out.splitlines()
    assert "  LangChain   bank-pin (0.50)" in lines
    advice = "not installed; pip install . ./integrations/llama_index in the repository"
    assert f"  LlamaIndex  {advice}" in lines
