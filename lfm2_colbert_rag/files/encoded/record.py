"""What an output says of itself, beside the export that it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..._support.safe_json import JsonError, load_json
from ...errors import InputError
from ..records import Odd

__all__ = ["RECORD", "Record", "find_outputs", "read_record"]

RECORD = "encoded.json"
_FORMAT, _VERSION = "lfm2-colbert-encoded", 1


@dataclass(frozen=True)
class Record:
    """What was made of one source file.

    Attributes:
        source: the name that the file is known by.
        sha256: of its bytes.
        recipe: all else that decides the output, see :meth:`~.job.Job.recipe`.
        passages: how many there are.
        vectors: how many they have.
        odd: what could not be used of the file, as pairs of a place and a reason.
        remark: what was left out or replaced within passages, if anything was.

    Example:
        >>> Record("docs/a.txt", "00", {}).passages
        0
    """

    source: str
    sha256: str
    recipe: Mapping[str, Any]
    passages: int = 0
    vectors: int = 0
    odd: tuple[tuple[str, str], ...] = ()
    remark: str | None = None

    def of_same(self, other: Record) -> bool:
        """Tell whether both were made of the same bytes in the same way."""
        return (self.source, self.sha256, dict(self.recipe)) == (
            *(other.source, other.sha256),
            dict(other.recipe),
        )

    def not_used(self) -> list[Odd]:
        """Return what could not be used of the file."""
        return [Odd(place, reason) for place, reason in self.odd]

    def write(self, folder: Path) -> None:
        """Write it into the folder of the output."""
        values = {"format": _FORMAT, "version": _VERSION, **asdict(self)}
        text = json.dumps(values, indent=2, ensure_ascii=False, sort_keys=True)
        (folder / RECORD).write_text(f"{text}\n", "utf-8")


def read_record(folder: Path) -> Record | None:
    """Read what an output says of itself; None where there is no output.

    Raises:
        InputError: the file is damaged, or of another version.
    """
    path = folder / RECORD
    try:
        values = load_json(path)
        form = values.pop("format"), values.pop("version")
        record = Record(**values)
        odd = tuple((str(place), str(reason)) for place, reason in record.odd)
    except FileNotFoundError:
        return None
    except (JsonError, OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(_remedy(path, f"cannot be read ({error})")) from None
    if form != (_FORMAT, _VERSION):
        raise InputError(_remedy(path, f"is of the form {form}, not {(_FORMAT, _VERSION)}"))
    return Record(**{**asdict(record), "odd": odd})


def find_outputs(folder: Path) -> Iterator[Path]:
    """Yield the outputs in a folder, in the order of their names.

    Args:
        folder: what ``lfm2-colbert encode`` wrote into.
    """
    for path in sorted(folder.rglob(RECORD)):
        # What is in the making, or was left of it, begins with a dot.
        if not any(part.startswith(".tmp-") for part in path.relative_to(folder).parts):
            yield path.parent


def _remedy(path: Path, problem: str) -> str:
    return f"{path} {problem}. Remove its folder, and encode the files again."
