"""What goes wrong between a client and a server, as errors of the library."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import errors
from .._support.safe_json import JsonError, parse_json
from ..errors import (
    InputError,
    KeyRefusedError,
    LFM2ColBERTError,
    ReadOnlyError,
    ServerAnswerError,
    ServerError,
    ServerUnavailableError,
)

if TYPE_CHECKING:
    import httpx

_SHOWN = 600  # characters of what a server says
_OWN = {
    kind.code: kind
    for kind in (getattr(errors, name) for name in errors.__all__)
    if issubclass(kind, LFM2ColBERTError)
}
_OF_SERVERS: dict[str, type[LFM2ColBERTError]] = {
    **dict.fromkeys(("malformed", "invalid", "too-large", "media-type"), InputError),
    **dict.fromkeys(("unauthorized", "forbidden", "tenant-required"), KeyRefusedError),
    "read-only-server": ReadOnlyError,
    **dict.fromkeys(
        (
            *("rate-limited", "overloaded", "starting", "draining", "interrupted"),
            *("timeout", "broken-off"),
        ),
        ServerUnavailableError,
    ),
    **dict.fromkeys(("no-route", "method"), ServerAnswerError),
    **dict.fromkeys(("internal", "host"), ServerError),
}
_REMEDIES = {
    "unauthorized": "Give api_key a key that lfm2-colbert keys list shows as valid.",
    "no-route": "The address leads elsewhere, or the server is of another version.",
    "host": "Start the server with --allowed-host for the name in the address.",
}
_BUSY = (429, 502, 503, 504)
_UNDONE = (429, 503)
_TOO_LARGE = 413


class AttemptError(Exception):
    """An attempt that failed; never reaches users, its ``error`` does.

    Attributes:
        error: what to tell the caller.
        begun: the server may have begun to do what was asked.
        passing: it may be otherwise a moment later.
        after: seconds to wait, where the server said so.
    """

    def __init__(
        self,
        error: LFM2ColBERTError,
        *,
        begun: bool = True,
        passing: bool = False,
        after: float | None = None,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.begun = begun
        self.passing = passing
        self.after = after


def of_transport(error: Exception, place: str) -> AttemptError:
    """Return what an error of httpx, or of what it stands on, means.

    Args:
        error: the error.
        place: how messages name the server.
    """
    import httpx

    said = _line(str(error)) or type(error).__name__
    if (certificate := _certificate_error(error)) is not None:
        reason = _line(getattr(certificate, "verify_message", "") or str(certificate))
        return AttemptError(
            ServerAnswerError(
                f"{place} did not prove that it is the server: {reason}. Give the file of the "
                "authority that signed its certificate as verify=."
            )
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        told = f"{place} cannot be reached ({said}). Is the server running, and the address right?"
        return AttemptError(ServerUnavailableError(told), begun=False, passing=True)
    if isinstance(error, httpx.TimeoutException):
        return too_slow(place)
    if isinstance(error, httpx.RemoteProtocolError) and not said.lower().startswith(
        ("server disconnected", "peer closed")
    ):
        return AttemptError(
            ServerAnswerError(f"{place} does not speak HTTP ({said}); is it a server?")
        )
    return broken(place, said)


def no_socket(place: str, file: Path) -> AttemptError:
    """Return that there is no socket to connect to."""
    told = f"{place} cannot be reached: there is no socket {str(file)!r}. Is the server running?"
    return AttemptError(ServerUnavailableError(told), begun=False, passing=True)


def broken(place: str, said: str) -> AttemptError:
    """Return that a connection ended in the middle."""
    told = f"the connection to {place} broke ({said}); what was asked may have been done."
    return AttemptError(ServerUnavailableError(told), passing=True)


def too_slow(place: str) -> AttemptError:
    """Return that the time is up."""
    told = f"{place} did not answer in time; ask for less, or allow more with timeout=."
    return AttemptError(ServerUnavailableError(told))


def too_large(size: int, most: int) -> InputError:
    """Return that a request has more bytes than a server takes."""
    return InputError(
        f"what is to be sent has {size:,} bytes; a server takes {most:,} in one request. Send less "
        "at once; add_stream() adds any number of passages."
    )


def no_server(place: str, what: str) -> AttemptError:
    """Return that an answer is none that a server of ours gives."""
    return AttemptError(
        ServerAnswerError(f"{place} is no server of an index, or not of this version: {what}.")
    )


def of_answer(
    status: int, headers: httpx.Headers, content: bytes, place: str, subject: str = ""
) -> AttemptError:
    """Return what an answer that is no success means.

    Args:
        status: its status.
        headers: its headers.
        content: its body.
        place: how messages name the server.
        subject: what was asked for.
    """
    problem = _problem(headers, content)
    if problem is None:
        return _unexplained(status, headers, place)
    code, told = problem["code"], _told(problem)
    kind = _OF_SERVERS.get(code) or _OWN.get(code) or ServerError
    if kind is ServerError and status in _BUSY:
        kind = ServerUnavailableError
    asked = f"Asked for was {subject}." if subject else ""
    parts = (f"{place} answered:", told, asked, _REMEDIES.get(code, ""), _request(problem))
    return AttemptError(
        kind(" ".join(filter(None, parts))),
        begun=status not in _UNDONE,
        passing=status in _BUSY,
        after=_seconds(headers),
    )


def of_problem(problem: Any, place: str) -> AttemptError:
    """Return what a problem in the midst of a stream means."""
    if not isinstance(problem, Mapping) or not isinstance(problem.get("code"), str):
        return no_server(place, "it ended a list with a problem that has no code")
    kind = _OF_SERVERS.get(problem["code"]) or _OWN.get(problem["code"]) or ServerError
    return AttemptError(kind(f"{place} answered: {_told(problem)} {_request(problem)}".strip()))


def _unexplained(status: int, headers: httpx.Headers, place: str) -> AttemptError:
    """Return what the answer of something between here and the server means."""
    what = f"status {status}, {_line(headers.get('content-type', '')) or 'of no type'}"
    if status in _BUSY:
        told = f"what answers for {place} does not reach the server ({what}); try again later."
        return AttemptError(ServerUnavailableError(told), passing=True, after=_seconds(headers))
    if status == _TOO_LARGE:
        return AttemptError(
            InputError(f"what answers for {place} takes no request so large; send less.")
        )
    if 300 <= status < 400:
        target = _line(headers.get("location", "elsewhere").partition("?")[0])
        return AttemptError(
            ServerAnswerError(
                f"{place} sends on to {target}, where the key does not go; give that address "
                "yourself, if it is the right one."
            )
        )
    if status in (401, 403):
        return AttemptError(
            KeyRefusedError(f"what answers for {place} refused the request ({what}).")
        )
    return no_server(place, f"it answered with {what}")


def _problem(headers: httpx.Headers, content: bytes) -> Mapping[str, Any] | None:
    if headers.get("content-type", "").partition(";")[0].strip() != "application/problem+json":
        return None
    try:
        value = parse_json(content)
    except JsonError:
        return None
    if not isinstance(value, Mapping) or not isinstance(value.get("code"), str):
        return None
    return value


def _told(problem: Mapping[str, Any]) -> str:
    """Return what a problem says, in one line."""
    found = problem.get("errors")
    more = [
        f"{one.get('path')}: {one.get('problem')}"
        for one in (found if isinstance(found, list) else [])[:3]
        if isinstance(one, Mapping)
    ]
    text = _line(str(problem.get("detail") or problem.get("title") or problem["code"]))
    return text + (f" ({_line('; '.join(more))})" if more else "")


def _request(problem: Mapping[str, Any]) -> str:
    """Return the name under which the server's log knows the request."""
    name = _line(str(problem.get("instance") or "")).rpartition(":")[2]
    return f"[request {name}]" if name else ""


def _seconds(headers: httpx.Headers) -> float | None:
    given = headers.get("retry-after", "").strip()
    return float(given) if given.isdecimal() and len(given) < 6 else None


def _certificate_error(error: BaseException | None) -> ssl.SSLError | None:
    """Return why a certificate was refused, if that is what lies behind an error."""
    for _ in range(8):
        if isinstance(error, ssl.SSLError):
            return error
        if error is None:
            return None
        error = error.__cause__ or error.__context__
    return None


def _line(text: str) -> str:
    """Return what a stranger wrote as one short line that no terminal takes for commands."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 2 * _SHOWN]).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
