"""The parts that are measured, each on a server that was just started."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ..harness import percentiles, say
from .bench import PERCENTS, Bench, Figures, stream, summary
from .dialects import rerank, tools
from .load import Plan, begin, run

CLIENTS = 16
PACE = 5.0  # searches a second, while passages stream in


def overhead(bench: Bench) -> Figures:
    """Ask a question here and there, in turn, at one client."""
    connection = http.client.HTTPConnection("127.0.0.1", bench.served.port)
    headers = {
        "authorization": f"Bearer {bench.served.key}",
        "content-type": "application/json",
    }
    path, here, there = f"/v1/indexes/{bench.index}/search", [], []
    for place, query in enumerate(bench.take(1_000)):
        for where in (here, there)[:: -1 if place % 2 else 1]:
            began = time.perf_counter()
            if where is here:
                bench.own.search(query, 10)
            else:
                connection.request("POST", path, json.dumps({"query": query, "k": 10}), headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200, answer.status
            where.append(time.perf_counter() - began)
    mine, theirs = percentiles(here[50:], PERCENTS), percentiles(there[50:], PERCENTS)
    added = {name: theirs[name] - mine[name] for name in mine}
    return {"in process": mine, "over HTTP": theirs, "added": added}


def clients(bench: Bench) -> Figures:
    """Let sixteen clients ask as fast as they are answered; here, and there."""
    queries = bench.take(len(bench.asked))
    half = len(queries) // 2
    told = run(bench.plan(queries[:half], seconds=bench.seconds / 2, clients=CLIENTS))
    there = summary(told, bench.seconds / 2)
    times: list[tuple[float, float, int, bool]] = []
    end, places = time.perf_counter() + bench.seconds / 2, iter(queries[half:] * 100)

    def ask() -> None:
        while (began := time.perf_counter()) < end:
            bench.own.search(next(places), 10)
            times.append((0.0, time.perf_counter() - began, 200, False))

    with ThreadPoolExecutor(CLIENTS) as pool:
        for one in [pool.submit(ask) for _ in range(CLIENTS)]:
            one.result()
    here = summary(times, bench.seconds / 2)
    return {
        "over HTTP": there,
        "in process": here,
        "share of in process": there["a second"] / here["a second"],
    }


def ingest(bench: Bench) -> Figures:
    """Search at a steady pace, alone and while all passages stream in once more, changed."""
    queries = bench.take(len(bench.asked))
    alone = run(bench.plan(queries[:2_000], seconds=bench.seconds, rate=PACE))
    more, live = Plan(bench.served.port, bench.served.key, "/livez", None, 1e5, rate=20), None
    began = time.perf_counter()
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(stream, bench)
        seconds, told, lives = 0.0, [], []
        while not sent.done():
            live = begin(Plan(more.port, more.key, more.path, None, 10.0, rate=20))
            told += run(bench.plan(queries[2_000:], seconds=10.0, rate=PACE))
            lives += live.get()
            queries = queries[50:]
        seconds = time.perf_counter() - began
        committed = sent.result()
    idle, busy = summary(alone, bench.seconds), summary(told, seconds)
    return {
        "passages a second": committed / seconds,
        "committed": committed,
        "alone": idle,
        "meanwhile": busy,
        "p99 meanwhile / alone": busy["p99_ms"] / idle["p99_ms"],
        "livez": summary(lives, seconds),
    }


def overload(bench: Bench) -> Figures:
    """Ask three times as much as is answered, for a minute, and then little again."""
    queries = bench.take(len(bench.asked))
    warm = run(bench.plan(queries, seconds=10.0, clients=CLIENTS))
    capacity, before = summary(warm, 10.0)["a second"], bench.served.memory_mb()
    told = run(bench.plan(queries, seconds=bench.seconds, rate=3 * capacity))
    after, growth = bench.served.memory_mb(), 0.0
    growth = after - before
    calm = run(bench.plan(queries, seconds=2.0, rate=PACE))
    good = [one for one in told if one[2] == 200]
    refused = [one for one in told if one[2] != 200]
    return {
        "capacity a second": capacity,
        "asked a second": 3 * capacity,
        "answered a second": len(good) / bench.seconds,
        "goodput": len(good) / bench.seconds / capacity,
        "answered": percentiles([one[1] for one in good], PERCENTS),
        "refused": len(refused),
        "refusals": percentiles([one[1] for one in refused], PERCENTS),
        "statuses": sorted({one[2] for one in refused}),
        "without Retry-After": sum(not one[3] for one in refused),
        "memory grew mb": growth,
        "two seconds after": summary(calm, 2.0),
    }


def soak(bench: Bench) -> Figures:
    """Ask very often, and look at memory and file descriptors on the way."""
    queries, done, looks = bench.take(len(bench.asked)), 0, []
    statuses: set[int] = set()
    while done < bench.requests:
        told = run(bench.plan(queries, seconds=60.0, clients=4))
        done += len(told)
        statuses |= {one[2] for one in told}
        looks.append((done, bench.served.memory_mb(), bench.served.files()))
        say(*looks[-1])
    settled = next(one for one in looks if one[0] >= bench.requests / 10)
    return {
        "requests": done,
        "statuses": sorted(statuses),
        "memory mb": {"after a tenth": settled[1], "at the end": looks[-1][1]},
        "growth": looks[-1][1] / settled[1] - 1,
        "files": {"after a tenth": settled[2], "at the end": looks[-1][2]},
    }


PARTS: dict[str, Callable[[Bench], Figures]] = {
    "overhead": overhead,
    "clients": clients,
    "ingest": ingest,
    "overload": overload,
    "soak": soak,
    "rerank": rerank,
    "tools": tools,
}
