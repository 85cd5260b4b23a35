"""Every file of every kind of index, damaged in every way: right answers or errors that say so."""

from __future__ import annotations

import pytest

from .folders import ADAPTER, CODEBOOK, SEGMENT
from .kinds import CODEBOOK_ARRAYS, KINDS
from .matrix import MARKS, choose, chunks, roles, wanted, ways

pytestmark = MARKS
NAMES = wanted("damage", [damage.name for damage in choose()])


@pytest.mark.parametrize("names", chunks(NAMES), ids=lambda names: names[0].split(":")[1])
def test_damaged_files_are_named_or_do_no_harm(play, names):
    play(names)


def test_every_role_and_every_way_is_played():
    chosen = choose(150)
    every = {role for kind in KINDS.values() for role in roles(kind)}
    assert {damage.role for damage in chosen} == every
    assert {damage.way for damage in chosen} == {way for role in every for way in ways(role)}
    assert {damage.kind for damage in chosen} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_file_of_an_index_is_in_the_matrix(kind, tmp_path):
    with kind.policy():
        kind.build(tmp_path / "index", 1)
    found = {path.name for path in tmp_path.glob("index/segments/*/*")}
    assert found == {f"{name}.npy" for name in kind.arrays}
    found = {path.name for path in tmp_path.glob("index/codebooks/*/*")}
    assert found == ({f"{name}.npy" for name in CODEBOOK_ARRAYS} if kind.compressed else set())
    known = {role for role in roles(kind) if not role.startswith((SEGMENT, CODEBOOK, ADAPTER))}
    assert {path.name for path in tmp_path.glob("index/*")} <= known | {"codebooks"}
