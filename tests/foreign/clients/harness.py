"""Runs one of the clients beside this file: does what its stdin says, and tells what came back.

``harness.py NAME`` imports the module ``NAME``, which has two functions. ``connect(url, key,
seconds)`` makes a client of whatever library it is about, with a time-out; ``ask(client, ...)``
asks it, and returns what is JSON. A line of stdin is one of

    {"connect": {"url": ..., "key": ..., "seconds": ...}}
    {"ask": {...}}
    {"together": 8, "ask": {...}}       as often, by threads of their own

and each is answered by a line: ``{"found": ...}``, or what the library raised. This file is run by
environments that have no package of this repository.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


def main() -> None:
    """Do what stdin says until it ends."""
    # What a library prints is no answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    elsewhere: list[str] = []
    sys.addaudithook(lambda event, arguments: _watch(event, arguments, elsewhere))
    module = importlib.import_module(sys.argv[1])
    client = None
    for line in sys.stdin:
        order = json.loads(line)
        if "connect" in order:
            client = module.connect(**order["connect"])
            answer: dict[str, Any] = {"connected": True}
        elif "together" in order:
            times = order["together"]
            with ThreadPoolExecutor(times) as threads:
                each = [threads.submit(_ask, module, client, order["ask"]) for _ in range(times)]
            answer = {"each": [one.result() for one in each]}
        else:
            answer = _ask(module, client, order["ask"])
        answers.write(json.dumps(answer | {"elsewhere": elsewhere}) + "\n")
        answers.flush()


def _ask(module: Any, client: Any, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"found": module.ask(client, **asked)}
    except Exception as error:  # what a library raises is what is asked for
        kinds = type(error).__mro__
        names = [f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in kinds]
        return {"error": names, "message": str(error), "causes": _causes(error)}


def _causes(error: BaseException) -> list[str]:
    """Name what an error came of, and those that a group of errors holds."""
    found: list[BaseException] = [error]
    for one in found:  # grows meanwhile
        within = [*getattr(one, "exceptions", ()), one.__cause__, one.__context__]
        found += [other for other in within if other is not None and other not in found]
    return [type(one).__name__ for one in found]


def _watch(event: str, arguments: tuple[Any, ...], elsewhere: list[str]) -> None:
    """Note whoever is looked up or called that is not on this machine."""
    if event == "socket.getaddrinfo":
        place = arguments[0]
    elif event == "socket.connect":
        place = arguments[1]
    else:
        return
    host = place[0] if isinstance(place, tuple) else place
    host = host.decode() if isinstance(host, bytes) else host
    is_file = event == "socket.connect" and not isinstance(place, tuple)
    if host is not None and not is_file and not str(host).startswith(_LOOPBACK):
        elsewhere.append(str(host))


if __name__ == "__main__":
    main()
