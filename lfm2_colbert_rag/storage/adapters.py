"""Query adapters that an index keeps: each a file named by its checksum, and read whole.

Which of them questions go through says a setting of the generation, and so does which one did
before. A file is small, so that a reader holds what it says, and needs it no longer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.disk import sync_file
from .._support.regular import IrregularFileError, open_regular
from .._support.system_errors import system_errors
from ..errors import REMEDY, ConfigError, IndexCorruptError, ModelFormatError
from .former import Former
from .layout import ADAPTERS, check_name, require_folders

if TYPE_CHECKING:
    from ..encoder.query_adapter import QueryAdapter
    from .settings import IndexSettings

SUFFIX = ".safetensors"
_SAID = 1 << 16  # bytes, beside the matrix; adapters say of themselves a thousandth of it


@dataclass(frozen=True)
class AdapterInfo:
    """What the catalog says of an adapter.

    Attributes:
        name: the SHA-256 of its file, in hexadecimal digits.
        size: bytes of its file.

    Raises:
        IndexCorruptError: values that this library never writes.
    """

    name: str
    size: int

    def __post_init__(self) -> None:
        """Refuse what no file could be found by."""
        if len(check_name(self.name)) != hashlib.sha256().digest_size * 2:
            raise _corrupt(f"is named {self.name!r}")
        if type(self.size) is not int or self.size < 1:
            raise _corrupt(f"has {self.size!r:.40} bytes")

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> AdapterInfo | None:
        """Read what :meth:`to_json` gave; None for None.

        Raises:
            IndexCorruptError: it is something else.
        """
        if stored is None:
            return None
        try:
            return cls(**stored)
        except TypeError:
            raise _corrupt(f"is described by {stored!r:.100}") from None

    def to_json(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return asdict(self)

    @property
    def file(self) -> str:
        """The name of its file."""
        return self.name + SUFFIX


def named_adapters(
    settings: IndexSettings, others: Mapping[str, IndexSettings]
) -> list[tuple[AdapterInfo, IndexSettings]]:
    """Return the adapters that an index needs, of what serves and of what does not.

    Args:
        settings: of the space that serves.
        others: of the others, by name.

    Returns:
        Each with the settings of the space that it is for.

    Raises:
        IndexCorruptError: the settings say what cannot be.
    """
    former = Former.of(settings.former)
    stored = [(one.query_adapter, one) for one in (settings, *others.values())]
    if former is not None:
        stored.append((former.query_adapter, others.get(former.space, settings)))
    found = [(AdapterInfo.of(info), one) for info, one in stored]
    return list({info.name: (info, one) for info, one in found if info is not None}.values())


def write_adapter(folder: Path, adapter: QueryAdapter, *, durable: bool) -> AdapterInfo:
    """Write an adapter into a folder in the making.

    Raises:
        ConfigError: it says too much of how it was made.
        OSError: the file cannot be written.
    """
    content = adapter.to_bytes()
    if len(content) > _largest(adapter.dim):
        raise ConfigError(
            f"the origin of this query adapter has more than {_SAID:,} bytes; say less of how it "
            "was made."
        )
    info = AdapterInfo(hashlib.sha256(content).hexdigest(), len(content))
    folder.mkdir(exist_ok=True)
    (folder / info.file).write_bytes(content)
    if durable:
        sync_file(folder / info.file)
    return info


def read_adapter(root: Path, info: AdapterInfo, settings: IndexSettings) -> QueryAdapter:
    """Read an adapter of an index, whole.

    Args:
        root: the folder of the index.
        info: what the catalog says of it.
        settings: for which model it must be.

    Raises:
        IndexCorruptError: its file is missing, altered, no file, or of another model.
        AccessDeniedError: this user may not read it.
        IndexUnavailableError: the system refuses it now.
    """
    from ..encoder.query_adapter import QueryAdapter

    path = require_folders(root, ADAPTERS) / info.file
    if info.size > _largest(settings.dim):
        raise _corrupt(f"has {info.size:,} bytes, more than one of {settings.dim} dimensions has")
    try:
        with system_errors(path), open_regular(path) as file:
            content = file.read(info.size + 1)
    except FileNotFoundError:
        raise IndexCorruptError(f"{path} is missing. {REMEDY}") from None
    except IrregularFileError as error:
        raise IndexCorruptError(f"{error}. {REMEDY}") from None
    if hashlib.sha256(content).hexdigest() != info.name:
        raise IndexCorruptError(f"{path} was altered: its checksum differs. {REMEDY}")
    try:
        adapter = QueryAdapter.from_bytes(content)
    except ModelFormatError as error:
        raise IndexCorruptError(f"{path}: {error} {REMEDY}") from None
    if not adapter.fits(settings.fingerprint, settings.dim):
        raise IndexCorruptError(f"{path} maps the vectors of another model. {REMEDY}")
    return adapter


def _largest(dim: int) -> int:
    return 4 * dim * dim + _SAID


def _corrupt(what: str) -> IndexCorruptError:
    return IndexCorruptError(f"a query adapter in the catalog {what}. {REMEDY}")
