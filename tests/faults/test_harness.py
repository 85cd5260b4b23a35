"""Does the harness see what it is there to see?"""

from __future__ import annotations

import pytest

from .matrix import MARKS
from .play_harness import PLAYED, SPOILT

pytestmark = MARKS


@pytest.mark.parametrize("what", [*PLAYED, *SPOILT])
def test_what_happens_is_told(nursery, what):
    [result] = nursery.play([f"harness:exact:{what}:0"])
    told = {one["outcome"] for one in result["outcomes"]}
    expected = what.partition(",")[0]
    assert expected in told
    assert told <= {expected, "RIGHT"} | ({"NAMED", SPOILT[2]} if what in SPOILT[2:] else set())
