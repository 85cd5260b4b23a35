"""Model folders that are not what they should be: refused, or encoders that make sense."""

from __future__ import annotations

import pytest

from .matrix import MARKS, chunks, in_proportion, wanted
from .play_files import model_names

pytestmark = MARKS
NAMES = wanted("model", model_names(in_proportion(150, least=8)))


@pytest.mark.parametrize("names", chunks(NAMES), ids=lambda names: names[0].split(":")[1])
def test_odd_models_are_refused_or_make_sense(play, names):
    play(names)
