"""A warm process that plays cases: names come in, outcomes go out, a line each.

It has one thread, so that forking it is safe, and has loaded all that cases need.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import sys
import warnings


def _seconds_of_children() -> float:
    """Return how long all cases have computed; how long they took is the machine's business."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Play cases until nobody asks for more."""
    # numpy warns of NaN, and commits log what could not be merged: both are seen in the answers.
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    from .play_damages import Nursery, new_root

    root = new_root()
    nursery = Nursery(root)
    families = {
        "damage": nursery.play_damage,
        "backup": nursery.play_backup,
        "vectors": nursery.play_vectors,
        "dump": nursery.play_dump,
        "model": nursery.play_model,
        "harness": nursery.play_harness,
    }
    try:
        for line in sys.stdin:
            name = line.rstrip("\n")
            start = _seconds_of_children()
            outcomes = families[name.partition(":")[0]](name)
            answer = {"case": name, "seconds": _seconds_of_children() - start, "outcomes": outcomes}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    os.umask(0o022)
    main()
