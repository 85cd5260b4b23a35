"""Dumps that are not what they should be: refused, or imported into a sound index."""

from __future__ import annotations

import pytest

from .matrix import MARKS, chunks, in_proportion, wanted
from .play_files import dump_names

pytestmark = MARKS
NAMES = wanted("dump", dump_names(in_proportion(300, least=30)))


@pytest.mark.parametrize("names", chunks(NAMES), ids=lambda names: names[0].split(":")[1])
def test_odd_dumps_are_refused_or_sound(play, names):
    play(names)
