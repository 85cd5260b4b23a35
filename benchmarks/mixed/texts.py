"""Passages, questions, and mixtures of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """A passage: of a language, and of a source whose share among the answers is counted."""

    id: str
    text: str
    language: str
    source: str


@dataclass(frozen=True)
class Asked:
    """A question, the languages of it and of its answers, and the ids of these."""

    id: str
    text: str
    language: str
    answer_language: str
    answers: frozenset[str]


@dataclass(frozen=True)
class Mixture:
    """Passages of many languages, and questions to them."""

    passages: tuple[Text, ...]
    questions: tuple[Asked, ...]
