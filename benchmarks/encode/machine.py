"""What the measurements ran on, and whether anything else was running."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def describe() -> dict[str, Any]:
    """Describe the processor, memory and system."""
    cpu = _processor()
    flags = set(cpu.get("flags", cpu.get("Features", "")).split())
    return {
        "cpu": cpu.get("model name", platform.processor() or platform.machine()),
        "family_model_stepping": "/".join(
            cpu.get(key, "?") for key in ("cpu family", "model", "stepping")
        ),
        "cores": os.cpu_count(),
        "flags": {flag: flag in flags for flag in _FLAGS},
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _processor() -> dict[str, str]:
    """Read the first processor's entry; empty where the system has no such file."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return {}
    entry = file.read_text().split("\n\n")[0]
    pairs = (line.partition(":") for line in entry.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


@dataclass(frozen=True)
class Busy:
    """Processor seconds spent by everything on the machine, and when they were read."""

    seconds: float
    at: float

    @classmethod
    def now(cls) -> Busy:
        """Read the counters; time stolen by other guests of the host counts."""
        file = Path("/proc/stat")
        if not file.exists():
            return cls(0.0, time.monotonic())
        user, nice, system, _idle, _wait, irq, soft, steal = (
            int(value) for value in file.read_text().split("\n")[0].split()[1:9]
        )
        ticks = user + nice + system + irq + soft + steal
        return cls(ticks / os.sysconf("SC_CLK_TCK"), time.monotonic())

    def foreign(self, before: Busy, own: float) -> float:
        """Return how many cores others kept busy since ``before``.

        Args:
            before: an earlier reading.
            own: processor seconds of our own in between.
        """
        wall = max(self.at - before.at, 1e-3)
        return round(max(0.0, self.seconds - before.seconds - own) / wall, 2)


def foreign_cores(seconds: float) -> float:
    """Watch for a while how many cores are busy while we do nothing."""
    before = Busy.now()
    time.sleep(seconds)
    return Busy.now().foreign(before, 0.0)


def load_average() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)
