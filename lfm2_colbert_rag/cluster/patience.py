"""Asking an engine again, where that may help."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..errors import ConfigError, LFM2ColBERTError, shown

T = TypeVar("T")

_FIRST, _MOST = 0.1, 5.0  # seconds of the first pause, and of the longest


class Passing(Exception):  # noqa: N818 - no error: it says that another attempt may do
    """An attempt failed in a way that may pass. Never reaches users.

    Attributes:
        error: what users are told where no attempt helps.
        after: seconds after which the engine wants to be asked again; None where it says nothing.
    """

    def __init__(self, error: LFM2ColBERTError, after: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.after = error, after


@dataclass(frozen=True)
class Patience:
    """How long an engine is waited for.

    Attributes:
        timeout: seconds that an attempt may take.
        retries: how often it is asked again at most.

    Raises:
        ConfigError: they are no such numbers.
    """

    timeout: int = 30
    retries: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.timeout <= 86_400 or not 0 <= self.retries <= 100:
            raise ConfigError(
                f"timeout must be 1 to 86,400 seconds, and retries 0 to 100, not {self.timeout} "
                f"and {self.retries}."
            )

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Patience:
        """Read the options of an address.

        Raises:
            ConfigError: no whole numbers, or senseless ones.

        Example:
            >>> Patience.of({"timeout": "5"})
            Patience(timeout=5, retries=4)
        """
        given = {name: options[name] for name in ("timeout", "retries") if name in options}
        try:
            return cls(**{name: int(value) for name, value in given.items()})
        except ValueError:
            raise ConfigError(
                f"timeout and retries must be whole numbers, not {shown(given)}."
            ) from None

    def ask(self, attempt: Callable[[], T]) -> T:
        """Try until it succeeds: pauses grow, and differ, so that no herd comes back at once.

        Args:
            attempt: does it once; what it does must be the same done twice.

        Raises:
            LFM2ColBERTError: that of the last attempt.
        """
        for done in range(self.retries + 1):
            try:
                return attempt()
            except Passing as failed:
                if done == self.retries:
                    raise failed.error from failed.__cause__
                pause = min(_MOST, _FIRST * 2**done) * random.uniform(0.5, 1.0)
                time.sleep(pause if failed.after is None else min(_MOST, failed.after))
        raise AssertionError("unreachable")
