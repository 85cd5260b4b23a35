"""An evaluation asks through a query adapter, wherever it asks."""

from __future__ import annotations

import numpy as np

from lfm2_colbert_rag import QueryAdapter, Retriever
from lfm2_colbert_rag.encoder.query_adapter import weights_of
from lfm2_colbert_rag.evaluation import evaluate
from lfm2_colbert_rag.testing import HashEncoder
from tests.conftest import CORPUS


def test_hits_and_failures_are_those_of_the_adapter(dataset):
    encoder = HashEncoder()
    turned = np.eye(encoder.dim, dtype=np.float32)[::-1].copy()
    adapter = QueryAdapter(turned, weights_of(encoder), "always")
    with Retriever.from_texts(list(CORPUS.values()), ids=list(CORPUS), model=encoder) as index:
        found = evaluate(dataset, index, modes=["late"], query_adapter=adapter)
        asked = [dataset.queries[query] for query in sorted(dataset.qrels)]
        ranked = index.rank_many(asked, 10, mode="late", query_adapter=adapter)
        assert [list(hits) for _, hits in sorted(found.result().run.items())] == [
            [id for id, _ in hits] for hits in ranked
        ]
        assert found.result().run != evaluate(dataset, index, modes=["late"]).result().run
        worst = found.result().worst[0]
        hits = index.search(worst.text, 3, mode="late", query_adapter=adapter)
        assert [one.id for one in worst.found] == [hit.id for hit in hits]
