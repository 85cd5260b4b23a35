"""Plays damages: an index is copied, damaged, and lives on."""

from __future__ import annotations

import os
import random
import re
import tempfile
from collections.abc import Callable
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import errors

from . import play_backups, play_files, play_harness, play_vectors
from .child import NOBODY, become, run
from .damages import Scene
from .folders import Place, difference, find, fingerprint, holds_secret, open_to_all
from .kinds import KINDS, Kind
from .life import Answers, Life
from .matrix import CATALOG, FOLDERS, LOCKS, PLANTED, Damage
from .outcomes import Recorder

_ALTERED = (errors.IndexCorruptError, errors.IndexFormatError, errors.IndexNotFoundError)
_REFUSED = (errors.AccessDeniedError, errors.ReadOnlyError)
# Words that blame the content of a file.
_BLAMES_CONTENT = re.compile(r"corrupt|backup|altered|truncated|checksum", re.IGNORECASE)


class Nursery:
    """Undamaged indexes of every kind and what they answer, made when they are first needed.

    Args:
        root: a folder that everybody may look into.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._cases = 0
        self.answers = lru_cache(maxsize=None)(self._answers)
        self.made = lru_cache(maxsize=None)(self._made)
        self._warm = lru_cache(maxsize=None)(lambda: play_files.warm(root / "dumps"))
        self._models = lru_cache(maxsize=None)(lambda: play_files.Models(root))

    def new_place(self) -> Path:
        """Return where a case may be played."""
        self._cases += 1
        return self._root / f"case-{self._cases}"

    def _made(self, name: str, seed: int) -> Path:
        folder, kind = self._root / f"{name}-{seed}", KINDS[name]
        with kind.policy():
            kind.build(folder, seed)
        return folder

    def _answers(self, name: str) -> Answers:
        """Play the undamaged index in this process, which so loads all that it takes."""
        return replay(KINDS[name], self.made(name, 1), self.new_place())

    def play_backup(self, name: str) -> list[dict[str, Any]]:
        """Play a crafted backup, and return its outcomes."""
        return self._play_with(play_backups.play, name)

    def play_vectors(self, name: str) -> list[dict[str, Any]]:
        """Play odd vectors, and return the outcomes."""
        return self._play_with(play_vectors.play, name)

    def play_dump(self, name: str) -> list[dict[str, Any]]:
        """Play an odd dump, and return the outcomes."""
        self._warm()
        return self._play_with(play_files.play_dump, name, "exact")

    def play_harness(self, name: str) -> list[dict[str, Any]]:
        """Play what the harness itself must see."""
        expected, made = self.answers("exact"), {"exact": self.made("exact", 1)}

        def alone(root: Path, recorder: Recorder) -> None:
            play_harness.play(name, made.__getitem__, expected, root, recorder)

        return run(self.new_place(), alone, idle=0.7)

    def play_model(self, name: str) -> list[dict[str, Any]]:
        """Play an odd model folder, and return the outcomes."""
        models = self._models()
        return run(self.new_place(), lambda root, recorder: models.play(name, root, recorder))

    def _play_with(
        self, play: Callable[..., None], name: str, kind: str = ""
    ) -> list[dict[str, Any]]:
        kind = kind or name.split(":")[1]
        self.answers(kind)  # so that all is loaded that it takes
        made = {kind: self.made(kind, 1)}

        def alone(root: Path, recorder: Recorder) -> None:
            play(name, made.__getitem__, root, recorder)

        return run(self.new_place(), alone)

    def play_damage(self, name: str) -> list[dict[str, Any]]:
        """Play a damage, and return its outcomes."""
        damage = Damage.parse(name)
        kind = KINDS[damage.kind]
        pristine = self.made(kind.name, 1)
        twin = self.made(kind.name, 2) if damage.way == "twin" else pristine
        expected = self.answers(kind.name)

        def play(root: Path, recorder: Recorder) -> None:
            with kind.policy():
                _Case(damage, Place(root), pristine, twin).play(recorder, expected)

        return run(self.new_place(), play)


def replay(
    kind: Kind, pristine: Path, root: Path, writes: tuple[str, ...] = ("add", "delete", "optimize")
) -> Answers:
    """Return what an undamaged index answers."""
    root.mkdir(mode=0o755)
    place = Place(root)
    place.prepare(pristine)
    told = StringIO()
    with kind.policy():
        found = Life(kind, place, Recorder(told), writes=writes).play()
    failed = [line for line in told.getvalue().splitlines() if '"RAW"' in line or '"NAMED"' in line]
    assert not failed, failed
    return found


class _Case:
    def __init__(self, damage: Damage, place: Place, pristine: Path, twin: Path) -> None:
        self._damage = damage
        self._place = place
        self._pristine = pristine
        self._twin = twin

    def play(self, recorder: Recorder, expected: Answers) -> None:
        damage, place = self._damage, self._place
        kind = KINDS[damage.kind]
        place.prepare(self._pristine)
        self._damage_it()
        before = fingerprint(place.outside)
        if damage.way == "unreadable" and not os.geteuid():
            open_to_all(place.root, NOBODY)
            become(NOBODY)
        life = Life(
            kind,
            place,
            recorder.judging(self._judge),
            expected,
            replay=lru_cache(maxsize=None)(self._replay),
            blames=self._blames,
        )
        life.play()
        changed = difference(before, fingerprint(place.outside))
        if changed:
            recorder.fault("outside", "OUTSIDE", changed)
        if "link" in damage.way and (got := holds_secret(place.index, place.out)):
            recorder.fault("outside", "OUTSIDE", f"the secret got into {got}")

    def _replay(self, writes: tuple[str, ...]) -> Answers:
        """Play some writes on an undamaged index, in this process."""
        root = self._place.root / "-".join(("undamaged", *writes))
        return replay(KINDS[self._damage.kind], self._pristine, root, writes)

    def _damage_it(self) -> None:
        damage = self._damage
        path = find(self._place.index, damage.role, damage.seed)
        scene = Scene(
            random.Random(damage.name),
            find(self._twin, damage.role, damage.seed),
            find(self._place.index, damage.role, damage.seed + 1),
            self._place.outside,
        )
        if not path.exists() and damage.role not in PLANTED + LOCKS + FOLDERS:
            raise AssertionError(f"{path} is missing; adapt the matrix")
        if not path.exists() and damage.role in LOCKS:
            path.touch()
        damage.apply(path, scene)

    def _blames(self, text: str) -> str | None:
        """Say that a message blames the content of what merely may not be read."""
        wrong = self._damage.way == "unreadable" and _BLAMES_CONTENT.search(text)
        return "blames the content" if wrong else None

    def _judge(self, error: errors.LFM2ColBERTError) -> str | None:
        damage = self._damage
        if damage.way == "unreadable":
            if not isinstance(error, _REFUSED):
                return "not an error of rights"
            return self._blames(str(error))
        if damage.role in PLANTED + LOCKS + FOLDERS:
            return None if isinstance(error, errors.StoredIndexError) else "not about the index"
        allowed = _ALTERED + ((errors.IndexExistsError,) if damage.role == CATALOG else ())
        return None if isinstance(error, allowed) else "does not say that bytes are wrong"


def new_root() -> Path:
    """Make a folder that everybody may look into, in memory where there is such a place."""
    shared = Path("/dev/shm")
    parent = shared if os.access(shared, os.W_OK) else None
    root = Path(tempfile.mkdtemp(prefix="lfm2-faults-", dir=parent))
    root.chmod(0o755)
    return root
