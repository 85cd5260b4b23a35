"""Backups whose checksums agree and whose content is hostile: refused, or restored and sound."""

from __future__ import annotations

import pytest

from .matrix import MARKS, chunks, in_proportion, wanted
from .play_backups import names

pytestmark = MARKS
NAMES = wanted("backup", names(in_proportion(500, least=50)))


@pytest.mark.parametrize("names", chunks(NAMES), ids=lambda names: names[0].split(":")[1])
def test_crafted_backups_are_refused_or_sound(play, names):
    play(names)
