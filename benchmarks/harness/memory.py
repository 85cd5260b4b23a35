"""The most memory that a process takes, and of which kind."""

from __future__ import annotations

import threading
import time

from .machine import memory_mb


class OwnMemory(threading.Thread):
    """Watches what this process holds for itself, and what together with mapped pages of files.

    The latter belong to the system's cache, which takes them back when it wants room.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = self.peak_all_mb = 0.0
        self.start()

    def run(self) -> None:
        """Look ten times a second."""
        while True:
            self.peak_mb = max(self.peak_mb, memory_mb("RssAnon"))
            self.peak_all_mb = max(self.peak_all_mb, memory_mb("VmRSS"))
            time.sleep(0.1)
