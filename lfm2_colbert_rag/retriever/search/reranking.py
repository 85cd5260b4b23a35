"""Somebody else's texts as windows: read from the index, kept from before, or encoded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..._support.token_vectors import check_window
from ...encoder.documents import ENCODED, EncodedTexts, Windows
from ...errors import TooManyTokensError
from ...storage.row_languages import is_mixed
from ..ingest.languages import tell_languages
from ..ingest.passage_encoder import PassageEncoder
from .mixed_languages import MIXED

if TYPE_CHECKING:
    from ...encoder import Encoder
    from ...storage.home import Snapshot
    from ...storage.readable import ReadableStore
    from ...storage.settings import IndexSettings
    from ...types import Passage, Window


@dataclass(frozen=True, eq=False)
class Candidates:
    """Somebody else's texts, ready to be compared.

    Attributes:
        windows: the place of a candidate and one of its windows, in order.
        rows: of the texts that the index holds.
    """

    windows: list[tuple[int, Window]]
    rows: Mapping[str, int]


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
    ) -> Candidates:
        """Return the windows of all candidates.

        Args:
            snapshot: the generation that is asked.
            encoder: its model.
            candidates: none of them blank.
            most_tokens: that may be encoded; None for any number.

        Raises:
            TooManyTokensError: there are more of them in texts that must be encoded.
            ModelError: the encoder gave vectors that cannot be compared.
        """
        rows = self._rows(snapshot, list(dict.fromkeys(one.text for one in candidates)))
        stored = snapshot.segments.windows_of(rows.values())
        known: dict[str, Windows] = {text: stored[row] for text, row in rows.items()}
        found = encoded_windows(
            self.kept, self.party, snapshot.settings, encoder, candidates, most_tokens, known
        )
        return Candidates(found, rows)

    def are_mixed(self, candidates: Sequence[Passage], rows: Mapping[str, int]) -> bool:
        """Tell whether candidates are in several languages.

        Args:
            candidates: the candidates.
            rows: of those that the index holds, which knows their languages.
        """
        held = np.unique([rows[one.text] for one in candidates if one.text in rows])
        counts = Counter(self.store.catalog.languages().counts(held.astype(np.int64)))
        counts.update(tell_languages(one.text for one in candidates if one.text not in rows))
        return is_mixed(counts, MIXED)

    def _rows(self, snapshot: Snapshot, texts: Sequence[str]) -> dict[str, int]:
        """Return the rows of texts that the index holds, as vectors that can be compared."""
        if snapshot.settings.pool_factor > 1 or not snapshot.segments.passages:
            return {}
        found = self.store.catalog.rows_by_text(texts, snapshot.generation)
        return dict(reversed(found))  # of several rows of a text, the first


def encoded_windows(
    kept: EncodedTexts,
    party: str | None,
    settings: IndexSettings,
    encoder: Encoder,
    candidates: Sequence[Passage],
    most_tokens: int | None,
    stored: Mapping[str, Windows] | None = None,
) -> list[tuple[int, Window]]:
    """Return the windows of texts, encoded as far as they are not known.

    Args:
        kept: what was encoded before, and from now on this, too.
        party: with whom it is shared; None for all who do not say.
        settings: of the index that is asked.
        encoder: its model.
        candidates: none of them blank.
        most_tokens: that may be encoded; None for any number.
        stored: windows by text that are known otherwise.

    Returns:
        The place of a candidate and one of its windows, in order.

    Raises:
        TooManyTokensError: there are more tokens in texts that must be encoded.
        ModelError: the encoder gave vectors that cannot be compared.
    """
    texts = list(dict.fromkeys(one.text for one in candidates))
    known: dict[str, Windows] = dict(stored or {})
    shelf = _shelf(settings, party)
    known |= kept.find(shelf, [text for text in texts if text not in known])
    unknown = [text for text in texts if text not in known]
    _require_few(encoder, unknown, most_tokens)
    encoded = _encoded(settings, encoder, unknown, candidates)
    kept.keep(shelf, encoded)
    known |= encoded
    return [(place, window) for place, one in enumerate(candidates) for window in known[one.text]]


def _shelf(settings: IndexSettings, party: str | None) -> str:
    whose = [party, dict(settings.fingerprint), settings.window_overlap]
    return json.dumps(whose, sort_keys=True)


def _encoded(
    settings: IndexSettings,
    encoder: Encoder,
    texts: Sequence[str],
    candidates: Iterable[Passage],
) -> dict[str, Windows]:
    found: dict[str, list[Window]] = {text: [] for text in texts}
    for place, window in PassageEncoder(encoder, overlap=settings.window_overlap).encode(texts):
        if len(window.encoded):
            owner = next(one for one in candidates if one.text == texts[place])
            check_window(window, settings.dim, owner)
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
