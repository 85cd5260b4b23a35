"""What runs inside a child process, in an environment that may lack everything but Python.

A child is called with a job, a JSON file, and writes what it measured to the file that the job
names as ``out``. It finds this module by putting its folder at the end of ``sys.path``.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import traceback
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any


def memory_mb(name: str = "VmHWM") -> float:
    """Return a figure of this process's memory: VmHWM is the most, mapped files included."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would keep what the parent had before this program began
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith(name):
                return round(int(line.split()[1]) / 1024, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of the packages that are there."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def serve(work: Callable[[dict[str, Any]], dict[str, Any]], packages: Iterable[str]) -> None:
    """Do the job that the command line names, and end; what goes wrong is its result."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        result = work(job)
    except Exception as error:  # whatever a library raises is its result
        traceback.print_exc()
        result = {"error": _first_lines(error)}
    text = json.dumps(result | {"versions": versions(packages)})
    Path(job["out"]).write_text(text, encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    # Some libraries' threads outlive main.
    os._exit(0)


def serve_turns(
    open_: Callable[[dict[str, Any]], Callable[[dict[str, Any]], dict[str, Any]]],
    packages: Iterable[str],
) -> None:
    """Open what the job names, then do one thing a line until there are no more lines.

    Answers go to the pipe that the job names as ``answers``: libraries print what they like.
    """
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with os.fdopen(job["answers"], "w", encoding="utf-8") as answers:

        def answer(do: Callable[[], dict[str, Any]]) -> None:
            try:
                result = do()
            except Exception as error:  # whatever a library raises is its result
                traceback.print_exc()
                result = {"error": _first_lines(error)}
            answers.write(json.dumps(result) + "\n")
            answers.flush()

        turns: list[Callable[[dict[str, Any]], dict[str, Any]]] = []

        def begin() -> dict[str, Any]:
            turns.append(open_(job))
            return {"versions": versions(packages)}

        answer(begin)
        for line in sys.stdin:
            answer(lambda line=line: turns[0](json.loads(line)))  # type: ignore[misc]
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # some libraries' threads outlive main


def _first_lines(error: BaseException) -> str:
    """Return the first line of an error, and of the one that it came from, without paths."""
    root = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__ or root
    said = [
        f"{type(one).__name__}: {(str(one).strip().splitlines() or [''])[0]}"
        for one in dict.fromkeys((error, root))
    ]
    text = " – from ".join(said).replace(sys.prefix, "")
    return re.sub(r" \(/[^)]*\)", "", text)[:400]
