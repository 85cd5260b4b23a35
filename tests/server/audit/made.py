"""Records and logs for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lfm2_colbert_rag.server.audit.log import AuditLog
from lfm2_colbert_rag.server.audit.records import AuditRecord

NOW = 1_796_050_000.0  # 2026-11-30, 14:46 UTC
DAY = 86_400


def record(id: object = "r", **more: Any) -> AuditRecord:
    return AuditRecord(
        **{"ts": NOW, "request_id": str(id), "action": "search", "status": 200, **more}
    )


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def three_days(folder: Path) -> list[Path]:
    """Write a log of three files with four records each, and return the files."""
    clock = Clock()
    log = AuditLog(folder, what="all", clock=clock)
    for day in range(3):
        clock.now = NOW + day * DAY
        for one in range(4):
            log.append(record(f"{day}-{one}", key_id="a2b3c4d5"), durable=one == 0)
    log.close()
    return sorted(folder.glob("*.jsonl"))
