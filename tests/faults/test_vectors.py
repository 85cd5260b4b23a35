"""Vectors as no encoder should give them: refused by name, or answered with sense."""

from __future__ import annotations

import pytest

from .matrix import MARKS, chunks, in_proportion, wanted
from .play_vectors import names

pytestmark = MARKS
NAMES = wanted("vectors", names(in_proportion(200, least=30)))


@pytest.mark.parametrize("names", chunks(NAMES), ids=lambda names: names[0].split(":")[1])
def test_odd_vectors_are_refused_or_make_sense(play, names):
    play(names)
