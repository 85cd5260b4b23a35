"""Posting lists: what texts become, and the bytes that lists become."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.errors import IndexCorruptError
from lfm2_colbert_rag.index.lexical.analyser import analyse
from lfm2_colbert_rag.index.lexical.blocks import BLOCK_BYTES, Block, Ends, pack, unpack
from lfm2_colbert_rag.index.lexical.inversion import in_parts, invert_texts
from lfm2_colbert_rag.index.lexical.postings import LENGTHS, Postings

texts = st.text(max_size=40) | st.lists(
    st.sampled_from(
        [
            "Häuser",
            "boundary-layer",
            "boundary",
            "layer",
            "10000",
            "10 000",
            "東京",
            "RT-AX88U",
            "—",
            "word,",
            "\u200d",
        ]
    )
).map(" ".join)


@given(st.lists(texts, max_size=8), st.integers(0, 3))
def test_lists_hold_the_terms_that_the_analyser_gives(several, first):
    postings = invert_texts(several, first)
    bags = [Counter(analyse(text)) for text in several]
    found = {
        term: dict(zip(rows.tolist(), counts.tolist(), strict=True))
        for term, rows, counts in postings
    }
    assert list(postings.terms) == sorted(found)
    assert found.pop(LENGTHS) == {place: bag.total() for place, bag in enumerate(bags, first)}
    assert found == {
        term: {place: bag[term] for place, bag in enumerate(bags, first) if term in bag}
        for bag in bags
        for term in bag
    }


@given(st.lists(st.lists(texts, min_size=1, max_size=3), min_size=1, max_size=4))
def test_lists_written_and_put_together_are_those_of_all_texts(parts):
    whole = invert_texts([text for part in parts for text in part])
    firsts = np.cumsum([0, *map(len, parts)]).tolist()
    pieces = [invert_texts(part, first) for part, first in zip(parts, firsts, strict=False)]
    for found in (
        Postings.joined(pieces),
        Postings.joined([Postings.from_bytes(piece.to_bytes()) for piece in pieces]),
    ):
        assert list(found.terms) == list(whole.terms)
        np.testing.assert_array_equal(found.starts, whole.starts)
        np.testing.assert_array_equal(found.rows, whole.rows)
        np.testing.assert_array_equal(found.counts, whole.counts)


@pytest.mark.parametrize("cut", [slice(0), slice(40), slice(0, -1), slice(1, None)])
def test_damaged_lists_are_refused(cut):
    with pytest.raises(IndexCorruptError, match="damaged"):
        Postings.from_bytes(invert_texts(["red fox"]).to_bytes()[cut])


def test_parts_hold_the_places_of_all_texts():
    many = [f"word{number}" for number in range(2500)]
    parts = in_parts(many)
    places = np.concatenate([r for part in parts for t, r, _ in part if t == LENGTHS])
    np.testing.assert_array_equal(places, np.arange(2500))


entries = st.dictionaries(st.integers(1, 1 << 40), st.integers(0, 1 << 34), min_size=1, max_size=40)


def arrays(held: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(sorted(held)), np.array([held[row] for row in sorted(held)])


@given(st.lists(st.tuples(entries, st.lists(st.integers(0, 40), max_size=4)), max_size=4))
def test_lists_come_back_however_they_were_extended(lists):
    """Each list is cut into pieces; the first pieces of all are written together, and so on."""
    whole = [arrays(held) for held, _ in lists]
    cuts = [sorted({0, len(held), *(cut % len(held) for cut in some)}) for held, some in lists]
    blocks: list[Block | None] = [None] * len(lists)
    for turn in range(max(map(len, cuts), default=1) - 1):
        chosen = [n for n, cut in enumerate(cuts) if turn + 1 < len(cut)]
        pieces = [[part[slice(*cuts[n][turn : turn + 2])] for part in whole[n]] for n in chosen]
        ends = Ends(len(chosen))
        for place, n in enumerate(chosen):
            ends.firsts[place], ends.lasts[place], ends.entries[place] = blocks[n] or (0, 0, b"")
        ends.extend(
            np.cumsum([0, *(len(rows) for rows, _ in pieces)]),
            np.concatenate([rows for rows, _ in pieces]),
            np.concatenate([counts for _, counts in pieces]),
        )
        for place, n in enumerate(chosen):
            blocks[n] = Block(ends.firsts[place], ends.lasts[place], ends.entries[place])
    for block, (rows, counts) in zip(blocks, whole, strict=True):
        assert (block.first, block.last) == (rows[0], rows[-1])
        np.testing.assert_array_equal(unpack([block]), (rows, counts))


@given(st.lists(entries, min_size=1, max_size=4))
def test_blocks_of_one_list_are_read_one_after_the_other(parts):
    blocks, lists, above = [], [], 0
    for held in parts:
        rows, counts = arrays(held)
        rows += above
        above = int(rows[-1])
        blocks += pack(rows, counts)
        lists.append((rows, counts))
    rows, counts = unpack(blocks)
    np.testing.assert_array_equal(rows, np.concatenate([rows for rows, _ in lists]))
    np.testing.assert_array_equal(counts, np.concatenate([counts for _, counts in lists]))


def test_long_lists_become_several_blocks():
    rows = np.arange(1, 5000)
    blocks = pack(rows, np.ones_like(rows))
    assert len(blocks) > 5
    assert all(len(block.entries) <= BLOCK_BYTES + 1 for block in blocks)
    np.testing.assert_array_equal(unpack(blocks)[0], rows)


@pytest.mark.parametrize(
    "block",
    [b"", b"\x00", b"\x11\x00", b"\x11", b"\x3f\x01\x01", b"\x11\x00\x01\x05", b"\x11\x01\x01"],
)
def test_damaged_blocks_are_refused(block):
    with pytest.raises(IndexCorruptError, match="damaged"):
        unpack([Block(1, 1, block)])
