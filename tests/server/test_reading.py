"""Bodies as they come: in whatever parts, and as fast as they are taken."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.server import reading
from lfm2_colbert_rag.server.problems import Problem
from lfm2_colbert_rag.server.reading import Body, ClientGone, blocks_of_lines, chunks, read_body


def sender(parts, pause=0.0, whole=True):
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b""} if whole else {"type": "http.disconnect"})
    left = iter(messages)

    async def receive():
        await asyncio.sleep(pause)
        return next(left)

    return receive


async def blocks(receive, lines=3, most=50):
    return [block async for block in blocks_of_lines(receive, lines, most)]


@given(
    lines=st.lists(st.binary(max_size=20).filter(lambda one: b"\n" not in one), max_size=20),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    ends=st.booleans(),
)
def test_lines_are_whole_however_they_are_cut(lines, cuts, ends):
    sent = b"\n".join(lines) + b"\n" * (ends and bool(lines))
    places = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    parts = [sent[one:other] for one, other in itertools.pairwise(places)]
    found = asyncio.run(blocks(sender(parts)))
    numbered = [(first + place, line) for first, held in found for place, line in enumerate(held)]
    expected = [(number, line) for number, line in enumerate(lines, 1)]
    if not ends and lines and not lines[-1].strip():
        expected.pop()  # a blank line at the end is none
    assert numbered == expected
    assert all(len(held) <= 3 for _, held in found)


async def test_a_body_has_an_end_and_who_leaves_before_is_gone():
    assert await read_body(sender([b"ab", b"", b"c"]), 3) == b"abc"
    with pytest.raises(Problem) as told:
        await read_body(sender([b"ab", b"cd"]), 3)
    assert told.value.status == 413
    with pytest.raises(ClientGone):
        await read_body(sender([b"ab"], whole=False), 3)


async def test_who_sends_too_slowly_is_told_so_but_not_for_our_own_work(monkeypatch):
    monkeypatch.setattr(reading, "PATIENCE", 0.05)
    monkeypatch.setattr(reading, "SLOWEST", 1e6)
    async for _ in chunks(sender([b"a"] * 10)):
        await asyncio.sleep(0.02)  # a block is encoded
    with pytest.raises(Problem) as told:
        async for _ in chunks(sender([b"a"] * 10, pause=0.02)):
            pass
    assert told.value.status == 408
    with pytest.raises(Problem):
        await read_body(sender([b"a"], pause=1), 10)


async def skipped(receive, headers, most, seconds):
    body = Body(receive, headers)
    await body.skip(most, seconds)
    return body.is_whole


async def test_what_is_left_of_a_body_is_skipped_within_limits():
    sized = [(b"content-length", b"50")]
    assert await skipped(sender([b"a" * 10] * 5), sized, 100, 1)
    assert not await skipped(sender([b"a" * 10] * 5), sized, 20, 1)
    assert not await skipped(sender([b"a"] * 5, pause=1), sized, 100, 0.01)
    assert await skipped(sender([]), [], 0, 1)
    assert not await skipped(sender([b"a" * 5]), [*sized, (b"expect", b"100-continue")], 100, 1)
