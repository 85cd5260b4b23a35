"""What every benchmark shares: its command, its result file, the machine, clocks and children.

A result file has one layout, whatever was measured: ``runs`` say when, on which machine and with
which versions, and ``cases`` hold the figures, each with the number of its run
(:class:`.results.Results`). A benchmark writes the file after every case, and one that was stopped
goes on where it was.
"""

from .command import RESULTS, command
from .machine import Busy, memory_mb
from .results import Results, say
from .timing import Clock, in_turn, percentiles

__all__ = [
    "RESULTS",
    "Busy",
    "Clock",
    "Results",
    "command",
    "in_turn",
    "memory_mb",
    "percentiles",
    "say",
]
