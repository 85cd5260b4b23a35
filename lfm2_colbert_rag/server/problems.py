"""What a client is told when something goes wrong: RFC 9457, without texts, paths or values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

import msgspec

from ..errors import LFM2ColBERTError

URN = "urn:lfm2-colbert:problem:"
RETRY = 1  # seconds, where nothing better is known

_OWN = {
    "malformed": (400, "The request cannot be read."),
    "invalid": (400, "The body of the request is not what this route takes."),
    "unauthorized": (401, "No valid key or token was given."),
    "forbidden": (403, "The key may not do this."),
    "tenant-required": (403, "The key names no tenant, and passages here belong to tenants."),
    "no-route": (404, "There is no such route."),
    "page-not-found": (404, "The playground has no such file."),
    "audit-day-not-found": (404, "There is no audit log of this day."),
    "job-not-found": (404, "There is no such job."),
    "key-not-found": (404, "There is no such key."),
    "method": (405, "The route does not take this method."),
    "timeout": (408, "The request came too slowly."),
    "too-large": (413, "The request is too large."),
    "too-many-tokens": (413, "The texts have more tokens than may be encoded for one request."),
    "media-type": (415, "The body must be of the media type that the route takes, unencoded."),
    "host": (421, "The server is not known by this name; it is started with --allowed-host."),
    "rate-limited": (429, "Too many requests; try again later."),
    "head-too-large": (431, "The head of the request is too large."),
    "internal": (500, "The server failed; its log says more under the request's id."),
    "overloaded": (503, "The server is busy; try again later."),
    "starting": (503, "The server is starting; try again in a moment."),
    "draining": (503, "The server is shutting down."),
    "interrupted": (503, "Writing was interrupted; send the same again."),
    "read-only-server": (403, "This server writes nothing."),
    "no-backups": (403, "This server was started without a folder for backups."),
    "cancelled": (409, "The job was cancelled."),
    "broken-off": (500, "The list broke off."),
}
_STATUS = {
    "input": 400,
    "config": 400,
    "filter": 400,
    "passage-not-found": 404,
    "index-not-found": 404,
    "index-exists": 409,
    "index-locked": 503,
    "index-busy": 503,
    "index-gone": 503,
    "index-unavailable": 503,
    "remote-unavailable": 503,
    "partial-write": 503,
    "audit-unavailable": 503,
    "key-file": 503,
    "retriever-closed": 503,
    "read-only": 403,
    "storage-full": 507,
    "missing-extra": 501,
}
_RETRIED = (429, 503)


class ProblemBody(msgspec.Struct):
    """The body of an answer that is a problem."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    message: str
    errors: list[dict[str, str]] = []


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """A request that fails, as the client is told.

    Attributes:
        code: its name for programs.
        detail: a sentence; that of the code where it is empty.
        errors: where in the request something is wrong, and what: never what was there.
        retry_after: seconds after which to try again.
        allowed: the methods that a path takes.
    """

    code: str
    detail: str = ""
    errors: tuple[tuple[str, str], ...] = ()
    retry_after: int | None = None
    allowed: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """The status code."""
        known = _OWN.get(self.code)
        return known[0] if known else _STATUS.get(self.code, 500)

    @property
    def told(self) -> str:
        """The sentence."""
        return self.detail or _OWN.get(self.code, (500, "The request failed."))[1]

    def body(self, request_id: str) -> ProblemBody:
        """Return what is sent."""
        return ProblemBody(
            URN + self.code,
            HTTPStatus(self.status).phrase,
            self.status,
            self.told,
            f"urn:lfm2-colbert:request:{request_id}",
            self.code,
            self.told,
            [{"path": path, "problem": problem} for path, problem in self.errors],
        )

    def headers(self) -> dict[str, str]:
        """Return the headers that come with it."""
        found: dict[str, str] = {}
        if self.status in _RETRIED:
            found["retry-after"] = str(RETRY if self.retry_after is None else self.retry_after)
        if self.status == 401:
            found["www-authenticate"] = "Bearer"
        if self.allowed:
            found["allow"] = ", ".join(self.allowed)
        if self.status == 409:
            found["x-should-retry"] = "false"
        return found


@dataclass(frozen=True)
class Telling:
    """A problem as it is sent.

    Attributes:
        status: the status code.
        body: as JSON.
        media: the media type.
    """

    status: int
    body: bytes
    media: str = "application/problem+json"


Told: TypeAlias = Callable[[Problem, str], Telling]
"""Puts a problem, of a request with an id, in the words of those who ask."""


def plainly_told(problem: Problem, request_id: str) -> Telling:
    """Put a problem as RFC 9457 does."""
    return Telling(problem.status, msgspec.json.encode(problem.body(request_id)))


def problem_of(error: LFM2ColBERTError, errors: Sequence[tuple[str, str]] = ()) -> Problem:
    """Return what a client is told of an error of the library."""
    if error.code in _STATUS:
        return Problem(error.code, error.public, tuple(errors))
    return Problem("internal")


def problem_named(code: str, detail: str, errors: Sequence[Sequence[str]] = ()) -> Problem:
    """Return a problem that another process told."""
    known = code if code in _OWN or code in _STATUS else "internal"
    return Problem(known, detail if known == code else "", tuple((a, b) for a, b in errors))


def decoding_problem(error: Exception) -> Problem:
    """Return what a client is told of a body that cannot be decoded.

    msgspec's messages name types and places, never values.
    """
    if isinstance(error, msgspec.ValidationError):
        said, _, path = str(error).partition(" - at ")
        return Problem("invalid", errors=((path.strip("`") or "$", said),))
    return Problem("malformed", "The body is no JSON.")


CODES = {code: status for code, (status, _) in _OWN.items()} | _STATUS
"""All codes, and the status of each."""
