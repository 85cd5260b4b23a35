"""Model folders that are not what they should be: refused, or encoders that make sense."""

from __future__ import annotations

import os

import pytest

from .matrix import chunks, in_proportion, wanted
from .play_files import model_names

pytestmark = [
    pytest.mark.long,
    pytest.mark.subprocess,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="cases are played in forked processes"),
]
NAMES = wanted("model", model_names(in_proportion(150, least=15)))


@pytest.mark.parametrize("names", chunks(NAMES), ids=lambda names: names[0].split(":")[1])
def test_odd_models_are_refused_or_make_sense(play, names):
    play(names)
