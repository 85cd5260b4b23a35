"""Questions and documents to encode: made here from words, and the same for every contender."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

Count = Callable[[str], int]

# Topics of a help desk: a thing, what is done with it, what goes wrong, where.
_SUBJECTS = (
    "the invoice", "a returned parcel", "the boarding pass", "your spare key", "the heat pump",
    "an expired warranty", "the night train", "the shared calendar", "a second bank account",
    "the dishwasher", "the rental contract", "a lost password", "the vaccination card",
    "the solar inverter", "an annual subscription", "the library card", "the garden hose",
    "a corrected tax form", "the conference room", "the old laptop",
)  # fmt: skip
_VERBS = (
    "can be renewed", "must be reported", "is usually replaced", "should be cleaned",
    "was moved", "cannot be cancelled", "will be delivered", "has to be signed",
    "may be exchanged", "is checked twice", "gets refunded", "needs to be reset",
)  # fmt: skip
_CIRCUMSTANCES = (
    "within fourteen days", "at the counter on the second floor", "without any further charge",
    "after the firmware update", "before the end of the quarter", "by the person who ordered it",
    "unless the seal is broken", "through the mobile application", "during the winter months",
    "if the meter shows more than 240 units", "as soon as the form A-17 has arrived",
    "when nobody has answered for a week", "in the presence of a witness",
    "according to section 4.2 of the terms", "at temperatures below 5 °C",
)  # fmt: skip
_CONNECTORS = (
    "Please note that", "In most cases", "Since last spring,", "For safety reasons,",
    "As an exception,", "To save time,", "According to the staff,", "On public holidays,",
)  # fmt: skip
# The model is multilingual, and its tokenizer cuts other languages finer than English.
_OTHERS = (
    "Die Rückgabe ist innerhalb von vierzehn Tagen möglich, wenn die Verpackung unbeschädigt ist.",
    "Le technicien passera mardi matin entre huit heures et midi pour contrôler la chaudière.",
    "La tarjeta de biblioteca caduca al cabo de un año y puede renovarse por teléfono.",
    "返品は商品の到着から十四日以内にお申し込みください。",
    "يمكن تجديد الاشتراك السنوي عبر التطبيق قبل نهاية الشهر.",
    "계약을 해지하려면 매월 말일 전에 서면으로 알려 주십시오.",
)
_QUESTIONS = (
    "What happens when {s} {v} {c}?", "Who decides whether {s} {v}?", "How do I know if {s} {v}?",
    "Why is it that {s} {v} {c}?", "{s} {v} – is that free?", "where do I ask about {s}",
)  # fmt: skip


@dataclass(frozen=True)
class Texts:
    """What every contender encodes.

    Attributes:
        warm_up: questions asked before any clock runs, the first of them the first question.
        queries: questions, each different from all others.
        bulk_queries: questions asked in one call; each different from all others.
        documents: passages of mixed lengths.
        tokens: positions of all documents together, as the model sees them and without padding.
        lengths: shortest, median and longest document in positions.
    """

    warm_up: list[str]
    queries: list[str]
    bulk_queries: list[str]
    documents: list[str]
    tokens: int
    lengths: tuple[int, int, int]


def make_texts(count: Count, queries: int, bulk: int, documents: int, seed: int = 7) -> Texts:
    """Make texts.

    Args:
        count: positions of a document as the model sees it.
        queries: number of questions asked one at a time.
        bulk: number of questions asked in one call.
        documents: number of documents, of 60 to 300 positions.
        seed: of the choice of words.
    """
    words = random.Random(seed)
    questions: dict[str, None] = {}
    while len(questions) < 3 + queries + bulk:
        questions.setdefault(f"{_question(words)} ({len(questions)})" if bulk else _question(words))
    asked = list(questions)
    # Many short passages and few long ones, as chunks of real documents are.
    targets = [60 + int(240 * words.betavariate(1.3, 2.2)) for _ in range(documents)]
    passages = [_passage(words, target, count) for target in targets]
    lengths = sorted(count(passage) for passage in passages)
    return Texts(
        warm_up=asked[:3],
        queries=asked[3 : 3 + queries],
        bulk_queries=asked[3 + queries :],
        documents=passages,
        tokens=sum(lengths),
        lengths=(lengths[0], lengths[len(lengths) // 2], lengths[-1]),
    )


def _question(words: random.Random) -> str:
    parts = {
        "s": words.choice(_SUBJECTS), "v": words.choice(_VERBS), "c": words.choice(_CIRCUMSTANCES)
    }  # fmt: skip
    return words.choice(_QUESTIONS).format(**parts)


def _passage(words: random.Random, target: int, count: Count) -> str:
    """Join sentences until the passage has about ``target`` positions, whole words only."""
    sentences: list[str] = []
    while count(" ".join(sentences)) < target:
        sentences.append(_sentence(words))
    parts = " ".join(sentences).split(" ")
    while len(parts) > 1 and count(" ".join(parts)) > target:
        parts.pop()
    return " ".join(parts)


def _sentence(words: random.Random) -> str:
    if words.random() < 0.15:
        return words.choice(_OTHERS)
    parts = [
        words.choice(_CONNECTORS), words.choice(_SUBJECTS), words.choice(_VERBS),
        words.choice(_CIRCUMSTANCES),
    ]  # fmt: skip
    if words.random() < 0.5:
        parts += ["and", words.choice(_SUBJECTS), words.choice(_VERBS)]
    return " ".join(parts) + "."
