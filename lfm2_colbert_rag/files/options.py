"""How the user wants files to be read."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigError
from .encodings import check_encoding
from .rows import ANY, Columns

__all__ = ["DEFAULTS", "ReadOptions"]


@dataclass(frozen=True)
class ReadOptions:
    """How texts, tables and JSON are read.

    Attributes:
        columns: which columns of tables, or keys of JSON, are text and id.
        delimiter: what stands between the cells of tables; found out for each when None.
        typed: read columns of numbers, and of true and false, as such; else all cells are texts.
        encoding: the codec of all texts; found out for each when None.

    Raises:
        ConfigError: a delimiter that is no single character, or an encoding that is unknown.
    """

    columns: Columns = ANY
    delimiter: str | None = None
    typed: bool = False
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.encoding is not None:
            check_encoding(self.encoding)
        one = self.delimiter
        if one is not None and (len(one) != 1 or one in '"\r\n' or one.isalnum()):
            raise ConfigError(f"the delimiter must be one character such as ';', not {one!r}.")


DEFAULTS = ReadOptions()
