"""What the handlers of requests work with: functions, none of which leads to an index."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .jobs import Jobs
from .metrics import Metrics
from .settings import Settings
from .writing.errands import Errand

if TYPE_CHECKING:
    from ..retriever.view import View
    from .access.gate import Gate
    from .access.keys import KeyFile
    from .admission import Admission
    from .audit.log import AuditLog
    from .part import Part
    from .rates import Rates


@dataclass(eq=False)
class State:
    """Whether the server takes requests.

    Attributes:
        is_warm: whether the first search has been answered.
        is_draining: whether it is about to stop.
        is_well: whether the last search that it asked itself was answered.
    """

    is_warm: bool = False
    is_draining: bool = False
    is_well: bool = True

    @property
    def is_ready(self) -> bool:
        """Whether a search would be accepted."""
        return self.is_warm and self.is_well and not self.is_draining


@dataclass(frozen=True, eq=False)
class Services:
    """What handlers work with.

    Attributes:
        settings: how the server is run.
        gate: tells who asks.
        keys: all keys.
        rates: counts requests of keys.
        searching: lets searches run.
        writing: lets blocks of passages through.
        pool: the threads of searches.
        names: gives the names of all indexes.
        has: tells whether there is an index of a name.
        lend: lends what somebody may see of an index, to be used within a thread of the pool.
        model: gives the name of an index's model.
        close: lets go of an index that will be removed.
        write: has an errand done by the process that writes.
        jobs: long work.
        metrics: what is counted.
        audit: what is written down; None where nothing is.
        state: whether requests are taken.
        call_tools: answers a request in MCP, about an index that its caller may see.
        document: the OpenAPI document.
    """

    settings: Settings
    gate: Gate
    keys: KeyFile
    rates: Rates
    searching: Admission
    writing: Admission
    pool: Executor
    names: Callable[[], list[str]]
    has: Callable[[str], bool]
    lend: Callable[[str, Part], AbstractContextManager[View]]
    model: Callable[[str], str]
    close: Callable[[str], None]
    write: Callable[[Errand], Awaitable[dict[str, Any]]]
    jobs: Jobs
    metrics: Metrics
    call_tools: Callable[[Any, str], Awaitable[Any]]
    audit: AuditLog | None = None
    state: State = field(default_factory=State)
    document: bytes = b"{}"
