"""How the user wants files to be read."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigError
from .rows import ANY, Columns

__all__ = ["DEFAULTS", "ReadOptions"]


@dataclass(frozen=True)
class ReadOptions:
    """How tables and JSON are read.

    Attributes:
        columns: which columns of tables, or keys of JSON, are text and id.
        delimiter: what stands between the cells of tables; found out for each when None.
        typed: read columns of numbers, and of true and false, as such; else all cells are texts.

    Raises:
        ConfigError: a delimiter that is no single character.
    """

    columns: Columns = ANY
    delimiter: str | None = None
    typed: bool = False

    def __post_init__(self) -> None:
        one = self.delimiter
        if one is not None and (len(one) != 1 or one in '"\r\n' or one.isalnum()):
            raise ConfigError(f"the delimiter must be one character such as ';', not {one!r}.")


DEFAULTS = ReadOptions()
