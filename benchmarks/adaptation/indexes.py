"""The indexes of a set, and what each of its questions is worth there, with any model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lfm2_colbert_rag import Passage, QueryAdapter, Retriever, load_encoder
from lfm2_colbert_rag.encoder.query_adapter import FILE
from lfm2_colbert_rag.evaluation import Dataset, evaluate
from lfm2_colbert_rag.types import Mode

MEASURE = "nDCG@10"
MODES: tuple[Mode, ...] = ("late", "hybrid")

Values = Mapping[str, Mapping[str, float]]


class Indexed:
    """Passages under one model, which stay indexed.

    Args:
        passages: what is searched.
        model: the original model.
        path: of its index.
        modes: how it is searched.
    """

    def __init__(
        self, passages: Sequence[Passage], model: str, path: Path, modes: Sequence[Mode] = MODES
    ) -> None:
        self.passages, self._modes = passages, modes
        self._model, self._path = model, path
        self._known: dict[str, Values] = {}
        with self.opened() as retriever:
            if not len(retriever):
                retriever.add_stream(passages)

    def opened(self, adapter: QueryAdapter | None = None) -> Retriever:
        """Open the original model's index."""
        return Retriever.open(self._path, model=self._model, storage="exact", query_adapter=adapter)

    def before(self, datasets: Sequence[Dataset], name: str) -> Values:
        """Return the value of each query by mode with the original model, under a name kept."""
        if name not in self._known:
            with self.opened() as retriever:
                self._known[name] = self._asked(retriever, datasets)
        return self._known[name]

    def after(self, datasets: Sequence[Dataset], trained: Path) -> Values:
        """Return the same with what a training gave."""
        with self._trained(trained) as retriever:
            return self._asked(retriever, datasets)

    @contextmanager
    def _trained(self, folder: Path) -> Iterator[Retriever]:
        if not (folder / "config.json").exists():
            with self.opened(QueryAdapter.read(folder / FILE)) as retriever:
                yield retriever
            return
        with Retriever.from_texts([], model=load_encoder(folder), storage="exact") as retriever:
            retriever.add_stream(self.passages)
            yield retriever

    def _asked(self, retriever: Retriever, datasets: Sequence[Dataset]) -> Values:
        found: dict[str, dict[str, float]] = {mode: {} for mode in self._modes}
        for number, dataset in enumerate(datasets):
            got = evaluate(dataset, retriever, [MEASURE], modes=self._modes, worst=0)
            for mode in self._modes:
                values = got.result(mode).per_query[MEASURE]
                found[mode] |= {f"{number} {query}": value for query, value in values.items()}
        return found
