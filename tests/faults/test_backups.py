"""Backups whose checksums agree and whose content is hostile: refused, or restored and sound."""

from __future__ import annotations

import os

import pytest

from .matrix import chunks, in_proportion, wanted
from .play_backups import names

pytestmark = [
    pytest.mark.long,
    pytest.mark.subprocess,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="cases are played in forked processes"),
]
NAMES = wanted("backup", names(in_proportion(500, least=50)))


@pytest.mark.parametrize("names", chunks(NAMES), ids=lambda names: names[0].split(":")[1])
def test_crafted_backups_are_refused_or_sound(play, names):
    play(names)
