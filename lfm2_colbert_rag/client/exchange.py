"""What both kinds of connection do with a request and its answer."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConfigError, RetrieverClosedError
from . import failures
from .address import Address
from .answers import MAX_BYTES, ShapeError, parse
from .calls import MOST_BYTES, Call
from .patience import Tries

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

JSON, LINES = "application/json", "application/x-ndjson"

_IDLE = 4.0  # seconds that an idle connection is kept; servers close theirs after five


def client_options(address: Address) -> dict[str, Any]:
    """Return what a client of httpx is made with, but for what goes through a socket's file."""
    import httpx

    return {**address.options(), "limits": httpx.Limits(keepalive_expiry=_IDLE)}


def request_options(content: bytes | None, tries: Tries) -> dict[str, Any]:
    """Return what a request is made with."""
    import httpx

    headers = {} if content is None else {"Content-Type": JSON}
    return {"content": content, "headers": headers, "timeout": httpx.Timeout(**tries.limits())}


def content_of(call: Call[T]) -> bytes | None:
    """Return the body of a request.

    Raises:
        InputError: it is too large, or no JSON.
    """
    content = call.content()
    if content is not None and len(content) > MOST_BYTES:
        raise failures.too_large(len(content), MOST_BYTES)
    return content


class Reading:
    """Reads an answer, as much of it as there may be and as long as there is time.

    Args:
        response: the answer, of which the head has come.
        tries: knows how long.
        place: how messages name the server.
    """

    def __init__(self, response: httpx.Response, tries: Tries, place: str) -> None:
        self._tries = tries
        self._place = place
        self.content = bytearray()
        length = response.headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > MAX_BYTES):
            raise failures.no_server(place, f"its answer has {length[:30]} bytes")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise failures.no_server(place, "its answer is compressed, which was not asked for")

    def add(self, chunk: bytes) -> None:
        """Take a part of the answer.

        Raises:
            AttemptError: it is too large, or the time is up.
        """
        self.content += chunk
        if len(self.content) > MAX_BYTES:
            raise failures.no_server(self._place, f"its answer has more than {MAX_BYTES:,} bytes")
        if self._tries.over:
            raise failures.too_slow(self._place)


def answer_of(call: Call[T], response: httpx.Response, content: bytes, place: str) -> T:
    """Return what a caller gets for an answer.

    Raises:
        AttemptError: it is none of a server of ours, or one that the call failed.
    """
    status, headers = response.status_code, response.headers
    if not 200 <= status < 300:
        raise failures.of_answer(status, headers, content, place, call.subject)
    check_type(response, JSON, place)
    try:
        return call.read(parse(content))
    except ShapeError as error:
        raise failures.no_server(place, str(error)) from None


def check_type(response: httpx.Response, media: str, place: str) -> None:
    """Refuse an answer of another type, such as the page of a proxy.

    Raises:
        AttemptError: it is of another.
    """
    given = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media:
        raise failures.no_server(place, f"it answered with {given or 'no type'}, not {media}")


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn what goes wrong on the way into a :class:`AttemptError`."""
    import httpx

    try:
        yield
    except (httpx.HTTPError, httpx.StreamError, ssl.SSLError, OSError) as error:
        raise failures.of_transport(error, place) from error
    except (httpx.InvalidURL, UnicodeError) as error:  # a host's name that none can be
        raise ConfigError(f"{place} is no address of a server ({error}).") from None
    except RuntimeError as error:  # what httpx says where another thread closed it meanwhile
        if "closed" in str(error):
            raise closed_error() from None
        raise


def closed_error() -> RetrieverClosedError:
    """Return what is told of a client that was closed."""
    return RetrieverClosedError("the client was closed; make another one.")
