"""A connection to Qdrant that is made when it is needed, and what its failures mean."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..._support.extras import require
from ..._support.forking import renew_in_child
from ...errors import (
    ConfigError,
    IndexNotFoundError,
    KeyRefusedError,
    LFM2ColBERTError,
    RemoteUnavailableError,
    RetrieverClosedError,
    ServerAnswerError,
)
from ..address import Address
from ..patience import Passing, Patience

T = TypeVar("T")

GRPC_PORT, REST_PORT = 6334, 6333
API_KEY = "QDRANT_API_KEY"
"""The variable of the environment that holds the key, where the address has none."""

_OPTIONS = ("tls", "grpc", "timeout", "retries", "replication", "shards", "consistency")
_PASSING = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED"}
_PASSING_STATUS = {408, 429, 500, 502, 503, 504}
_REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
_REFUSED_STATUS = {401, 403}


@dataclass(frozen=True)
class Connecting:
    """How a client of Qdrant is made.

    Attributes:
        address: where it is.
        patience: how long it is waited for.
    """

    address: Address
    patience: Patience

    @classmethod
    def of(cls, address: Address) -> Connecting:
        """Read an address.

        Raises:
            ConfigError: an option that there is not.
        """
        unknown = sorted(set(address.options) - set(_OPTIONS))
        if unknown:
            raise ConfigError(
                f"{address} has no option {unknown[0]!r}; these are {', '.join(_OPTIONS)}."
            )
        return cls(address, Patience.of(address.options))

    def __call__(self) -> Any:
        """Make a client; no server is asked yet.

        Raises:
            MissingExtraError: the ``qdrant`` extra is not installed.
        """
        client = require("qdrant_client", extra="qdrant").QdrantClient
        if self.address.folder:
            return client(path=self.address.folder, force_disable_check_same_thread=True)
        grpc, options = _flag(self.address, "grpc", True), self.address.options
        port = self.address.port
        return client(
            host=self.address.host,
            port=REST_PORT if grpc or port is None else port,
            grpc_port=GRPC_PORT if not grpc or port is None else port,
            prefer_grpc=grpc,
            https=_flag(self.address, "tls", "tls" not in options and bool(self.key)),
            api_key=self.key,
            timeout=self.patience.timeout,
            check_compatibility=False,  # which would ask by another way than everything else
        )

    @property
    def key(self) -> str | None:
        """The key that is sent."""
        return self.address.password or self.address.user or os.environ.get(API_KEY) or None


class Connection:
    """A client that is made when it is first needed, and anew after a fork.

    Args:
        make: makes it, as :class:`Connecting` does.
        name: the index, for messages.
        patience: how long it is waited for.
        local: whether it is a client without a server, which takes one call at a time.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        name: str,
        patience: Patience | None = None,
        *,
        local: bool = False,
    ) -> None:
        self._make, self._name, self._patience = make, name, patience or Patience()
        self.local = local
        self._client: Any = None
        self._closed = False
        self._lock = threading.RLock()
        renew_in_child(self)

    def renew_after_fork(self) -> None:
        """Let go of what belongs to the parent, without closing it."""
        self._lock = threading.RLock()
        if not self.local:
            self._client = None

    def ask(self, call: Callable[[Any], T]) -> T:
        """Let something be done by the client, again where that may help.

        Args:
            call: does it; done twice it does the same.

        Raises:
            RemoteUnavailableError: Qdrant cannot be reached, is busy, or took too long.
            KeyRefusedError: the key is unknown, or does not allow it.
            IndexNotFoundError: there is no such collection.
            ServerAnswerError: Qdrant refuses it.
            RetrieverClosedError: the connection was closed.
        """
        return self._patience.ask(lambda: self._attempt(call))

    def close(self) -> None:
        """Close it. Twice does no harm."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()
                self._client = None

    def _attempt(self, call: Callable[[Any], T]) -> T:
        client = self._get()
        try:
            if self.local:
                with self._lock:
                    return call(client)
            return call(client)
        except LFM2ColBERTError:
            raise
        except Exception as error:
            raise self._told(error) from error

    def _get(self) -> Any:
        with self._lock:
            if self._closed:
                raise RetrieverClosedError(f"{self._name} was closed; open it again.")
            if self._client is None:
                self._client = self._make()
            return self._client

    def _told(self, error: Exception) -> Exception:
        """Return what an error of the client means; itself where it means nothing to us."""
        kind = _status_of(error)
        if kind is None:
            return error
        if kind in _PASSING or kind in _PASSING_STATUS or kind == "connection":
            after = getattr(error, "retry_after_s", None)
            return Passing(
                RemoteUnavailableError(
                    f"{self._name} cannot be reached, is busy, or took too long "
                    f"({_short(error)}). Nothing was lost; try again."
                ),
                after,
            )
        if kind in _REFUSED or kind in _REFUSED_STATUS:
            return KeyRefusedError(
                f"{self._name} does not allow this ({_short(error)}). Give a key that does, as "
                f"{API_KEY} in the environment."
            )
        if kind in ("NOT_FOUND", 404):
            return IndexNotFoundError(f"{self._name} is not there ({_short(error)}).")
        return ServerAnswerError(f"{self._name} refuses this ({_short(error)}).")


def _status_of(error: Exception) -> str | int | None:
    """Return what kind of failure an error of the client is; None for none of Qdrant's."""
    if hasattr(error, "retry_after_s"):
        return "RESOURCE_EXHAUSTED"
    code = getattr(error, "code", None)
    if callable(code) and type(error).__module__.startswith("grpc"):
        return str(code().name)
    if hasattr(error, "status_code") and hasattr(error, "reason_phrase"):
        return int(error.status_code or 0)
    if hasattr(error, "source") and type(error).__name__ == "ResponseHandlingException":
        return "connection"
    if type(error) is ValueError and "not found" in str(error) and "ollection" in str(error):
        return "NOT_FOUND"  # of a client without a server
    return None


def _flag(address: Address, name: str, otherwise: bool) -> bool:
    value = address.options.get(name)
    if value is None:
        return otherwise
    if value.lower() in ("true", "1", "yes", "false", "0", "no"):
        return value.lower() in ("true", "1", "yes")
    raise ConfigError(f"{name} in {address} must be true or false, not {value!r:.40}.")


def _short(error: Exception) -> str:
    details = getattr(error, "details", None)
    text = str(details()) if callable(details) else str(error) or type(error).__name__
    return " ".join(text.split())[:200]
