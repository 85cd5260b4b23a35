"""What the measurements ran on, and whether anything else was running."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import inside
from .inside import memory_mb

__all__ = ["Busy", "commit", "describe", "load_average", "memory_mb", "versions"]

PACKAGES = ("lfm2-colbert-rag", "ir-measures", "bm25s", "numpy", "numba", "onnxruntime")
ROOT = Path(__file__).resolve().parents[2]
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


def versions() -> dict[str, str]:
    """Return the versions of this library and of what its figures may depend on."""
    return inside.versions(PACKAGES)


def commit(checkout: Path = ROOT) -> str | None:
    """Return the commit of a checkout, with a plus where the package differs; None without git."""
    try:
        said = [
            subprocess.run(
                ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in (
                ("rev-parse", "--short", "HEAD"),
                ("status", "--short", "lfm2_colbert_rag"),
            )
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    return said[0] + "+" * bool(said[1])


def _processor() -> dict[str, str]:
    """Read the first processor's entry; empty where the system has no such file."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return {}
    entry = file.read_text(encoding="utf-8").split("\n\n")[0]
    pairs = (line.partition(":") for line in entry.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


@dataclass(frozen=True)
class Busy:
    """Processor seconds spent by everything on the machine, and by our children, at some time."""

    seconds: float
    children: float
    at: float

    @classmethod
    def now(cls) -> Busy:
        """Read the counters; time stolen by other guests of the host counts."""
        times, file = os.times(), Path("/proc/stat")
        children = times.children_user + times.children_system
        if not file.exists():
            return cls(0.0, children, time.monotonic())
        user, nice, system, _idle, _wait, irq, soft, steal = (
            int(value) for value in file.read_text(encoding="utf-8").split("\n")[0].split()[1:9]
        )
        ticks = user + nice + system + irq + soft + steal
        return cls(ticks / os.sysconf("SC_CLK_TCK"), children, time.monotonic())

    def foreign(self, own: float | None = None) -> float:
        """Return how many cores others have kept busy since then.

        Args:
            own: processor seconds of our own meanwhile; None for those of children that ended.
        """
        now = Busy.now()
        own = now.children - self.children if own is None else own
        return round(max(0.0, now.seconds - self.seconds - own) / max(now.at - self.at, 1e-3), 2)


def load_average() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)
