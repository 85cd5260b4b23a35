"""Indexes made and removed, and long work on them."""

from __future__ import annotations

from ..answers import IndexName, JobsAnswer
from ..bodies import JobBody, NewIndexBody
from ..part import Part
from ..problems import Problem
from ..request import Answer, Request, encode
from ..writing.errands import Errand


async def create_index(request: Request) -> Answer:
    """Make an empty index."""
    body: NewIndexBody = request.body
    if not request.known_caller.sees(body.name):
        raise Problem("forbidden")
    _require_writable(request)
    await request.write(Errand(0, "create", index=body.name, body=request.raw))
    request.services.close(body.name)  # so that the folder is looked at anew
    return Answer(encode(IndexName(body.name)), status=201)


async def drop_index(request: Request) -> Answer:
    """Remove an index with all that it holds."""
    index = request.index
    _require_writable(request)
    request.services.close(index)
    await request.write(Errand(0, "drop", index=index))
    request.services.close(index)
    return Answer(status=204)


async def begin_job(request: Request) -> Answer:
    """Begin long work on an index."""
    body: JobBody = request.body
    index = request.index
    _require_writable(request)
    whole = Part(None, request.services.settings.tenant_field)
    return Answer(encode(request.services.jobs.begin(index, body.kind, whole)), status=202)


async def list_jobs(request: Request) -> Answer:
    """Name all long work."""
    found = request.services.jobs.of(request.known_caller.sees)
    return Answer(encode(JobsAnswer(found)))


async def get_job(request: Request) -> Answer:
    """Say how far a job is."""
    found = request.services.jobs.get(request.params["job"], request.known_caller.sees)
    return Answer(encode(found))


async def cancel_job(request: Request) -> Answer:
    """Let a job stop."""
    jobs = request.services.jobs
    return Answer(encode(await jobs.cancel(request.params["job"], request.known_caller.sees)))


def _require_writable(request: Request) -> None:
    caller = request.known_caller
    if caller.tenant is not None or caller.where or caller.fields is not None:
        raise Problem("forbidden", "This is for keys that see an index whole.")
    if request.services.settings.read_only:
        raise Problem("read-only-server")
