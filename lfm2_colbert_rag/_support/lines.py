"""Files of lines: decoded with their numbers, read as JSON, searched for repeated ids."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["IdDigests", "numbered_lines", "parse_object", "refuse_bytes"]


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 file, with or without a byte order mark.

    Args:
        path: the file.

    Yields:
        The number, from 1, and the line with its end.

    Raises:
        InputError: bytes that are not UTF-8; the message names the line.
    """
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                refuse_bytes(f"{path}, line {number}")


def parse_object(line: str, place: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        line: its text.
        place: file and line, for the message.

    Raises:
        InputError: it is something else, or not JSON.
    """
    try:
        fields = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not a JSON object ({error}).") from None
    if not isinstance(fields, dict):
        raise InputError(f"{place}: not a JSON object, but {line.strip()[:40]}")
    return fields


def refuse_bytes(place: str) -> NoReturn:
    """Raise the error about bytes that are no text."""
    raise InputError(f"{place}: these bytes are not UTF-8. Save the file as UTF-8 and try again.")


class IdDigests:
    """Finds repeated ids among very many, at eight bytes each."""

    def __init__(self) -> None:
        self._seen = array("Q")

    def __len__(self) -> int:
        """Return how many ids were added."""
        return len(self._seen)

    def add(self, id: str) -> None:
        """Remember an id."""
        self._seen.append(self.digest(id))

    def cut(self, length: int) -> None:
        """Forget all but the first ids."""
        del self._seen[length:]

    def sorted(self) -> npt.NDArray[np.uint64]:
        """Return the digests of all ids in ascending order, as a copy."""
        import numpy as np

        return np.sort(np.frombuffer(self._seen, np.uint64))

    def repeated(self) -> set[int]:
        """Return the digests that were added more than once.

        Different ids share a digest about never; a second look at the ids themselves tells.
        """
        values = self.sorted()
        return set(values[1:][values[1:] == values[:-1]].tolist())

    @staticmethod
    def digest(id: str) -> int:
        """Return 64 bits of an id's hash."""
        return int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest(), "little")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
