"""Passages written by a process of their own: streams, jobs, and what a kill -9 leaves."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import suppress

import httpx
import pytest

from lfm2_colbert_rag import Retriever

from .running import Upload, running, waiting

NDJSON = {"content-type": "application/x-ndjson"}
TOLD = NDJSON | {"accept": "application/x-ndjson"}


def lines(first, last):
    made = (
        {"id": f"p{one}", "text": f"door number {one}", "metadata": {"n": one}}
        for one in range(first, last)
    )
    return "".join(json.dumps(one) + "\n" for one in made).encode()


def stream(server, index, content, headers=TOLD):
    path = f"/v1/indexes/{index}/passages:stream"
    return server.ask("POST", path, content=content, headers=headers)


def count(server, index):
    return server.ask("POST", f"/v1/indexes/{index}/count", {}).json()["count"]


def told(answer):
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_stream_is_committed_block_by_block(server, index):
    server.make(index)
    *commits, end = told(stream(server, index, lines(0, 600)))
    assert [one["through_line"] for one in commits] == [256, 512, 600]
    assert end == {"end": True, "added": 600, "lines": 600}
    assert stream(server, index, lines(0, 600), NDJSON).json() == {
        "added": 600,
        "commits": 3,
        "lines": 600,
    }
    assert count(server, index) == 600


def test_the_first_bad_line_is_named_and_what_came_before_it_stays(server, index):
    server.make(index)
    bad = lines(0, 300) + b'\n{"text":"a","colour":"red"}\n' + lines(300, 310)
    answer = stream(server, index, bad, NDJSON)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "line 302")
    assert "colour" not in answer.text.replace("`colour`", "")
    assert count(server, index) == 300
    last = told(stream(server, index, bad))[-1]
    assert last["problem"]["errors"][0]["path"] == "line 302"
    assert told(stream(server, index, b""))[-1] == {"end": True, "added": 0, "lines": 0}


def test_progress_comes_while_the_stream_goes_on(server, index):
    server.make(index)
    upload = Upload(server, index)
    upload.send(lines(0, 256))
    told = upload.told()
    assert next(told) == {"committed": 256, "through_line": 256}
    assert count(server, index) == 256
    upload.send(lines(256, 260))
    upload.end()
    assert next(told)["through_line"] == 260
    assert next(told)["end"]
    upload.close()


def test_a_client_that_leaves_in_the_middle_leaves_whole_blocks(server, index):
    server.make(index)

    def broken():
        yield lines(0, 256)
        for _ in waiting():
            if count(server, index) == 256:
                break
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        stream(server, index, broken())
    assert count(server, index) == 256


def test_jobs_say_how_far_they_are_and_can_be_stopped(server, index):
    server.make(index)
    stream(server, index, lines(0, 300))
    for kind in ("optimize", "verify", "purge"):
        begun = server.ask("POST", f"/v1/indexes/{index}/jobs", {"kind": kind})
        assert begun.status_code == 202
        for _ in waiting():
            found = server.ask("GET", f"/v1/jobs/{begun.json()['id']}").json()
            if found["state"] not in ("waiting", "running"):
                break
        assert found["state"] == "done", found
    refused = server.ask("POST", f"/v1/indexes/{index}/jobs", {"kind": "backup"}).json()
    for _ in waiting():
        found = server.ask("GET", f"/v1/jobs/{refused['id']}").json()
        if found["state"] == "failed":
            break
    assert found["problem"]["code"] == "no-backups"
    others = server.key(["admin"], indexes=["another"])
    assert server.ask("GET", f"/v1/jobs/{refused['id']}", key=others).status_code == 404
    assert server.ask("GET", "/v1/jobs", key=others).json() == {"jobs": []}


def test_an_index_that_was_made_is_listed_and_found_at_once(server, index):
    server.make(index)
    listed = server.ask("GET", "/v1/indexes").json()["indexes"]
    assert {"name": index} in listed
    assert server.ask("GET", f"/v1/indexes/{index}").json()["passages"] == 0


def test_an_index_that_is_removed_is_gone_and_can_be_made_anew(server, index):
    server.make(index, {"1": "a key"})
    assert server.ask("POST", f"/v1/indexes/{index}/search", {"query": "a"}).is_success
    assert server.ask("POST", "/v1/indexes", {"name": index}).json()["code"] == "index-exists"
    assert server.ask("DELETE", f"/v1/indexes/{index}").status_code == 204
    assert server.ask("POST", f"/v1/indexes/{index}/search", {"query": "a"}).status_code == 404
    server.make(index, {"2": "a door"})
    assert server.ask("GET", f"/v1/indexes/{index}/passages/2").json()["text"] == "a door"
    assert not list(server.folder.glob(f".{index}*"))


def test_an_index_that_is_replaced_under_the_server_is_opened_anew(server, index):
    server.make(index, {"1": "a key"})
    assert server.ask("GET", f"/v1/indexes/{index}/passages/1").is_success
    (server.folder / index).rename(server.folder / f".{index}-old")
    with Retriever.open(server.folder / index, model="hash") as other:
        other.add(["a bell"], ids=["9"])
    for _ in waiting():
        answer = server.ask("GET", f"/v1/indexes/{index}/passages/9")
        if answer.is_success:
            break
        assert answer.json()["code"] in ("index-gone", "index-not-found", "passage-not-found")
    assert answer.json()["text"] == "a bell"
    assert server.ask("GET", f"/v1/indexes/{index}/passages/1").status_code == 404
    added = server.ask(
        *("PUT", f"/v1/indexes/{index}/passages", {"passages": [{"id": "3", "text": "a"}]}),
    )
    for _ in waiting():
        if added.is_success:
            break
        assert added.json()["code"] in ("index-gone", "interrupted"), added.text
        added = server.ask(
            *("PUT", f"/v1/indexes/{index}/passages", {"passages": [{"id": "3", "text": "a"}]}),
        )
    assert count(server, index) == 2


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.subprocess
def test_whatever_is_killed_what_was_promised_is_kept(tmp_path):
    """The process that writes, the server, and both, in the middle of a stream."""
    kills = int(os.environ.get("LFM2_COLBERT_SERVER_KILLS", "3"))
    with running(tmp_path) as server:
        server.make("docs")
        promised = 0
        for number in range(kills):
            victim = ("writer", "server", "both")[number % 3]
            promised = killed(server, victim, promised, number)
            if victim != "writer":
                server.start_again(tmp_path)
            assert count(server, "docs") >= promised
            assert server.ask("POST", "/v1/indexes/docs/search", {"query": "door 3"}).is_success
        body = {"passages": [{"id": "last", "text": "what was left half done is removed"}]}
        for _ in waiting():
            if server.ask("PUT", "/v1/indexes/docs/passages", body).is_success:
                break
    with Retriever.open(tmp_path / "indexes" / "docs") as index:
        assert index.verify() == []
        assert len(index) > promised


def killed(server, victim, before, number):
    """Kill in the middle of a stream, and return how many passages had been promised."""
    pids = {"writer": [server.writer()], "server": [server.process.pid]}
    pids["both"] = pids["server"] + pids["writer"]
    stop, failed, promised = threading.Event(), [], [before]
    asking = threading.Thread(target=ask, args=(server, stop, failed))
    writing = threading.Thread(target=write, args=(server, before, promised))
    if victim == "writer":  # whoever only asks must not notice
        asking.start()
    writing.start()
    for _ in waiting():
        if len(promised) > 1 + number % 2:
            break
    time.sleep(0.01 * (number % 7))
    for pid in pids[victim]:
        os.kill(pid, signal.SIGKILL)
    writing.join(60)
    stop.set()
    if victim == "writer":
        asking.join(60)
    assert not any(one.is_alive() for one in (writing, asking))
    assert failed == []
    return max(promised)


def write(server, before, promised):
    """Stream until somebody is killed."""
    with suppress(OSError):  # the server is no more
        upload = Upload(server, "docs")
        told = threading.Thread(target=hear, args=(upload, before, promised))
        told.start()
        with suppress(OSError):
            for first in range(before, before + 100_000, 64):
                upload.send(lines(first, first + 64))
                if not told.is_alive():
                    break
        told.join(60)
        upload.close()


def hear(upload, before, promised):
    with suppress(OSError):
        for one in upload.told():
            promised.append(before + one.get("through_line", 0))


def ask(server, stop, failed):
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        headers = {"authorization": f"Bearer {server.key(['search'], rate=1e6)}"}
        while not stop.is_set():
            body = {"query": "door number 3"}
            answer = client.post("/v1/indexes/docs/search", json=body, headers=headers)
            if not answer.is_success:
                failed.append(answer.text)
