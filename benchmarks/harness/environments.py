"""Virtual environments of contenders: made on demand, and weighed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .results import say

REPOSITORY = "."  # stands for this repository in the requirements of an environment
_ROOT = Path(__file__).resolve().parents[2]


class EnvironmentFailedError(Exception):
    """An environment could not be made; the message is pip's own."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment, made by pip in steps.

    Attributes:
        name: of its folder.
        steps: arguments of ``pip install``, one call each; ``torch`` is installed before.
        torch: whether torch is installed, pinned.
        remove: packages to uninstall at the end.
        note: what differs from a plain installation, and why.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]
    torch: bool = True
    remove: tuple[str, ...] = ()
    note: str = ""


OURS = Environment("ours", ((REPOSITORY,),), torch=False)


@dataclass(frozen=True)
class Interpreter:
    """A Python that has a contender's library.

    Attributes:
        python: path of the executable.
        size_mb: of all that is installed beside it, without pip; None for one that was given.
    """

    python: Path
    size_mb: float | None = None


def interpreters(
    wanted: Iterable[Environment], folder: Path, torch: str, given: Sequence[str] = ()
) -> dict[str, Interpreter | str]:
    """Return the Python of each environment, or why there is none, by its name.

    Args:
        wanted: made if need be.
        folder: of all environments.
        torch: requirement of torch.
        given: ``ENVIRONMENT=PATH`` of the command line: interpreters that need not be made.
    """
    found: dict[str, Interpreter | str] = {
        name: Interpreter(Path(path)) for name, _, path in (one.partition("=") for one in given)
    }
    folder.mkdir(parents=True, exist_ok=True)
    for environment in wanted:
        if environment.name not in found:
            say(f"environment {environment.name}")
            try:
                found[environment.name] = make(environment, folder, torch)
            except EnvironmentFailedError as error:
                found[environment.name] = str(error)
    return found


def make(environment: Environment, folder: Path, torch: str) -> Interpreter:
    """Make an environment, or bring the one that is there up to date.

    Args:
        environment: what to install.
        folder: of all environments.
        torch: requirement of torch.

    Raises:
        EnvironmentFailedError: pip refused.
    """
    home = folder / environment.name
    python = home / "bin" / "python"
    recipe = json.dumps([environment.steps, environment.remove, environment.torch and torch])
    stamp = home / "installed.json"
    if not stamp.exists() or stamp.read_text() != recipe:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        # torch is named in every step: no step may choose its version.
        pinned = (torch,) if environment.torch else ()
        for step in (*((pinned,) if pinned else ()), *environment.steps):
            with_torch = step if "--no-deps" in step else (*pinned, *step)
            _pip(python, "install", *(_located(part) for part in with_torch))
        if environment.remove:
            _pip(python, "uninstall", "--yes", *environment.remove)
        stamp.write_text(recipe)
    elif any(part.startswith(REPOSITORY) for step in environment.steps for part in step):
        _pip(python, "install", "--force-reinstall", "--no-deps", str(_ROOT))
    return Interpreter(python, _size_mb(home))


def _located(requirement: str) -> str:
    """Put this repository's path in place of the sign for it."""
    name, bracket, extras = requirement.partition("[")
    return f"{_ROOT}{bracket}{extras}" if name == REPOSITORY else requirement


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise EnvironmentFailedError((errors or done.stderr.splitlines() or ["pip failed"])[0])


def _size_mb(home: Path) -> float:
    """Add up the disk space of site-packages, each file once, without pip itself."""
    total, seen = 0, set()
    for packages in home.glob("lib/python*/site-packages"):
        for file in packages.rglob("*"):
            top = file.relative_to(packages).parts[0]
            if top == "pip" or top.startswith("pip-"):
                continue
            stat = file.lstat()
            if stat.st_ino not in seen:
                seen.add(stat.st_ino)
                total += stat.st_blocks * 512
    return round(total / 2**20, 1)
