"""Which index of which server a client is bound to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..errors import ConfigError, InputError, shown
from .address import KEY_VARIABLE, Address, check_index_name
from .patience import Patience

T = TypeVar("T")


class Home:
    """What makes a client this client, and what it learnt of its index once and for all.

    Args:
        address: the server.
        patience: how long to wait for it.
        index: the name of the index; None until it is known that there is one only.

    Attributes:
        index: the name.
        model: the name of the index's model; None until somebody asked.
    """

    def __init__(self, address: Address, patience: Patience, index: object) -> None:
        self.address = address
        self.patience = patience
        self.index = None if index is None else check_index_name(index)
        self.model: str | None = None
        self._given = self.index

    def choose(self, names: Sequence[str]) -> str:
        """Take the only index that there is.

        Raises:
            ConfigError: there is none, or there are several.
        """
        if len(names) != 1:
            listed = f": {', '.join(map(shown, names[:10]))}" if names else ""
            raise ConfigError(
                f"the key sees {len(names):,} indexes of {self.address.url}{listed}. Name one with "
                "index=."
            )
        self.index = check_index_name(names[0])
        return self.index

    def told(self, *, closed: bool) -> str:
        """Return what a client's ``repr`` says of it; never the key."""
        index = "" if self.index is None else f", index {self.index!r}"
        return f"{self.address.url}{index}{', closed' if closed else ''}"

    def options(self) -> dict[str, Any]:
        """Return what another process makes the same client with.

        Raises:
            InputError: it would have to carry the key, or a context of certificates.
        """
        address, patience = self.address, self.patience
        if address.named:
            raise InputError(
                "a client does not take its key to another process. Leave api_key out, and set "
                f"{KEY_VARIABLE} in the environment of both."
            )
        if address.verify is not None and not hasattr(address.verify, "__fspath__"):
            raise InputError(
                "a client's SSLContext cannot be given to another process. Name the file of "
                "certificates as verify=, or make a client there."
            )
        return {
            "index": self._given,
            "timeout": patience.timeout,
            "write_timeout": patience.write_timeout,
            "retries": patience.retries,
            "verify": address.verify,
            "unix_socket": address.unix_socket,
            "insecure": address.insecure,
        }


def made_again(kind: Callable[..., T], url: str, options: Mapping[str, Any]) -> T:
    """Make a client as it was made in the process that gave it to this one."""
    return kind(url, **options)
