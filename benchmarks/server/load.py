"""Clients in a process of their own: each asks when it was answered, or all at a given rate."""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing as mp
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Plan:
    """What to ask, and how.

    Attributes:
        port: of the server.
        key: for it.
        path: of the route.
        bodies: of requests, one after another; None asks by GET.
        seconds: for how long.
        clients: how many connections.
        rate: requests a second, whether or not those before were answered; None: each client asks
            when it was answered.
    """

    port: int
    key: str
    path: str
    bodies: Sequence[str] | None
    seconds: float
    clients: int = 1
    rate: float | None = None

    def request(self, place: int) -> bytes:
        """Return a request."""
        body = b"" if self.bodies is None else self.bodies[place % len(self.bodies)].encode()
        head = (
            f"{'GET' if self.bodies is None else 'POST'} {self.path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Authorization: Bearer {self.key}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        return "\r\n".join([*head, "", ""]).encode() + body


def bodies(queries: Sequence[str], k: int = 10) -> list[str]:
    """Return the bodies of searches."""
    return [json.dumps({"query": query, "k": k}) for query in queries]


def run(plan: Plan) -> list[tuple[float, float, int, bool]]:
    """Ask as planned; see :func:`begin`."""
    return begin(plan).get()


class Running:
    """Clients that are asking."""

    def __init__(self, plan: Plan) -> None:
        context = mp.get_context("spawn")
        self._results: Any = context.Queue()
        self._process = context.Process(target=_child, args=(plan, self._results))
        self._process.start()

    def get(self) -> list[tuple[float, float, int, bool]]:
        """Return of each request when it was sent, its seconds, status, and Retry-After or not."""
        found = self._results.get(timeout=24 * 3600)
        self._process.join()
        return found


def begin(plan: Plan) -> Running:
    """Let clients ask in a process of their own."""
    return Running(plan)


def _child(plan: Plan, results: Any) -> None:
    results.put(asyncio.run(_ask(plan)))


async def _ask(plan: Plan) -> list[tuple[float, float, int, bool]]:
    told: list[tuple[float, float, int, bool]] = []
    places, began = itertools.count(), time.perf_counter()
    end = began + plan.seconds
    idle: list[_Connection] = []

    async def one(place: int, due: float) -> None:
        connection = idle.pop() if idle else await _Connection.open(plan.port)
        status, waits, open_ = await connection.ask(plan.request(place))
        told.append((due - began, time.perf_counter() - due, status, waits))
        if open_:
            idle.append(connection)

    async def client() -> None:
        while (now := time.perf_counter()) < end:
            await one(next(places), now)

    if plan.rate is None:
        await asyncio.gather(*(client() for _ in range(plan.clients)))
        return told
    running = set()
    for place in range(int(plan.rate * plan.seconds)):
        due = began + place / plan.rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(place, due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return told


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> _Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> tuple[int, bool, bool]:
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        await self._reader.readexactly(length)
        stays = b"connection: close" not in head
        if not stays:
            self._writer.close()
        return int(head.split()[1]), b"retry-after" in head, stays
