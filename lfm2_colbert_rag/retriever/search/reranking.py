"""Somebody else's texts as windows: read from the index, kept from before, or encoded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..._support.token_vectors import check_window
from ...encoder.documents import ENCODED, EncodedTexts, Windows
from ...errors import TooManyTokensError
from ..ingest.passage_encoder import PassageEncoder

if TYPE_CHECKING:
    from ...encoder import Encoder
    from ...storage.home import Snapshot
    from ...storage.readable import ReadableStore
    from ...types import Passage, Window


@dataclass(frozen=True, eq=False)
class CandidateWindows:
    """Gives the windows of somebody else's texts.

    A text that the index holds is not encoded again, if its vectors lie there as the model gave
    them; nor is one that the same party had reranked shortly before.

    Attributes:
        store: the index, or a part of it.
        party: with whom kept vectors are shared; None for all who do not say.
        kept: what was encoded before.
    """

    store: ReadableStore
    party: str | None
    kept: EncodedTexts = ENCODED

    def of(
        self,
        snapshot: Snapshot,
        encoder: Encoder,
        candidates: Sequence[Passage],
        most_tokens: int | None,
    ) -> list[tuple[int, Window]]:
        """Return the place of a candidate and one of its windows, for all of them, in order.

        Args:
            snapshot: the generation that is asked.
            encoder: its model.
            candidates: none of them blank.
            most_tokens: that may be encoded; None for any number.

        Raises:
            TooManyTokensError: there are more of them in texts that must be encoded.
            ModelError: the encoder gave vectors that cannot be compared.
        """
        texts = list(dict.fromkeys(one.text for one in candidates))
        known = self._stored(snapshot, texts)
        shelf = self._shelf(snapshot)
        known |= self.kept.find(shelf, [text for text in texts if text not in known])
        unknown = [text for text in texts if text not in known]
        _require_few(encoder, unknown, most_tokens)
        encoded = self._encoded(snapshot, encoder, unknown, candidates)
        self.kept.keep(shelf, encoded)
        known |= encoded
        return [
            (place, window) for place, one in enumerate(candidates) for window in known[one.text]
        ]

    def _stored(self, snapshot: Snapshot, texts: Sequence[str]) -> dict[str, Windows]:
        """Return the windows of texts that the index holds."""
        if snapshot.settings.pool_factor > 1 or not snapshot.segments.passages:
            return {}
        found: dict[str, Windows] = {}
        for text, row in self.store.catalog.rows_by_text(texts, snapshot.generation):
            if text not in found:
                found[text] = tuple(snapshot.segments.windows(row))
        return found

    def _shelf(self, snapshot: Snapshot) -> str:
        settings = snapshot.settings
        whose = [self.party, dict(settings.fingerprint), settings.window_overlap]
        return json.dumps(whose, sort_keys=True)

    @staticmethod
    def _encoded(
        snapshot: Snapshot, encoder: Encoder, texts: Sequence[str], candidates: Iterable[Passage]
    ) -> dict[str, Windows]:
        found: dict[str, list[Window]] = {text: [] for text in texts}
        for place, window in PassageEncoder(
            encoder, overlap=snapshot.settings.window_overlap
        ).encode(texts):
            if len(window.encoded):
                owner = next(one for one in candidates if one.text == texts[place])
                check_window(window, snapshot.settings.dim, owner)
            found[texts[place]].append(window)
        return {text: tuple(windows) for text, windows in found.items()}


def _require_few(encoder: Encoder, texts: Sequence[str], most: int | None) -> None:
    if most is None or not texts:
        return
    tokens = sum(map(len, encoder.token_spans(texts)))
    if tokens > most:
        raise TooManyTokensError(
            f"the texts that are to be reranked have {tokens:,} tokens that must be encoded, and "
            f"{most:,} are allowed; send fewer or shorter ones."
        )
