"""Long questions: real ones with other sentences before, around or behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from lfm2_colbert_rag import Passage
from lfm2_colbert_rag.encoder import Encoder
from lfm2_colbert_rag.evaluation import Dataset
from lfm2_colbert_rag.retriever.ingest.windows import Borders

POLITE: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("small_talk.json").read_text(encoding="utf-8")
)
SHAPES = ("short talk before", "talk before", "talk behind", "own article around")
TOKENS = {"short talk before": 120}
USUAL = 400
HELD_OUT, LEAST = 8, 3  # an eighth of the articles is not indexed, but talked about
SHORTEST = 15  # characters of a sentence


@dataclass(frozen=True)
class Asked:
    """A judged question among passages.

    Attributes:
        text: the question.
        own: places of the passages that answer it.
    """

    text: str
    own: list[int]


class Talk:
    """Makes long questions of the questions of a dataset.

    Args:
        dataset: with titles of articles, or without.
        talked: the same in the language of the questions, whose passages are talked about.
        encoder: counts tokens.
        language: of the questions.
        passages: how many are kept.
        questions: how many are asked.

    Attributes:
        passages: what is indexed.
        titles: the article of each.
        asked: the questions.
    """

    def __init__(
        self,
        dataset: Dataset,
        talked: Dataset,
        encoder: Encoder,
        language: str,
        *,
        passages: int,
        questions: int,
    ) -> None:
        self._encoder, self._language = encoder, language
        self._chance = np.random.default_rng(7)
        corpus = {passage.id: passage for passage in dataset.corpus or ()}
        own = {query: max(grades, key=grades.get) for query, grades in dataset.qrels.items()}  # type: ignore[arg-type]
        articles = list(dict.fromkeys(map(_title, corpus.values())))
        self._chance.shuffle(articles)
        held_out = set(articles[: max(LEAST, len(articles) // HELD_OUT)])
        kept = [
            q for q in sorted(own) if own[q] in corpus and _title(corpus[own[q]]) not in held_out
        ]
        kept = [kept[place] for place in np.linspace(0, len(kept) - 1, questions).astype(int)]
        wanted = {own[query] for query in kept}
        rest = [
            id for id, one in corpus.items() if id not in wanted and _title(one) not in held_out
        ]
        self._chance.shuffle(rest)
        chosen = [*sorted(wanted), *rest[: max(0, passages - len(wanted))]]
        self.passages = [corpus[id] for id in chosen]
        self.titles = [_title(one) for one in self.passages]
        place = {id: number for number, id in enumerate(chosen)}
        self.asked = [Asked(dataset.queries[query], [place[own[query]]]) for query in kept]
        spoken = {one.id: one for one in talked.corpus or ()}
        self._others = self._sentences(
            [spoken[id] for id, one in corpus.items() if _title(one) in held_out][:40]
        )
        self._of_article = {
            title: [spoken[one.id] for one in self.passages if _title(one) == title]
            for title in set(self.titles)
        }

    def long(self, asked: Asked, shape: str) -> str:
        """Return a question within other sentences of its language.

        Args:
            asked: the question.
            shape: one of :data:`SHAPES`.
        """
        others = self._others
        if shape == "own article around":
            own = set(asked.own)
            near = self._of_article[self.titles[asked.own[0]]]
            mine = {self.passages[place].id for place in own}
            others = self._sentences([one for one in near if one.id not in mine]) or others
        talk = self._talk(others, TOKENS.get(shape, USUAL))
        half = len(talk) // 2
        places = {"talk behind": 0, "own article around": half}
        place = places.get(shape, len(talk))
        joiner = "" if self._language in ("zh", "ja", "th") else " "
        return joiner.join([*talk[:place], asked.text, *talk[place:]])

    def _talk(self, others: Sequence[str], tokens: int) -> list[str]:
        """Draw polite sentences, and as much of others, in no order."""
        talk: list[str] = []
        for pool in (POLITE[self._language], others):
            spoken = 0
            while spoken < tokens // 2:
                talk.append(pool[int(self._chance.integers(len(pool)))])
                spoken += len(self._encoder.token_spans(talk[-1:])[0])
        self._chance.shuffle(talk)
        return talk

    def _sentences(self, passages: Sequence[Passage]) -> list[str]:
        return [one for passage in passages for one in _cut(self._encoder, passage.text)]


def _cut(encoder: Encoder, text: str) -> Iterator[str]:
    edges = [0, *Borders(text, encoder.token_spans([text])[0]).sentences.tolist(), len(text)]
    for start, end in pairwise(edges):
        if len(piece := text[start:end].strip()) > SHORTEST:
            yield piece


def _title(passage: Passage) -> str:
    return str(passage.metadata.get("title") or passage.id)
