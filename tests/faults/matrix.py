"""All damages that there are, and which of them are played."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from . import damages
from .folders import ADAPTER, CODEBOOK, SEGMENT
from .kinds import CODEBOOK_ARRAYS, KINDS, Kind

CATALOG = "catalog.sqlite"
LOCKS = ("writer.lock", "writer.json", "optimizer.lock", "migration.lock")
PLANTED = (f"{CATALOG}-wal", f"{CATALOG}-shm", f"{CATALOG}-journal", f"{SEGMENT}stray.npy", "stray")
FOLDERS = ("segments", SEGMENT, "staging")
CODEBOOK_FOLDERS = ("codebooks", CODEBOOK)
ADAPTERS = "adapters"
# A catalog has more to damage than any other file.
_SEEDS = {"array": 3, CATALOG: 40, "other": 2}

FULL_ENVIRONMENT = "LFM2_COLBERT_FAULTS"
ONE_ENVIRONMENT = "LFM2_COLBERT_FAULT"
JSON_ENVIRONMENT = "LFM2_COLBERT_FAULTS_JSON"
DAMAGES = int(os.environ.get(FULL_ENVIRONMENT, "100"))
CHUNK = 25  # cases in a test
# What the files of tests are marked with.
MARKS = [
    pytest.mark.long,
    pytest.mark.subprocess,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are watched as Linux shows them"),
]


@dataclass(frozen=True)
class Damage:
    """One damage of one file.

    Attributes:
        kind: of the index.
        role: what the file is for, see :func:`.folders.find`.
        way: how it is damaged.
        seed: decides where.
    """

    kind: str
    role: str
    way: str
    seed: int

    @property
    def name(self) -> str:
        """What the case is called; :meth:`parse` reads it."""
        return f"damage:{self.kind}:{self.role}:{self.way}:{self.seed}"

    @classmethod
    def parse(cls, name: str) -> Damage:
        """Return the damage of a name."""
        _, kind, role, way, seed = name.split(":")
        return cls(kind, role, way, int(seed))

    @property
    def apply(self) -> damages.Way:
        """The function that does it."""
        return ways(self.role)[self.way]


def ways(role: str) -> dict[str, damages.Way]:
    """Return how a file or a folder may be damaged."""
    if role in PLANTED:
        return damages.PLANTED
    if role in (*FOLDERS, *CODEBOOK_FOLDERS, ADAPTERS):
        return damages.ANYTHING | damages.FOLDER
    anything = damages.ANYTHING | damages.CONTENT
    if role.endswith(".npy"):
        anything |= damages.ARRAY
    return anything | damages.SIBLING if role.startswith(SEGMENT) else anything


def roles(kind: Kind) -> list[str]:
    """Return all files and folders of a kind of index, and what may lie among them."""
    found = [CATALOG, *LOCKS, *PLANTED, *FOLDERS]
    found += [f"{SEGMENT}{name}.npy" for name in kind.arrays]
    if kind.compressed:
        found += [*CODEBOOK_FOLDERS, *(f"{CODEBOOK}{name}.npy" for name in CODEBOOK_ARRAYS)]
    return [*found, ADAPTERS, ADAPTER] if kind.adapted else found


def choose(number: int = DAMAGES) -> list[Damage]:
    """Choose so many damages, the same every time: all roles and all ways as evenly as it goes."""
    waiting: dict[str, list[Damage]] = defaultdict(list)
    for damage in _all():
        waiting[_share(damage)].append(damage)
    chance = random.Random(1)
    for group in waiting.values():
        chance.shuffle(group)
    chosen: list[Damage] = []
    seen: Counter[str] = Counter()
    while len(chosen) < number and any(waiting.values()):
        for group in filter(None, waiting.values()):
            damage = min(group, key=lambda one: 2 * seen[one.way] + seen[one.kind])
            group.remove(damage)
            seen.update((damage.way, damage.kind))
            chosen.append(damage)
    return chosen[:number]


def chunks(names: list[str]) -> list[list[str]]:
    """Cut names of cases into parts, each of one kind of index, so that few kinds are made."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_kind[name.split(":")[1]].append(name)
    starts = range(0, max(map(len, by_kind.values()), default=0), CHUNK)
    parts = [group[start : start + CHUNK] for start in starts for group in by_kind.values()]
    return [part for part in parts if part]


def in_proportion(full: int, least: int) -> int:
    """Return how many cases of another family are played, of so many at full length."""
    return max(least, DAMAGES * full // 1500)


def wanted(family: str, names: list[str]) -> list[str]:
    """Return the names to play: all of them, or the one that is to be played again."""
    one = os.environ.get(ONE_ENVIRONMENT)
    if one is None:
        return names
    return [one] if one.startswith(f"{family}:") else []


def _all() -> Iterator[Damage]:
    for kind in KINDS.values():
        for role in roles(kind):
            of = "array" if role.endswith(".npy") else role if role == CATALOG else "other"
            for way in ways(role):
                for seed in range(_SEEDS[of]):
                    yield Damage(kind.name, role, way, seed)


def _share(damage: Damage) -> str:
    """Return the group of a damage; all groups are chosen from alike."""
    part = f"#{damage.seed % 3}" if damage.role == CATALOG else ""
    return f"{damage.role}{part}"
